"""Encoders: one file per family, from one kind of data to tokens for the trunk."""
