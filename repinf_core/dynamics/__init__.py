"""Repeated inference as a dynamical system: trajectories, and how close they come to targets."""
