"""Fine-tuning: one loop, its checkpoints, and the evaluation of candidate models."""
