"""How close trajectories come to the memory, the concept and the abstract concept (Figs. 3, 4).

The three classes of centres, from detailed to coarse (Results, "Relationship between data
hierarchy and inference").
"""

from typing import Any, NamedTuple

import torch

from repinf_core.data import LabelledImages
from repinf_core.dynamics.rollout import Autoencoder, Rollout, rollout
from repinf_core.geometry import (
    abstract_concept,
    concepts,
    distance_to,
    interpolation_distances,
)
from repinf_core.noise import noisy_trials

CLASSES = ("memory", "concept", "abstract concept")


def by_label(values: torch.Tensor, n_labels: int) -> torch.Tensor:
    """``[T+1, labels * trials]`` to ``[labels, T+1, trials]``, on the CPU."""
    return values.unflatten(1, (n_labels, -1)).movedim(1, 0).cpu()


def to_concepts(
    model: Autoencoder,
    train: LabelledImages,
    concepts: torch.Tensor,
    experiment: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Distance to the concept over time, of all labels (Fig. 3a).

    Args:
        model: on the device of ``concepts``.
        train: the training set, on the CPU.
        concepts: of the labels, ``[K, N_z]``.
        experiment: what is taken of it (any object with these attributes) are ``trials`` per
            label, ``p``, ``noise``, ``trial_seed`` and ``steps``.

    Returns:
        distances of z(t), and of the synthetic linear interpolation, ``[K, T+1, trials]`` each.
    """
    labels, steps = len(concepts), experiment.steps
    rows, x0 = noisy_trials(
        train, range(labels), experiment.trials, experiment.p, experiment.noise,
        experiment.trial_seed,
    )  # fmt: skip
    target = concepts[train.labels[rows].to(concepts.device)]
    ran = rollout(model, x0.to(concepts.device), steps, {"concept": distance_to(target)})
    line = interpolation_distances(ran.z_first, ran.z_last, target, steps)
    return by_label(ran.observed["concept"], labels), by_label(line, labels)


def infer(
    model: Autoencoder,
    train: LabelledImages,
    memories: torch.Tensor,
    experiment: Any,
    p: float,
    keep_z: bool = True,
) -> tuple[torch.Tensor, Rollout]:
    """Repeated inference from noisy images of one label, with the distances to its centres.

    Args:
        model: on the device of ``memories``.
        train: the training set, on the CPU.
        memories: of the whole training set, ``[N, N_z]``.
        experiment: what is taken of it (any object with these attributes) are the ``label`` of
            the images, how many ``trials_per_p``, the ``steps``, the ``noise`` and its
            ``trial_seed``, as in :func:`~repinf_core.noise.noisy_trials`.
        p: noise fraction.
        keep_z: whether z(t) is observed too, N_z numbers for each trial and step.

    Returns:
        indices of the images, ``[trials]``; the rollout, which observed the distance to each of
        :data:`CLASSES`, ``[T+1, trials]``, and with ``keep_z`` ``"z"``.
    """
    label, trials = experiment.label, experiment.trials_per_p
    rows, x0 = noisy_trials(train, [label], trials, p, experiment.noise, experiment.trial_seed)
    centres = concepts(memories, train.labels.to(memories.device))
    targets = (
        memories[rows.to(memories.device)],
        centres[label].expand(trials, -1),
        abstract_concept(centres).expand(trials, -1),
    )
    observe = {name: distance_to(t) for name, t in zip(CLASSES, targets, strict=True)}
    if keep_z:
        observe["z"] = lambda z, _: z
    return rows, rollout(model, x0.to(memories.device), experiment.steps, observe)


class Closest(NamedTuple):
    """Where trajectories come closest to each of :data:`CLASSES`, in float64.

    Attributes:
        distance: min_t ||z(t) - xi||, Euclidean, ``[3, ...]``.
        step: the t at which it is first reached, in steps, likewise.
    """

    distance: torch.Tensor
    step: torch.Tensor


def nearest(ran: Rollout) -> Closest:
    """Of a rollout of :func:`infer`: where it comes closest, ``[3, trials]`` each."""
    found = [ran.observed[name].min(0) for name in CLASSES]
    return Closest(
        torch.stack([at.values for at in found]).double().cpu(),
        torch.stack([at.indices for at in found]).double().cpu(),
    )


def closest(
    model: Autoencoder,
    train: LabelledImages,
    memories: torch.Tensor,
    experiment: Any,
) -> Closest:
    """The closest approach at every p of the ``p_grid``, ``[3, P, trials]`` each.

    Arguments as for :func:`infer`.
    """
    at_each = []
    for p in experiment.p_grid:
        _, ran = infer(model, train, memories, experiment, p, keep_z=False)
        at_each.append(nearest(ran))
    return Closest(*(torch.stack(values, 1) for values in zip(*at_each, strict=True)))


def mean_and_two_sem(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean over the trials, and two standard errors of it (the bars of Fig. 4).

    Args:
        values: ``[..., trials]``; of a single trial the errors are NaN.

    Returns:
        ``[...]`` each.
    """
    return values.mean(-1), 2 * values.std(-1) / values.shape[-1] ** 0.5
