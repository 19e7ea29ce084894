"""An epoch in JAX: one jit-compiled ``lax.scan`` over all minibatches, Adam written out."""

import functools
import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")  # as for the other contestants

import jax
import jax.numpy as jnp
import numpy as np
import torch

from repinf_core.models.mlp import VAESpec


def objective(weights, x, epsilon, beta):
    """-ELBO of a minibatch in nats per image, as in ``mlp.negative_elbo``."""
    w1, b1, w2, b2, w3, b3, w4, b4 = weights
    mu, log_variance = jnp.split(jnp.tanh(x @ w1.T + b1) @ w2.T + b2, 2, axis=-1)
    z = mu + jnp.exp(0.5 * log_variance) * epsilon
    logits = jnp.tanh(z @ w3.T + b3) @ w4.T + b4
    kl = 0.5 * (jnp.exp(log_variance) + mu**2 - 1 - log_variance).sum(-1).mean()
    return beta * kl + (jax.nn.softplus(logits) - x * logits).sum(-1).mean()


def adam(weights, moments, gradient, rate, b1=0.9, b2=0.999, eps=1e-8):
    step, first, second = moments
    step += 1
    first = [b1 * m + (1 - b1) * g for m, g in zip(first, gradient, strict=True)]
    second = [b2 * v + (1 - b2) * g**2 for v, g in zip(second, gradient, strict=True)]
    weights = [
        w - rate * (m / (1 - b1**step)) / (jnp.sqrt(v / (1 - b2**step)) + eps)
        for w, m, v in zip(weights, first, second, strict=True)
    ]
    return weights, (step, first, second)


@functools.partial(jax.jit, static_argnames="spec", donate_argnums=(0, 1))
def train_epoch(weights, moments, key, images, spec):
    order_key, noise_key = jax.random.split(key)
    order = jax.random.permutation(order_key, len(images)).reshape(-1, spec.minibatch)
    shape = (spec.n_samples, spec.minibatch, spec.n_z)

    def step(state, rows_and_key):
        rows, key = rows_and_key
        epsilon = jax.random.normal(key, shape)
        gradient = jax.grad(objective)(state[0], images[rows], epsilon, spec.beta)
        return adam(*state, gradient, spec.learning_rates[0]), None

    keys = jax.random.split(noise_key, len(order))
    return jax.lax.scan(step, (weights, moments), (order, keys))[0]


class JaxScan:
    """A contestant with the methods that ``torch_loops`` describes.

    The minibatch size must divide the number of images.
    """

    def __init__(self, spec: VAESpec, weights: list[np.ndarray], images: torch.Tensor):
        self._spec, self._images = spec, jnp.asarray(images.numpy())
        self._key = jax.random.key(spec.seed)
        self._weights = [jnp.array(values) for values in weights]
        zeros = [[jnp.zeros_like(values) for values in self._weights] for _ in range(2)]
        self._moments = (jnp.zeros(()), *zeros)

    def epoch(self) -> None:
        self._key, key = jax.random.split(self._key)
        state = train_epoch(self._weights, self._moments, key, self._images, self._spec)
        self._weights, self._moments = jax.block_until_ready(state)

    def weights(self) -> list[np.ndarray]:
        return [np.array(values) for values in self._weights]
