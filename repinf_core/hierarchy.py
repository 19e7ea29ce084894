"""How close trajectories come to the memory, the concept and the abstract concept (Fig. 4).

The three classes of centres, from detailed to coarse (Results, "Relationship between data
hierarchy and inference").
"""

from typing import Any, NamedTuple

import torch

from repinf_core.data import LabelledImages, draw_trials, swap_pixels
from repinf_core.geometry import abstract_concept, concepts, distance_to
from repinf_core.rollout import Autoencoder, Rollout, rollout

CLASSES = ("memory", "concept", "abstract concept")


def infer(
    model: Autoencoder,
    train: LabelledImages,
    memories: torch.Tensor,
    experiment: Any,
    p: float,
) -> tuple[torch.Tensor, Rollout]:
    """Repeated inference from noisy images of one label, with the distances to its centres.

    The same seed gives the same images at every ``p``, and a pixel selected at one ``p`` is
    selected at every larger one.

    Args:
        model: on the device of ``memories``.
        train: the training set, on the CPU.
        memories: of the whole training set, ``[N, N_z]``.
        experiment: what is taken of it (any object with these attributes) are the ``label`` of
            the images, how many ``trials_per_p``, the ``steps``, the ``noise`` and its
            ``trial_seed``.
        p: noise fraction.

    Returns:
        indices of the images, ``[trials]``; the rollout, which observed ``"z"`` and the
        distance to each of :data:`CLASSES`, ``[T+1, trials]``.
    """
    label, trials = experiment.label, experiment.trials_per_p
    generator = torch.Generator().manual_seed(experiment.trial_seed)
    rows = draw_trials(train.labels, label, trials, generator)
    x0 = swap_pixels(train.images[rows], p, generator, experiment.noise)
    centres = concepts(memories, train.labels.to(memories.device))
    targets = (
        memories[rows.to(memories.device)],
        centres[label].expand(trials, -1),
        abstract_concept(centres).expand(trials, -1),
    )
    observe = {name: distance_to(t) for name, t in zip(CLASSES, targets, strict=True)}
    observe["z"] = lambda z, _: z
    return rows, rollout(model, x0.to(memories.device), experiment.steps, observe)


class Closest(NamedTuple):
    """Where trajectories come closest to each of :data:`CLASSES`, in float64.

    Attributes:
        distance: min_t ||z(t) - xi||, Euclidean.
        step: the t at which it is reached.
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
    at_each = [nearest(infer(model, train, memories, experiment, p)[1]) for p in experiment.p_grid]
    return Closest(*(torch.stack(values, 1) for values in zip(*at_each, strict=True)))


def mean_and_two_sem(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean over the last axis, the trials, and two standard errors of it (the bars of Fig. 4)."""
    return values.mean(-1), 2 * values.std(-1) / values.shape[-1] ** 0.5
