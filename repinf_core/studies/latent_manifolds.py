"""Are the VAE's latents on a smooth manifold, and those of CAE and DAE not?  (arXiv:2412.04755)"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch

from repinf_core import geometry
from repinf_core.models.conv import controls, variants
from repinf_core.profiles import Experiment
from repinf_core.studies import convolutional, rank_controls, ranks_in_words
from repinf_core.studies.latent_subspaces import (
    EPSILONS,
    fixed_rank_subspaces,
    subspaces,
    turning,
)
from repinf_core.studies.latent_tensors import (
    Inputs,
    Readout,
    Spectra,
    distribution,
    readouts,
    spectra,
    spread,
)
from repinf_core.studies.study import Study, stacked

ONE_DRAW = "VAE one draw"
"""The VAE's sampled z with the same random numbers at every noise level."""


@dataclass(frozen=True)
class LatentManifolds(Study):
    """Ranks of the latent tensors' covariances, and their subspaces in a Hilbert space.

    The ``network`` is CAE, DAE, VAE mean or VAE sampled.  The ``factor`` is S1 (rows), S2 (columns)
    or S3 (channels).  A ``multiple`` multiplies numpy's default tolerance of a rank, or
    ``log_epsilon``.

    Attributes:
        ranks: at numpy's default tolerance, a row for each ``network``, noise ``level`` and factor:
            the columns of :func:`repinf_core.studies.latent_tensors.distribution`, and the largest
            rank that a tensor of this shape can have (``bound``).
        effective: a row for each ``condition`` and factor: the
            :func:`repinf_core.studies.latent_tensors.spread` of effective ranks of clean images.
        tolerances: a row for each ``condition``, ``scope`` (of ``ranks_in_words.SCOPES``), factor
            and multiple of the tolerance: the columns likewise for ranks.
        controls: of :func:`repinf_core.studies.rank_controls.summary`, a row for each condition.
        reported: a row for each network but VAE sampled and factor: the ranks as ``reported`` of
            the companion, those of ``clean`` images here and those ``with_noise`` of any level.
        ties: a row for each condition and pair of the number of ``distinct`` places of a clean
            image's latent tensor and the ``rank`` of its S3: the number of ``images``, and the
            largest rank that so many places leave (``bound``).
        subspaces: of :func:`repinf_core.studies.latent_subspaces.subspaces`, by network, and for
            the sampled z with the same random numbers at every noise level (:data:`ONE_DRAW`).
        turning: of :func:`repinf_core.studies.latent_subspaces.turning`, a row for each network.
        fixed_rank: of :func:`repinf_core.studies.latent_subspaces.fixed_rank_subspaces`, for
            networks whose ranks are equal for all images and noise levels.
        active: how many channels of each network are active, in a sentence.
    """

    ranks: pd.DataFrame
    effective: pd.DataFrame
    tolerances: pd.DataFrame
    controls: pd.DataFrame
    reported: pd.DataFrame
    ties: pd.DataFrame
    subspaces: pd.DataFrame
    turning: pd.DataFrame
    fixed_rank: pd.DataFrame
    active: str


def run(experiment: Experiment, device: str | None = None) -> LatentManifolds:
    """Compute latent tensors under noise, the ranks of their covariances, and their subspaces.

    The networks are trained on ``device``; their latents are computed on the CPU, where exact ties
    stay exact.

    Args:
        experiment: of it ``manifold_images``, ``noise_levels``, ``log_epsilon`` and ``trial_seed``
            are taken, and all that names the networks.
        device: as in :func:`repinf_core.studies.convolutional.trained`, whose errors it raises.
    """
    specs = variants(experiment)
    trained = convolutional.trained(experiment, device, specs | controls(experiment))
    models = {name: model.cpu().eval() for name, model in trained.models.items()}
    four = readouts({name: models[name] for name in specs})
    generator = torch.Generator().manual_seed(experiment.trial_seed)
    inputs = _inputs(experiment, trained.test.images, generator)
    conditions = rank_controls.conditions(
        four,
        {name: Readout(model) for name, model in models.items() if name not in specs},
        readouts(convolutional.untrained(specs, "cpu")),
        inputs,
        generator,
    )
    tables = _by_condition(conditions, four)
    tolerances = _together(tables, "tolerances", "condition")
    effective = _together(tables, "effective", "condition")
    ties = _together(tables, "ties", "condition")
    by_network = {name: tables[name] for name in four}
    one_draw = {ONE_DRAW: four["VAE sampled"]._replace(redrawn=False)}
    turned = {
        name: subspaces(of, inputs, experiment.log_epsilon)
        for name, of in (four | one_draw).items()
    }
    of_subspaces = stacked(turned, "network")
    fixed_rank = stacked({name: of["fixed_rank"] for name, of in by_network.items()}, "network")
    numbers: dict[str, Any] = {
        "conv_epochs_trained": trained.epochs,
        "images": len(inputs.images),
        "channels": experiment.channels,
        "active_channels": {
            name: _active_channels(next(inputs.latents(of))) for name, of in four.items()
        },
        "noise_levels": list(inputs.levels),
        "reported": ranks_in_words.REPORTED,
        "ranks": {
            str(name): rank_controls.numbers(of)
            for name, of in tolerances.groupby("condition", sort=False)
        },
        "share_left_by_ties": {
            str(name): rank_controls.share_left_by_ties(of)
            for name, of in ties.groupby("condition", sort=False)
        },
        "angles": _angles(turned),
    }
    return LatentManifolds(
        experiment=experiment,
        device=trained.device,
        numbers=numbers,
        finding=ranks_in_words.finding(experiment, numbers),
        active=ranks_in_words.active(numbers),
        ranks=_together(by_network, "ranks", "network"),
        effective=effective,
        tolerances=tolerances,
        controls=rank_controls.summary(tolerances, effective, ties),
        reported=ranks_in_words.beside_reported(numbers["ranks"]),
        ties=ties,
        subspaces=of_subspaces,
        turning=turning(of_subspaces, fixed_rank),
        fixed_rank=fixed_rank,
    )


