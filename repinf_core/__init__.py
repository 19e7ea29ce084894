"""Repeated inference in variational autoencoders: the core of the executable paper.

Nagano, Karakida & Okada, "Collective dynamics of repeated inference in variational
autoencoder rapidly find cluster structure", Sci. Rep. 10, 16001 (2020).

``models`` and ``training`` make networks, ``dynamics`` iterates them, ``geometry`` measures what
comes of it, ``figures`` and ``claims`` show and judge it.  Import the module you need:
``from repinf_core.dynamics import rollout``.
"""

import os

# Threads that wait for others are to sleep, not to spin: beside any other load spinning makes a
# training several times slower (benchmarks/neighbour.py).  OpenMP reads this when torch loads it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.2.0.dev0"
