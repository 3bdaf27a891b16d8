"""Medicine: one file per modality, from a hospital's files to clean numbers or text."""
