"""Repeated inference in variational autoencoders: the core of the executable paper.

Nagano, Karakida & Okada, "Collective dynamics of repeated inference in variational
autoencoder rapidly find cluster structure", Sci. Rep. 10, 16001 (2020).

``models`` and ``training`` make networks, ``dynamics`` iterates them, ``geometry`` measures what
comes of it, ``figures`` and ``claims`` show and judge it.  Import the module you need:
``from repinf_core.dynamics import rollout``.
"""

import os

# Threads that wait for others are to spin for a moment only and then sleep: beside any other load
# GNU OpenMP's own 300,000 turns make a training several times slower, and none at all costs a quiet
# machine a tenth (benchmarks/neighbour.py).  OpenMP reads this when torch loads it.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")

__version__ = "0.2.0.dev0"
