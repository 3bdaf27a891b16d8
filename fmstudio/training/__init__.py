"""Fine-tuning and pretraining: one loop, checkpoints, and caches of prepared inputs."""
