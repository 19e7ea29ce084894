"""Training steps written for speed: the same formula as the general path, proved at first use."""
