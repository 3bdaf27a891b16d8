"""Fine-tuning: one loop, its checkpoints, and what is judged."""
