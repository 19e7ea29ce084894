"""How close trajectories come to the memory, the concept and the abstract concept (Figs. 3, 4).

The three landmarks are ordered from detailed to coarse (Results, "Relationship between data
hierarchy and inference").
"""

from typing import Any, NamedTuple

import torch

from repinf_core.data import LabelledImages
from repinf_core.dynamics.rollout import rollout
from repinf_core.geometry import (
    abstract_concept,
    chord_distances,
    concepts,
    distance,
    distance_to,
)
from repinf_core.models import Autoencoder
from repinf_core.noise import noisy_trials

LANDMARKS = ("memory", "concept", "abstract concept")


def by_group(values: torch.Tensor, n_groups: int) -> torch.Tensor:
    """Reshape ``[T+1, groups * trials]`` to ``[groups, T+1, trials]``, on the CPU.

    A group is a label or a noise fraction; its trials are adjacent.
    """
    return values.unflatten(1, (n_groups, -1)).movedim(1, 0).cpu()


def to_concepts(
    model: Autoencoder,
    train: LabelledImages,
    concepts: torch.Tensor,
    experiment: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Euclidean distance to the label's concept over time (Fig. 3a; journal Eq. 7).

    Args:
        model: on the device of ``concepts``.
        train: the training set, on the CPU.
        concepts: concepts of the labels, ``[K, N_z]``.
        experiment: any object with the attributes ``trials`` (per label), ``p``, ``noise``,
            ``trial_seed`` and ``steps``.

    Returns:
        distances of z(t), and of the chord from z(0) to z(T), ``[K, T+1, trials]`` each.
    """
    labels, steps = len(concepts), experiment.steps
    rows, x0 = noisy_trials(
        train, range(labels), experiment.trials, experiment.p, experiment.noise,
        experiment.trial_seed,
    )  # fmt: skip
    target = concepts[train.labels[rows].to(concepts.device)]
    ran = rollout(model, x0.to(concepts.device), steps, {"concept": distance_to(target)})
    chord = chord_distances(ran.z_first, ran.z_last, target, steps)
    return by_group(ran.observed["concept"], labels), by_group(chord, labels)


class ClosestApproach(NamedTuple):
    """Where trajectories come closest to some targets, in float64 on the CPU.

    Attributes:
        distance: min_t ||z(t) - xi||, Euclidean, ``[targets, ...]``.
        step: the first t with this distance, in steps, ``[targets, ...]``.
    """

    distance: torch.Tensor
    step: torch.Tensor


def closest_approach(
    model: Autoencoder, x0: torch.Tensor, targets: torch.Tensor, steps: int
) -> ClosestApproach:
    """The closest approach of each trial to each of its targets over t = 0 ... T.

    Args:
        model: on the device of ``x0``.
        x0: initial images x(0), ``[trials, 784]``.
        targets: points of latent space xi, ``[targets, trials, N_z]``.
        steps: T.

    Returns:
        distances and steps, ``[targets, trials]`` each.
    """
    observe = {"distances": lambda x, z, trials: distance(z, targets[:, trials]).T}
    nearest = rollout(model, x0, steps, observe).observed["distances"].min(0)
    return ClosestApproach(nearest.values.T.double().cpu(), nearest.indices.T.double().cpu())


def trials_by_noise(
    train: LabelledImages, label: int, trials: int, experiment: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """Noisy images of one label at every noise fraction of the grid, for one common rollout.

    Args:
        train: the images to draw from.
        label: label of the images.
        trials: number of images drawn; they are the same for every p, as in
            :func:`~repinf_core.noise.noisy_trials`.
        experiment: any object with the attributes ``p_grid``, ``noise`` and ``trial_seed``.

    Returns:
        indices of the clean images, ``[trials]``; x(0), ``[P * trials, 784]``, ordered by p.
    """
    drawn = [
        noisy_trials(train, [label], trials, p, experiment.noise, experiment.trial_seed)
        for p in experiment.p_grid
    ]
    return drawn[0][0], torch.cat([x0 for _, x0 in drawn])


def closest_approach_by_noise(
    model: Autoencoder,
    train: LabelledImages,
    memories: torch.Tensor,
    experiment: Any,
) -> ClosestApproach:
    """The closest approach to each of :data:`LANDMARKS` at every p of the ``p_grid`` (Fig. 4).

    Args:
        model: on the device of ``memories``.
        train: the training set, on the CPU.
        memories: memories of the whole training set, ``[N, N_z]`` (preprint Eq. 9).
        experiment: any object with the attributes ``label`` (of the images), ``trials_per_p``,
            ``steps`` (T), ``p_grid``, ``noise`` and ``trial_seed``.

    Returns:
        distances and steps, ``[3, P, trials]`` each.
    """
    device, n_p = memories.device, len(experiment.p_grid)
    rows, x0 = trials_by_noise(train, experiment.label, experiment.trials_per_p, experiment)
    own, centres = memories[rows.to(device)], concepts(memories, train.labels.to(device))
    landmarks = (
        own,
        centres[experiment.label].expand_as(own),
        abstract_concept(centres).expand_as(own),
    )
    targets = torch.stack(landmarks).repeat(1, n_p, 1)
    found = closest_approach(model, x0.to(device), targets, experiment.steps)
    return ClosestApproach(*(values.unflatten(1, (n_p, -1)) for values in found))


def mean_and_two_sem(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean over the trials, and two standard errors of it (the bars of Fig. 4).

    Args:
        values: ``[..., trials]``; for a single trial the errors are NaN.

    Returns:
        ``[...]`` each.
    """
    return values.mean(-1), 2 * values.std(-1) / values.shape[-1] ** 0.5
