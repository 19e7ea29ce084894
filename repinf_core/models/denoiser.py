r"""A denoising autoencoder: the paper's network without its probabilities, told what to remove.

.. math::
    h = \tanh(W_1 x + b_1), \quad z = W_2 h + b_2, \quad
    h' = \tanh(W_3 z + b_3), \quad \hat x = \operatorname{sigmoid}(W_4 h' + b_4)

It has the VAE's layers and sizes, but for the encoder's N_z outputs that would be log sigma^2.  It
sees noisy images and learns to give the clean ones, which the VAE never does: a baseline for what
repeated inference removes.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import nn

from repinf_core.models.base import Model, Spec
from repinf_core.models.mlp import bernoulli_nll, reconstruction_floor
from repinf_core.noise import corrupt


class DenoisingAutoencoder(Model):
    """Noisy images ``[N, 784]`` to clean ones: 784-1024(tanh)-N_z-1024(tanh)-784(sigmoid).

    Weights are Glorot-uniform and biases zero, as the VAE's.

    Args:
        n_z: units of the code.
        n_hidden: units of either hidden layer.
        noise: one of :data:`repinf_core.noise.NOISES`, that of the training.
        generator: draws the initial weights, on the CPU.
    """

    def __init__(self, n_z: int, n_hidden: int, noise: str, generator: torch.Generator) -> None:
        super().__init__()
        self.noise = noise
        self.encoder_hidden = nn.Linear(784, n_hidden)
        self.encoder_out = nn.Linear(n_hidden, n_z)
        self.decoder_hidden = nn.Linear(n_z, n_hidden)
        self.decoder_out = nn.Linear(n_hidden, 784)
        layers = self.encoder_hidden, self.encoder_out, self.decoder_hidden, self.decoder_out
        for layer in layers:
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            nn.init.zeros_(layer.bias)

    def encode_mean(self, x: torch.Tensor) -> torch.Tensor:
        """Images ``[n, 784]`` to codes ``[n, N_z]``."""
        return self.encoder_out(torch.tanh(self.encoder_hidden(x)))

    def decode_mean(self, z: torch.Tensor) -> torch.Tensor:
        """Codes ``[n, N_z]`` to images ``[n, 784]``."""
        return torch.sigmoid(self._logits(z))

    def loss(
        self, x: torch.Tensor, generator: torch.Generator, labels: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        """Cross entropy of the clean pixels, given the image with noise; nats per image.

        The noise fraction is drawn anew, from 0 to 1, for each call: the network is not told it
        and must remove any, as the VAE must.
        """
        p = float(torch.rand((), generator=generator, device=x.device))
        logits = self._logits(self.encode_mean(corrupt(x, p, generator, self.noise)))
        return {"reconstruction": bernoulli_nll(logits.to(x.dtype), x).mean()}

    def floor(self, x: torch.Tensor) -> dict[str, float]:
        """As the VAE's reconstruction."""
        return {"reconstruction": float(reconstruction_floor(x))}

    def _logits(self, z: torch.Tensor) -> torch.Tensor:
        return self.decoder_out(torch.tanh(self.decoder_hidden(z)))


@dataclass(frozen=True, kw_only=True)
class DenoiserSpec(Spec):
    """Spec of the denoising autoencoder.

    Attributes:
        n_z: units of the code.
        n_hidden: units of either hidden layer.
        noise: that it learns to remove.
    """

    family: ClassVar[str] = "denoiser"

    epochs: int = 10
    learning_rates: tuple[float, ...] = (1e-3, 3e-4, 1e-4)
    n_z: int = 100
    n_hidden: int = 1024
    noise: str = "permute"

    @classmethod
    def of(cls, experiment: Any) -> Self:
        """The part of an experiment (any object with these attributes) that shapes the weights."""
        return cls(
            dataset=experiment.dataset,
            epochs=experiment.denoiser_epochs,
            precision=experiment.precision,
            seed=experiment.seed,
            n_z=experiment.n_z,
            n_hidden=experiment.n_hidden,
            noise=experiment.noise,
        )

    def build(self, generator: torch.Generator) -> DenoisingAutoencoder:
        """The network with Glorot-uniform weights."""
        return DenoisingAutoencoder(self.n_z, self.n_hidden, self.noise, generator)
