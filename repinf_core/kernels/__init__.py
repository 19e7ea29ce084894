"""Fast ways to compute a step on the available device, without changing its mathematics."""
