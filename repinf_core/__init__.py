"""Repeated inference in variational autoencoders: the core of the executable paper.

Nagano, Karakida & Okada, "Collective dynamics of repeated inference in variational
autoencoder rapidly find cluster structure", Sci. Rep. 10, 16001 (2020).

``models`` and ``training`` make networks, ``dynamics`` iterates them, ``geometry`` measures the
trajectories, ``figures`` and ``claims`` show and judge the results.  Import the module you need:
``from repinf_core.dynamics import rollout``.
"""

import os

# Waiting threads should spin briefly and then sleep.  GNU OpenMP's default of 300,000 turns makes
# training several times slower beside any other load; no spinning makes it a tenth slower on an
# idle machine (benchmarks/neighbour.py).  OpenMP reads this variable when torch loads it.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")

__version__ = "0.2.0.dev0"
