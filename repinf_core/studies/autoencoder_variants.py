"""What do the CAE, the DAE and the VAE reconstruct from noisy images?  (arXiv:2412.04755.)"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd
import torch

from repinf_core import bootstrap, geometry
from repinf_core.models.conv import ConvAutoencoder, ConvSpec
from repinf_core.noise import gaussian
from repinf_core.profiles import Experiment
from repinf_core.studies import convolutional, latent_places, reconstructions
from repinf_core.studies.convolutional import Convolutional
from repinf_core.studies.reconstructions import GAUSSIAN, NOISY
from repinf_core.studies.study import Study, stacked
from repinf_core.training.run import TrainingRun

_BYTES = 2  # of a weight as it ships
_CHUNK = 1000  # images encoded at once


@dataclass(frozen=True)
class AutoencoderVariants(Study):
    """The tables of the three networks; a PSNR (dB) is that of an image to the clean one.

    Attributes:
        networks: a row for each ``network``: the ``channels`` of its latent tensor and all its
            numbers (``n_z``), how many of these are ``active`` (their variance over the training
            images is above ``geometry.ACTIVE_VARIANCE``), the standard deviation of the noise in
            training (``noise_level``), the ``epochs`` trained, its test ``objective`` and of it the
            ``reconstruction`` and the ``kl`` (missing but for the VAE), the ``floor`` that no
            reconstruction can be below (all in nats per image), its number of ``weights`` and their
            size as they ship (``megabytes``).
        history: a row for each network and ``epoch``: the objective in ``training`` and of the
            ``test`` images (nats per image).
        quality: a row for each ``noise``, ``image`` (:data:`reconstructions.NOISY`, what a network
            decodes from its latent mean, :data:`reconstructions.SAMPLED`) and ``level``: the mean
            ``psnr`` over images, from ``low`` to ``high`` (95%); missing if it is infinite, as
            without noise.  The level is the standard deviation of the Gaussian noise, or the share
            p of the pixels.
        gains: a row for each noise and level: the mean PSNR of the DAE minus that of the CAE
            (``difference``), from ``low`` to ``high`` (95%).
        places: a row for each network, ``method`` (PCA or t-SNE), ``state`` (clean or noisy) and
            image: its ``label``, with its ``name``, and the place of its latent in a plane (``x``,
            ``y``).
        latents: a row for each network, of these images: how far noise moves a latent, relative to
            the mean distance of two clean ones (``displacement``, missing if these are equal); the
            share of noisy latents that are nearest to the clean one of the same image
            (``own_image``); and, the same image left out, the share that are nearest to a clean one
            of the same label, of noisy (``noisy_own_label``) and of clean ones
            (``clean_own_label``).
        levels: of the columns of the examples, in words, by noise.
        examples: of one test image, by noise and by image as in ``quality``: ``[levels, 784]``.
    """

    networks: pd.DataFrame
    history: pd.DataFrame
    quality: pd.DataFrame
    gains: pd.DataFrame
    places: pd.DataFrame
    latents: pd.DataFrame
    levels: dict[str, tuple[str, ...]]
    examples: dict[str, Mapping[str, np.ndarray]]


def run(experiment: Experiment, device: str | None = None) -> AutoencoderVariants:
    """Reconstruct test images under both kinds of noise, and look at the latents.

    Args:
        experiment: of it ``manifold_images``, ``noise_levels``, ``p_grid``, ``noise`` and
            ``trial_seed`` are taken, and all that shapes the networks.
        device: as in :func:`repinf_core.studies.convolutional.trained`, whose errors it raises.
    """
    networks = convolutional.trained(experiment, device)
    images, labels = networks.test
    order = torch.randperm(len(images), generator=reconstructions.drawing(experiment, "images"))
    rows = order[: experiment.manifold_images]
    clean = images[rows]
    found = [
        reconstructions.reconstruct(networks, clean, noise, experiment)
        for noise in reconstructions.noises(experiment)
    ]
    weights = bootstrap.resamples(len(clean), experiment.trial_seed)
    quality, gains = (
        pd.concat([table(one, weights) for one in found], ignore_index=True)
        for table in (reconstructions.quality_table, reconstructions.gain_table)
    )
    level = experiment.denoising_level
    noisy = gaussian(clean, level, reconstructions.drawing(experiment, GAUSSIAN))
    places, latents = latent_places.measured(networks, clean, noisy, labels[rows], experiment)
    as_trained = gains[(gains.noise == GAUSSIAN) & (gains.level == level)]
    return AutoencoderVariants(
        experiment=experiment,
        device=networks.device,
        numbers={
            "conv_epochs_trained": networks.epochs,
            "images": len(clean),
            "levels": {one.noise.name: list(one.noise.levels) for one in found},
            "psnr": _by_noise(quality),
            "dae_minus_cae": as_trained.drop(columns="noise").to_dict("records")[0],
        },
        finding=_finding(quality, level, len(clean)),
        networks=_networks(networks),
        history=_history(networks),
        quality=quality,
        gains=gains,
        places=places,
        latents=latents,
        levels={one.noise.name: tuple(f"{level:g}" for level in one.shown) for one in found},
        examples={one.noise.name: one.examples for one in found},
    )


def _by_noise(quality: pd.DataFrame) -> dict[str, dict[str, list[float | None]]]:
    """Mean PSNR at each level, by noise and image; None where it is infinite."""
    return {
        noise: {
            image: [None if np.isnan(value) else value for value in rows.psnr]
            for image, rows in of_noise.groupby("image", sort=False)
        }
        for noise, of_noise in quality.groupby("noise", sort=False)
    }


def _networks(networks: Convolutional) -> pd.DataFrame:
    rows = []
    for name, run in networks.runs.items():
        spec, model, tested = cast(ConvSpec, run.spec), networks.models[name], run.history[-1].test
        weights = sum(parameter.numel() for parameter in model.parameters())
        rows.append(
            {
                "network": name,
                "channels": spec.channels,
                "n_z": model.n_z,
                "active": _active(model, networks.train.images, networks.device),
                "noise_level": spec.noise_level,
                "epochs": run.epoch,
                "objective": _objective(tested),
                "reconstruction": tested["reconstruction"],
                "kl": tested.get("kl", np.nan),
                "floor": model.floor(networks.test.images)["reconstruction"],
                "weights": weights,
                "megabytes": _BYTES * weights / 1e6,
            }
        )
    return pd.DataFrame(rows)


@torch.no_grad()
def _active(model: ConvAutoencoder, images: torch.Tensor, device: str) -> int:
    """How many latents vary over the images, of which a few are encoded at a time."""
    sums, squares = torch.zeros(2, model.n_z, dtype=torch.float64, device=device)
    for part in images.split(_CHUNK):
        z = model.encode_mean(part.to(device)).double()
        sums += z.sum(0)
        squares += z.square().sum(0)
    variance = squares / len(images) - (sums / len(images)).square()
    return int((variance > geometry.ACTIVE_VARIANCE).sum())


def _history(networks: Convolutional) -> pd.DataFrame:
    tables = {name: _of_run(run) for name, run in networks.runs.items()}
    return stacked(tables, "network")


def _of_run(run: TrainingRun) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "epoch": record.epoch,
            "training": _objective(record.train),
            "test": _objective(record.test),
        }
        for record in run.history
    )


def _objective(terms: Mapping[str, float]) -> float:
    """What training minimises: the first of the terms (a shipped history keeps their order)."""
    return next(iter(terms.values()))


def _finding(quality: pd.DataFrame, level: float, images: int) -> str:
    of_gaussian = quality[quality.noise == GAUSSIAN]
    at, lowest = of_gaussian.set_index(["image", "level"]).psnr, of_gaussian.level.min()

    def best_first(level: float) -> tuple[str, str]:
        of = {name: at[name, level] for name in ("CAE", "DAE", "VAE")}
        order = sorted(of, key=lambda name: -of[name])
        return order[0], ", ".join(f"{name} {of[name]:.1f}" for name in order)

    (best, told), (first, told_first) = best_first(level), best_first(lowest)
    least = f"with {lowest:g}" if lowest else "without noise"
    return (
        f"With Gaussian noise of {level:g} the {best} reconstructs best, {least} the {first}. Mean "
        f"PSNR to the clean image over {images:,} test images, in dB: with {level:g} {told}, and "
        f"the noisy images themselves {at[NOISY, level]:.1f}; {least} {told_first}."
    )
