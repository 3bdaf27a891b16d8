"""The shared model, its batches, and the bases that adapters are made for."""
