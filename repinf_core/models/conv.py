r"""Convolutional autoencoders with one trunk: CAE, DAE and VAE (the companion, arXiv:2412.04755).

Two convolutions of stride 2 halve the image twice, 28 -> 14 -> 7.  A linear map of the features at
each place then gives the latent tensor of c x 7 x 7 numbers; transposed convolutions lead back:

.. math::
    h = \operatorname{relu}(C_2 * \operatorname{relu}(C_1 * x)), \quad
    Z = \operatorname{relu}(C_3 * h), \quad
    \hat x = \operatorname{sigmoid}(D_2 * \operatorname{relu}(D_1 * Z))

The denoising autoencoder (DAE) has the network of the convolutional autoencoder (CAE) and sees
noisy images.  The VAE's latent layer gives mu and log sigma^2, without the last relu.  We had only
the companion's abstract; these sizes are ours.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
import torch.nn.functional as F
from torch import nn

from repinf_core.models.base import Model, Spec
from repinf_core.models.mlp import bernoulli_nll, kl_divergence, reconstruction_floor
from repinf_core.noise import gaussian

SIDE = 28
"""Pixels on a side of an image."""
_FEATURES = (32, 64)  # after the first and the second convolution
_CROPPED = 4  # pixels; MNIST's digits have the size of the box that is left, but not all are in it


class ConvAutoencoder(Model):
    """The CAE, and the DAE if ``noise_level`` is above 0.

    Weights are Glorot-uniform and biases zero.

    Args:
        channels: c of the latent tensor.
        generator: generator of the initial weights, on the CPU.
        noise_level: standard deviation of the Gaussian noise on the images in training.
        rectified: whether the latent tensor (the VAE's mu) passes through a relu.
        border: pixels on each side of an image that the network neither sees nor draws; decoded
            images are 0 there.

    Raises:
        ValueError: fewer than one channel, a negative or infinite ``noise_level``, or a ``border``
            that leaves a side which cannot be halved twice.
    """

    outputs: ClassVar[int] = 1
    """Latent tensors that the encoder gives."""

    def __init__(
        self,
        channels: int,
        generator: torch.Generator,
        noise_level: float = 0.0,
        rectified: bool = True,
        border: int = 0,
    ) -> None:
        super().__init__()
        side = SIDE - 2 * border
        if channels < 1:
            raise ValueError(f"channels is {channels}; allowed is an integer from 1.")
        if not 0 <= noise_level < math.inf:
            raise ValueError(f"noise_level is {noise_level}; allowed is a finite number from 0.")
        if border < 0 or side < 4 or side % 4:
            raise ValueError(
                f"border is {border} and leaves a side of {side} pixels; allowed is a side of 4, "
                f"8, ... {SIDE} pixels, which can be halved twice."
            )
        self.noise_level, self.rectified, self.border = noise_level, rectified, border
        self.latent_shape = (channels, side // 4, side // 4)
        first, second = _FEATURES
        self.encoder_first = nn.Conv2d(1, first, 3, stride=2, padding=1)
        self.encoder_second = nn.Conv2d(first, second, 3, stride=2, padding=1)
        self.encoder_out = nn.Conv2d(second, self.outputs * channels, 1)
        self.decoder_first = nn.ConvTranspose2d(channels, first, 4, stride=2, padding=1)
        self.decoder_out = nn.ConvTranspose2d(first, 1, 4, stride=2, padding=1)
        for layer in self.children():
            assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
            assert layer.bias is not None
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            nn.init.zeros_(layer.bias)

    @property
    def n_z(self) -> int:
        """Number of latent variables, c times the places."""
        channels, rows, columns = self.latent_shape
        return channels * rows * columns

    def encode_mean(self, x: torch.Tensor) -> torch.Tensor:
        """Images ``[n, 784]`` to latents ``[n, N_z]``, in the order channel, row, column."""
        latent = self._encoder_outputs(x)[:, : self.latent_shape[0]]
        return (F.relu(latent) if self.rectified else latent).flatten(1)

    def decode_mean(self, z: torch.Tensor) -> torch.Tensor:
        """Latents ``[n, N_z]`` to images ``[n, 784]``."""
        drawn = torch.sigmoid(self._logits(z)).unflatten(1, (1, self._side, self._side))
        return F.pad(drawn, (self.border,) * 4).flatten(1)

    def loss(
        self, x: torch.Tensor, generator: torch.Generator, labels: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        """Cross entropy of the clean pixels, in nats per image."""
        seen = gaussian(x, self.noise_level, generator) if self.noise_level else x
        logits = self._logits(self.encode_mean(seen))
        return {"reconstruction": bernoulli_nll(logits.to(x.dtype), self._inside(x)).mean()}

    def floor(self, x: torch.Tensor) -> dict[str, float]:
        """Lower bound of the reconstruction."""
        return {"reconstruction": float(reconstruction_floor(self._inside(x)))}

    @property
    def _side(self) -> int:
        return SIDE - 2 * self.border

    def _inside(self, x: torch.Tensor) -> torch.Tensor:
        """The pixels inside the border, ``[n, 784]`` to ``[n, side * side]``."""
        inside = slice(self.border, SIDE - self.border)
        return x.unflatten(1, (SIDE, SIDE))[:, inside, inside].flatten(1)

    def _encoder_outputs(self, x: torch.Tensor) -> torch.Tensor:
        """Images to latent tensors before the relu, ``[n, outputs * c, side/4, side/4]``."""
        image = self._inside(x).unflatten(1, (1, self._side, self._side))
        return self.encoder_out(F.relu(self.encoder_second(F.relu(self.encoder_first(image)))))

    def _logits(self, z: torch.Tensor) -> torch.Tensor:
        """Latents to the logits of the pixels inside the border, ``[n, side * side]``."""
        latent = z.unflatten(1, self.latent_shape)
        return self.decoder_out(F.relu(self.decoder_first(latent))).flatten(1)


class ConvVAE(ConvAutoencoder):
    """The VAE on the same trunk: q(z|x) is a Gaussian with a diagonal covariance."""

    outputs: ClassVar[int] = 2

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Images ``[n, 784]`` to ``(mu, log sigma^2)`` of q(z|x), each ``[n, N_z]``."""
        mu, log_variance = self._encoder_outputs(x).chunk(2, dim=1)
        return (F.relu(mu) if self.rectified else mu).flatten(1), log_variance.flatten(1)

    def sample(self, x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """One z ~ q(z|x) for each image, ``[n, 784]`` to ``[n, N_z]``."""
        mu, log_variance = self.encode(x)
        epsilon = torch.randn(mu.shape, generator=generator, device=mu.device, dtype=mu.dtype)
        return mu + (log_variance / 2).exp() * epsilon

    def loss(
        self, x: torch.Tensor, generator: torch.Generator, labels: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        """-ELBO and its two terms, with one sample of z for each image."""
        mu, log_variance = (part.float() for part in self.encode(x))
        epsilon = torch.randn(mu.shape, generator=generator, device=x.device)
        logits = self._logits(mu + (log_variance / 2).exp() * epsilon)
        reconstruction = bernoulli_nll(logits.to(x.dtype), self._inside(x)).mean()
        kl = kl_divergence(mu, log_variance).mean()
        return {"negative_elbo": reconstruction + kl, "kl": kl, "reconstruction": reconstruction}


@dataclass(frozen=True, kw_only=True)
class ConvSpec(Spec):
    """Spec of a convolutional autoencoder; the defaults are the CAE's.

    Attributes:
        variational: whether it is the VAE.
        channels: c of the latent tensor.
        noise_level: standard deviation of the Gaussian noise in training; above 0 in the DAE.
        rectified: whether the latent tensor passes through a relu.
        border: pixels on each side of an image that the network does not see.
    """

    family: ClassVar[str] = "conv"

    epochs: int = 20
    learning_rates: tuple[float, ...] = (1e-3, 3e-4, 1e-4)
    variational: bool = False
    channels: int = 64
    noise_level: float = 0.0
    rectified: bool = True
    border: int = 0

    @classmethod
    def of(cls, experiment: Any) -> Self:
        """The CAE of an experiment; :func:`variants` gives all three."""
        return cls(
            dataset=experiment.dataset,
            epochs=experiment.conv_epochs,
            minibatch=experiment.minibatch,
            precision=experiment.precision,
            seed=experiment.seed,
            channels=experiment.channels,
        )

    @classmethod
    def networks(cls, experiment: Any) -> dict[str, "ConvSpec"]:
        """The three of :func:`variants`, and their :func:`controls`."""
        return variants(experiment) | controls(experiment)

    def build(self, generator: torch.Generator) -> ConvAutoencoder:
        """The network with Glorot-uniform weights.

        Raises:
            ValueError: a VAE with noise in training, or as :class:`ConvAutoencoder`.
        """
        if self.variational and self.noise_level:
            raise ValueError(
                f"noise_level is {self.noise_level} for a VAE; allowed is 0: only the denoising "
                f"autoencoder is trained with noise."
            )
        model = ConvVAE if self.variational else ConvAutoencoder
        return model(self.channels, generator, self.noise_level, self.rectified, self.border)

    @property
    def label(self) -> str:
        """Kind and channels, by which readers know a network."""
        kind = "vae" if self.variational else "dae" if self.noise_level else "cae"
        return f"conv-{kind}-c{self.channels}"


def variants(experiment: Any) -> dict[str, ConvSpec]:
    """The three networks of the companion by name, trained alike."""
    cae = ConvSpec.of(experiment)
    return {
        "CAE": cae,
        "DAE": dataclasses.replace(cae, noise_level=experiment.denoising_level),
        "VAE": dataclasses.replace(cae, variational=True, rectified=False),
    }


def controls(experiment: Any) -> dict[str, ConvSpec]:
    """Networks that differ from one of :func:`variants` in one respect, by name."""
    cae, _, vae = variants(experiment).values()
    return {
        "CAE, linear latents": dataclasses.replace(cae, rectified=False),
        "VAE, rectified mean": dataclasses.replace(vae, rectified=True),
        "CAE, cropped images": dataclasses.replace(cae, border=_CROPPED),
    }
