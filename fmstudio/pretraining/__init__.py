"""Self-supervised pretraining: unlabelled cases in, a new base out."""
