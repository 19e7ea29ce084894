"""Repeated inference in variational autoencoders: the core of the executable paper.

Nagano, Karakida & Okada, "Collective dynamics of repeated inference in variational
autoencoder rapidly find cluster structure", Sci. Rep. 10, 16001 (2020).

data, vae, geometry and figures stand alone; training and rollout build on vae, the model store on
training.  Import the module you need: ``from repinf_core import rollout``.
"""

__version__ = "0.1.0"
