"""What a base can learn from without labels: one objective a file, each ends `OBJECTIVE = …`."""
