"""Latent tensors of convolutional networks under noise, and the spectra of their covariances."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch

from repinf_core import noise
from repinf_core.geometry import manifolds
from repinf_core.models.conv import ConvAutoencoder, ConvVAE

FACTORS = ("S1", "S2", "S3")
"""The covariances along rows, columns and channels."""
_AT_ONCE = 2**24  # numbers of the largest covariances that are in memory at a time


class Readout(NamedTuple):
    """A network, and how its latent tensors are read.

    Attributes:
        model: on the CPU.  Its convolutions keep exact ties, those of a GPU need not.
        sampled: whether z is drawn from q(z|x); otherwise it is the mean.
        redrawn: whether each noise level draws its z anew; otherwise all have the same random
            numbers, and z changes with the image alone.
    """

    model: ConvAutoencoder
    sampled: bool = False
    redrawn: bool = True

    def double(self) -> "Readout":
        """The same with a network in float64."""
        return self._replace(model=copy.deepcopy(self.model).double())

    @torch.no_grad()
    def latents(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Images ``[n, 784]`` to latent tensors ``[n, c, h, w]``, in the network's precision.

        Args:
            images: images.
            generator: of the sampled z.
        """
        images = images.to(next(self.model.parameters()).dtype)
        if self.sampled:
            assert isinstance(self.model, ConvVAE)
            z = self.model.sample(images, generator)
        else:
            z = self.model.encode_mean(images)
        return z.unflatten(1, self.model.latent_shape)


def readouts(models: Mapping[str, ConvAutoencoder]) -> dict[str, Readout]:
    """Of each network its latents; of a VAE the mean and a sampled z, by name."""
    found: dict[str, Readout] = {}
    for name, model in models.items():
        if isinstance(model, ConvVAE):
            found |= {f"{name} mean": Readout(model), f"{name} sampled": Readout(model, True)}
        else:
            found[name] = Readout(model)
    return found


class Inputs(NamedTuple):
    """Clean images, and what makes noisy ones of them.

    Attributes:
        images: ``[n, 784]``.
        levels: standard deviations of the noise, increasing; the first is 0.
        noise_seed: of the noise, the same at each level but for its size.
        z_seed: of the sampled z.
    """

    images: torch.Tensor
    levels: Sequence[float]
    noise_seed: int
    z_seed: int

    def noisy(self, level: float) -> torch.Tensor:
        """The images with Gaussian noise of one level."""
        generator = torch.Generator().manual_seed(self.noise_seed)
        return noise.gaussian(self.images, level, generator)

    def latents(self, readout: Readout) -> Iterator[torch.Tensor]:
        """Latent tensors ``[n, c, h, w]`` at each level."""
        generator = torch.Generator().manual_seed(self.z_seed)
        for level in self.levels:
            if not readout.redrawn:
                generator.manual_seed(self.z_seed)
            parts = self.noisy(level).split(1000)
            yield torch.cat([readout.latents(part, generator) for part in parts])


class Spectra(NamedTuple):
    """Eigenvalues of the covariances of every image at every noise level.

    Attributes:
        values: by factor, ``[levels, n, d]`` float64, largest first.
        epsilon: the rounding unit of the precision in which the covariances were computed.
    """

    values: dict[str, torch.Tensor]
    epsilon: float

    def ranks(self, multiple: float = 1) -> dict[str, torch.Tensor]:
        """By factor, ranks ``[levels, n]`` at a multiple of numpy's default tolerance."""
        return {
            factor: manifolds.rank_of_spectrum(values, multiple * values.shape[-1] * self.epsilon)
            for factor, values in self.values.items()
        }

    def effective_ranks(self) -> dict[str, torch.Tensor]:
        """By factor, effective ranks ``[levels, n]``."""
        return {factor: manifolds.effective_rank(values) for factor, values in self.values.items()}


def spectra(readout: Readout, inputs: Inputs) -> Spectra:
    """Eigenvalues of S1, S2 and S3 of every image at every noise level."""
    by_level = []
    for latents in inputs.latents(readout):
        epsilon = torch.finfo(latents.dtype).eps
        at_once = max(1, _AT_ONCE // max(latents.shape[1:]) ** 2)
        parts = [manifolds.mode_covariances(part) for part in latents.split(at_once)]
        by_level.append(
            [torch.cat([manifolds.eigenvalues(s) for s in of]) for of in zip(*parts, strict=True)]
        )
    of_factors = zip(*by_level, strict=True)
    values = {f: torch.stack(of) for f, of in zip(FACTORS, of_factors, strict=True)}
    return Spectra(values, epsilon)


def spread(values: torch.Tensor) -> dict[str, float]:
    """Smallest, quartiles and largest of values ``[m]``.

    Returns:
        ``min``, ``lower`` quartile, ``median``, ``upper`` quartile, ``max``.
    """
    quartiles = torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)
    lower, median, upper = torch.quantile(values.double(), quartiles).tolist()
    return {
        "min": values.min().item(),
        "lower": lower,
        "median": median,
        "upper": upper,
        "max": values.max().item(),
    }


def distribution(ranks: torch.Tensor) -> dict[str, float]:
    """Ranks ``[m]`` of images in a few numbers.

    Returns:
        beside their :func:`spread` the ``most_frequent`` rank, the ``share`` of images that have
        it, and whether all have it (``fixed``).
    """
    values, counts = ranks.unique(return_counts=True)
    return spread(ranks) | {
        "most_frequent": int(values[counts.argmax()]),
        "share": float(counts.max() / len(ranks)),
        "fixed": len(values) == 1,
    }
