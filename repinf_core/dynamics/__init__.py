"""Repeated inference as a dynamical system: trajectories and how closely they approach."""
