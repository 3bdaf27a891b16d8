"""LoRA adapters on the shared model, and the bundles in which they travel."""
