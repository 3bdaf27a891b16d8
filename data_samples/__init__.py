"""A made-up cohort in six modalities, and the script that makes it."""
