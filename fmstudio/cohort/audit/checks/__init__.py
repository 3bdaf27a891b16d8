"""One file per kind of finding: a pure function from what is known of a cohort to findings."""
