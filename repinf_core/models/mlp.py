r"""The variational autoencoder of the paper and its objective (Methods; preprint Eqs. 1-5).

.. math::
    h = \tanh(W_1 x + b_1), \quad (\mu, \log\sigma^2) = W_2 h + b_2, \quad
    z = \mu + \sigma \odot \epsilon, \\
    h' = \tanh(W_3 z + b_3), \quad E_{p(x|z)}[x] = \operatorname{sigmoid}(W_4 h' + b_4)

with 784 pixels, 1,024 hidden units and N_z latents, a standard normal prior and a Bernoulli
likelihood on grey values in [0, 1].
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from repinf_core.geometry import active_latents
from repinf_core.models.base import Model, Spec


class VAE(Model):
    """Encoder 784-1024(tanh)-[mu, log sigma^2] and decoder N_z-1024(tanh)-784(sigmoid).

    Weights are Glorot-uniform and biases zero, as in Keras, which the paper used.

    Args:
        n_z: number of latent variables.
        n_hidden: units of each hidden layer.
        generator: generator of the initial weights, on the CPU.
        n_pixels: pixels of an image; small images make the tests of derivatives fast.
        beta: weight of the KL term in :meth:`loss`.
        n_samples: samples L of z per image in :meth:`loss`.
    """

    def __init__(
        self,
        n_z: int,
        n_hidden: int,
        generator: torch.Generator,
        n_pixels: int = 784,
        beta: float = 1.0,
        n_samples: int = 2,
    ) -> None:
        super().__init__()
        self.n_z, self.beta, self.n_samples = n_z, beta, n_samples
        self.encoder_hidden = nn.Linear(n_pixels, n_hidden)
        self.encoder_out = nn.Linear(n_hidden, 2 * n_z)  # rows: mu, then log sigma^2
        self.decoder_hidden = nn.Linear(n_z, n_hidden)
        self.decoder_out = nn.Linear(n_hidden, n_pixels)
        layers = self.encoder_hidden, self.encoder_out, self.decoder_hidden, self.decoder_out
        for layer in layers:
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            nn.init.zeros_(layer.bias)

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Images ``[..., 784]`` to ``(mu, log sigma^2)`` of q(z|x), each ``[..., N_z]``."""
        return self.encoder_out(torch.tanh(self.encoder_hidden(x))).split(self.n_z, dim=-1)

    def encode_mean(self, x: torch.Tensor) -> torch.Tensor:
        """z(t) = E_q(z|x)[z] = mu(x), images ``[..., 784]`` to ``[..., N_z]`` (preprint Eq. 7)."""
        hidden = torch.tanh(self.encoder_hidden(x))
        return F.linear(
            hidden, self.encoder_out.weight[: self.n_z], self.encoder_out.bias[: self.n_z]
        )

    def decode_logits(self, z: torch.Tensor) -> torch.Tensor:
        """Latents ``[..., N_z]`` to the logits ``[..., 784]`` of the Bernoulli pixels."""
        return self.decoder_out(torch.tanh(self.decoder_hidden(z)))

    def decode_mean(self, z: torch.Tensor) -> torch.Tensor:
        """x(t+1) = E_p(x|z)[x], latents ``[..., N_z]`` to ``[..., 784]`` (preprint Eq. 6)."""
        return torch.sigmoid(self.decode_logits(z))

    def loss(
        self, x: torch.Tensor, generator: torch.Generator, labels: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        """-ELBO and its two terms, with L samples of z for each image (preprint Eq. 5)."""
        shape = (self.n_samples, len(x), self.n_z)
        epsilon = torch.randn(shape, generator=generator, device=x.device)
        return dict(zip(TERMS, negative_elbo(self, x, epsilon, self.beta), strict=True))

    def floor(self, x: torch.Tensor) -> dict[str, float]:
        """Lower bound of the reconstruction, from :func:`reconstruction_floor`."""
        return {"reconstruction": float(reconstruction_floor(x))}

    @torch.no_grad()
    def scores(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
        """Number of latents that are active on these images."""
        means = torch.cat([self.encode_mean(part) for part in x.split(1000)])
        return {"active_latents": int(active_latents(means).sum())}


@dataclass(frozen=True, kw_only=True)
class VAESpec(Spec):
    """Spec of the paper's network; the defaults are the paper's.

    Attributes:
        n_z: number of latent variables.
        n_hidden: units of each hidden layer.
        beta: weight of the KL term.
        n_samples: samples L of z per image in training.
    """

    family: ClassVar[str] = "vae"

    n_z: int = 100
    n_hidden: int = 1024
    beta: float = 1.0
    n_samples: int = 2

    def build(self, generator: torch.Generator) -> VAE:
        """The network with Glorot-uniform weights."""
        return VAE(self.n_z, self.n_hidden, generator, beta=self.beta, n_samples=self.n_samples)

    @property
    def label(self) -> str:
        """Family and N_z, by which readers know a network."""
        return f"{self.family}-nz{self.n_z}"


TERMS = ("negative_elbo", "kl", "reconstruction")
"""Names of the fields of an :class:`Objective`, in their order."""


class Objective(NamedTuple):
    """Means over images, in nats per image; ``total`` = beta * ``kl`` + ``reconstruction``."""

    total: torch.Tensor
    kl: torch.Tensor
    reconstruction: torch.Tensor


def kl_divergence(mu: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """KL(N(mu, sigma^2) || N(0, 1)), ``[..., N_z]`` to ``[...]``, in nats (preprint Eq. 5)."""
    return 0.5 * (log_variance.exp() + mu.square() - 1 - log_variance).sum(-1)


def bernoulli_nll(logits: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """-log p(x|z) of Bernoulli pixels, summed: ``[..., 784]`` to ``[...]``, in nats.

    It uses logits, so that nothing is clamped; x in [0, 1] is not binarised.
    """
    return (F.softplus(logits) - x * logits).sum(-1)


def reconstruction_floor(x: torch.Tensor) -> torch.Tensor:
    """Lower bound of the reconstruction term, mean over images ``[N, 784]``, in nats per image.

    A grey pixel costs at least its own binary entropy, whatever the decoder's output.  A
    reconstruction term below this bound (45.5 on MNIST's test images, 189.9 on Fashion-MNIST's) is
    a bug.
    """
    return -(torch.xlogy(x, x) + torch.xlogy(1 - x, 1 - x)).sum(-1).mean()


def negative_elbo(model: VAE, x: torch.Tensor, epsilon: torch.Tensor, beta: float) -> Objective:
    """-ELBO = beta KL(q(z|x) || N(0, I)) + E_q[-log p(x|z)], in nats per image (preprint Eq. 5).

    Args:
        x: images ``[B, 784]``.
        epsilon: standard normal numbers ``[L, B, N_z]``, for L samples of z per image.
        beta: weight of the KL term; 1 in the text of the paper.
    """
    mu, log_variance = map(_unrounded, model.encode(x))
    z = mu + (0.5 * log_variance).exp() * epsilon
    kl = kl_divergence(mu, log_variance).mean()
    reconstruction = bernoulli_nll(_unrounded(model.decode_logits(z)), x).mean()
    return Objective(beta * kl + reconstruction, kl, reconstruction)


def negative_elbo_of_images(model: VAE, x: torch.Tensor, epsilon: torch.Tensor) -> torch.Tensor:
    """-ELBO of each image, the bound itself with the KL term at weight 1, in nats (preprint Eq. 5).

    Args:
        x: images ``[B, 784]``.
        epsilon: as in :func:`negative_elbo`, ``[L, B, N_z]``.

    Returns:
        ``[B]``, means over the L samples.
    """
    mu, log_variance = model.encode(x)
    z = mu + (0.5 * log_variance).exp() * epsilon
    nll = bernoulli_nll(model.decode_logits(z), x).mean(0)
    return kl_divergence(mu, log_variance) + nll


def _unrounded(values: torch.Tensor) -> torch.Tensor:
    """float32 for values that a bfloat16 product returns, so that later steps do not round."""
    return values.float() if values.dtype == torch.bfloat16 else values
