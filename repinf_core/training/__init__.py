"""Training: the loop, its fast and general paths, checkpoints, and the store of models."""
