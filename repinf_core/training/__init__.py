"""Training: the loop, the paths that it can take, checkpoints, and the store of models."""