def _inputs(experiment: Experiment, images: torch.Tensor, generator: torch.Generator) -> Inputs:
    rows = torch.randperm(len(images), generator=generator)[: experiment.manifold_images]
    noise_seed, z_seed = torch.randint(2**31, (2,), generator=generator).tolist()
    return Inputs(images[rows], sorted({0.0, *experiment.noise_levels}), noise_seed, z_seed)


def _by_condition(
    conditions: Mapping[str, tuple[Readout, Inputs]], four: Iterable[str]
) -> dict[str, dict[str, pd.DataFrame]]:
    """The tables of each condition by name, more of them for the ``four`` networks."""
    found = {}
    for name, (readout, inputs) in conditions.items():
        of = spectra(readout, inputs)
        effective = of.effective_ranks().items()
        clean = next(inputs.latents(readout))
        found[name] = {
            "tolerances": rank_controls.tolerances(of),
            "effective": pd.DataFrame(
                [{"factor": factor, **spread(ranks[0])} for factor, ranks in effective]
            ),
            "ties": rank_controls.ties(clean, of.ranks()["S3"][0]),
        }
        if name in four:
            found[name] |= _of_network(readout, inputs, of)
    return found


def _of_network(readout: Readout, inputs: Inputs, of: Spectra) -> dict[str, pd.DataFrame]:
    ranks = of.ranks()
    channels, rows, columns = readout.model.latent_shape
    bounds = {
        "S1": min(rows, channels * columns - 1),
        "S2": min(columns, channels * rows - 1),
        "S3": min(channels, rows * columns - 1),
    }
    table = pd.DataFrame(
        [
            {"level": level, "factor": factor, **distribution(of_factor[i])}
            for i, level in enumerate(inputs.levels)
            for factor, of_factor in ranks.items()
        ]
    )
    return {
        "ranks": table.assign(bound=table.factor.map(bounds)),
        "fixed_rank": fixed_rank_subspaces(readout, inputs, ranks),
    }


def _active_channels(latents: torch.Tensor) -> int:
    """Number of channels with an active latent variable; of latents ``[n, c, h, w]``."""
    return int(geometry.active_latents(latents.flatten(1)).view(latents.shape[1], -1).any(1).sum())


def _angles(turned: Mapping[str, pd.DataFrame]) -> dict[str, dict[str, dict[str, Any]]]:
    """Mean principal angles in degrees, by multiple of epsilon and network; None if missing."""
    found: dict[str, dict[str, dict[str, Any]]] = {f"{multiple:g}": {} for multiple in EPSILONS}
    for network, table in turned.items():
        for multiple, of in table.groupby("multiple"):
            same = of[of.images == "same"].mean_angle
            (halves,) = of[of.images == "other half"].mean_angle
            found[f"{multiple:g}"][network] = {
                "same": [_plain(angle) for angle in same],
                "halves": _plain(halves),
            }
    return found


def _plain(value: float) -> float | None:
    return None if pd.isna(value) else float(value)


def _together(
    tables: Mapping[str, Mapping[str, pd.DataFrame]], name: str, column: str
) -> pd.DataFrame:
    return stacked({key: of[name] for key, of in tables.items()}, column)
