"""Cases made ready for a model: read, prepared, encoded and cached, and what the model says."""
