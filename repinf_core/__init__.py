"""Repeated inference in variational autoencoders: the core of the executable paper.

Nagano, Karakida & Okada, "Collective dynamics of repeated inference in variational
autoencoder rapidly find cluster structure", Sci. Rep. 10, 16001 (2020).

profiles, data, vae, geometry, rollout, figures and movie stand alone; training and the model
store build on data and vae.  Import the module you need: ``from repinf_core import rollout``.
"""

__version__ = "0.1.0"
