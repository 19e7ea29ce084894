"""Test images reconstructed by convolutional networks under noise, and how good the result is."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, cast

import numpy as np
import pandas as pd
import torch

from repinf_core import bootstrap
from repinf_core.models.conv import ConvVAE
from repinf_core.noise import corrupt, gaussian, psnr
from repinf_core.profiles import Experiment
from repinf_core.streams import Stream, generator
from repinf_core.studies.convolutional import Convolutional

GAUSSIAN, PIXEL = "Gaussian", "pixel"
"""The kinds of noise: the companion's, and the paper's in the experiment's reading."""
NOISY, SAMPLED = "noisy image", "VAE, sampled"
"""The control, and what the VAE decodes from a sample of z instead of its mean."""

_STREAMS = {
    "images": Stream.VARIANT_IMAGES,
    GAUSSIAN: Stream.VARIANT_GAUSSIAN,
    PIXEL: Stream.VARIANT_PIXELS,
    "samples": Stream.VARIANT_Z,
}
_SHOWN = 5  # noise levels of the examples


class Noise(NamedTuple):
    """A kind of noise.

    Attributes:
        name: :data:`GAUSSIAN` or :data:`PIXEL`.
        levels: standard deviations, or shares p of the pixels.
        add: makes of images ``[n, 784]`` the same ones with noise of a level.
    """

    name: str
    levels: tuple[float, ...]
    add: Callable[[torch.Tensor, float, torch.Generator], torch.Tensor]


class Reconstructed(NamedTuple):
    """What became of images under one kind of noise, by :data:`NOISY`, network and :data:`SAMPLED`.

    Attributes:
        noise: the kind.
        psnr: to the clean image, dB, float64 ``[levels, n]`` each.
        shown: levels of the examples.
        examples: of the first image, ``[shown, 784]`` each.
    """

    noise: Noise
    psnr: Mapping[str, torch.Tensor]
    shown: tuple[float, ...]
    examples: Mapping[str, np.ndarray]


def drawing(experiment: Experiment, what: str, device: str = "cpu") -> torch.Generator:
    """A generator of its own for the choice of images, for each kind of noise, and for z."""
    return generator(experiment.trial_seed, _STREAMS[what], device)


def noises(experiment: Experiment) -> tuple[Noise, Noise]:
    """Both kinds; the Gaussian noise also has the level that the DAE learns to remove."""
    levels = tuple(sorted({*experiment.noise_levels, experiment.denoising_level}))

    def pixel(images: torch.Tensor, p: float, generator: torch.Generator) -> torch.Tensor:
        return corrupt(images, p, generator, experiment.noise)

    return Noise(GAUSSIAN, levels, gaussian), Noise(PIXEL, experiment.p_grid, pixel)


def reconstruct(
    networks: Convolutional, clean: torch.Tensor, noise: Noise, experiment: Experiment
) -> Reconstructed:
    """Decode images with noise of each level; the random numbers are the same at all levels.

    Args:
        networks: the CAE, the DAE and the VAE.
        clean: images ``[n, 784]``, on the CPU.
        noise: of :func:`noises`.
        experiment: its ``trial_seed`` is taken.
    """
    steps = np.linspace(0, len(noise.levels) - 1, _SHOWN)
    shown = tuple(dict.fromkeys(noise.levels[round(step)] for step in steps))
    quality: dict[str, list[torch.Tensor]] = {}
    examples: dict[str, list[torch.Tensor]] = {}
    for level in noise.levels:
        noisy = noise.add(clean, level, drawing(experiment, noise.name))
        decoded = _decoded(networks, noisy, drawing(experiment, "samples", networks.device))
        for name, images in ({NOISY: noisy} | decoded).items():
            quality.setdefault(name, []).append(psnr(images, clean))
            if level in shown:
                examples.setdefault(name, []).append(images[0])
    return Reconstructed(
        noise,
        {name: torch.stack(values) for name, values in quality.items()},
        shown,
        {name: torch.stack(images).numpy() for name, images in examples.items()},
    )


@torch.no_grad()
def _decoded(
    networks: Convolutional, images: torch.Tensor, generator: torch.Generator
) -> dict[str, torch.Tensor]:
    x = images.to(networks.device)
    decoded = {
        name: model.decode_mean(model.encode_mean(x)) for name, model in networks.models.items()
    }
    vae = cast(ConvVAE, networks.models["VAE"])
    decoded[SAMPLED] = vae.decode_mean(vae.sample(x, generator))
    return {name: drawn.cpu() for name, drawn in decoded.items()}


def quality_table(found: Reconstructed, weights: torch.Tensor) -> pd.DataFrame:
    """Rows of ``quality`` of the study.

    Args:
        found: under one kind of noise.
        weights: of the images in each resample, from :func:`repinf_core.bootstrap.resamples`.
    """
    rows = []
    for image, values in found.psnr.items():
        for level, of_level in zip(found.noise.levels, values, strict=True):
            mean = bootstrap.mean(of_level, weights)
            if not np.isfinite(mean.value):
                mean = bootstrap.Estimate(np.nan, np.nan, np.nan)
            rows.append((found.noise.name, image, level, *mean))
    return pd.DataFrame(rows, columns=["noise", "image", "level", "psnr", "low", "high"])


def gain_table(found: Reconstructed, weights: torch.Tensor) -> pd.DataFrame:
    """Rows of ``gains`` of the study; arguments as for :func:`quality_table`."""
    differences = found.psnr["DAE"] - found.psnr["CAE"]
    rows = [
        (found.noise.name, level, *bootstrap.mean(of_level, weights))
        for level, of_level in zip(found.noise.levels, differences, strict=True)
    ]
    return pd.DataFrame(rows, columns=["noise", "level", "difference", "low", "high"])
