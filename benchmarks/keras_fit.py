"""An epoch in Keras 3: layers, a loss, ``compile`` and ``fit``, on the JAX backend."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_PLATFORMS", "cpu")  # as for the other contestants

import keras
import numpy as np
import torch
from keras import layers, ops

from repinf_core.models.mlp import VAESpec


class Sampling(layers.Layer):
    """Draw L samples of z, ``[B, L, N_z]``, from (mu, log sigma^2); add beta KL to the loss."""

    def __init__(self, spec: VAESpec):
        super().__init__()
        self._spec, self._seeds = spec, keras.random.SeedGenerator(spec.seed)

    def call(self, encoded):
        mu, log_variance = ops.split(encoded, 2, axis=-1)
        kl = 0.5 * ops.sum(ops.exp(log_variance) + mu**2 - 1 - log_variance, axis=-1)
        self.add_loss(self._spec.beta * ops.mean(kl))
        shape = (ops.shape(mu)[0], self._spec.n_samples, self._spec.n_z)
        epsilon = keras.random.normal(shape, seed=self._seeds)
        return mu[:, None] + ops.exp(0.5 * log_variance)[:, None] * epsilon


def reconstruction(x, logits):
    return ops.mean(ops.sum(ops.softplus(logits) - x[:, None] * logits, axis=-1), axis=1)


class KerasFit:
    """A contestant with the methods that ``torch_loops`` describes."""

    def __init__(self, spec: VAESpec, weights: list[np.ndarray], images: torch.Tensor):
        keras.utils.set_random_seed(spec.seed)  # sets the order of the images
        self._spec, self._images = spec, images.numpy()
        sizes = (spec.n_hidden, 2 * spec.n_z, spec.n_hidden, images.shape[1])
        self._dense = [
            layers.Dense(size, activation)
            for size, activation in zip(sizes, ("tanh", None, "tanh", None), strict=True)
        ]
        first, second, third, fourth = self._dense
        x = keras.Input((images.shape[1],))
        self._model = keras.Model(x, fourth(third(Sampling(spec)(second(first(x))))))
        for layer, kernel, bias in zip(self._dense, weights[::2], weights[1::2], strict=True):
            layer.set_weights([kernel.T, bias])
        self._model.compile(
            keras.optimizers.Adam(spec.learning_rates[0], epsilon=1e-8), loss=reconstruction
        )

    def epoch(self) -> None:
        self._model.fit(self._images, self._images, self._spec.minibatch, verbose=0)

    def weights(self) -> list[np.ndarray]:
        pairs = [layer.get_weights() for layer in self._dense]
        return [values for kernel, bias in pairs for values in (kernel.T, bias)]
