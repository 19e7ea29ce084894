"""Geometry of the latent space: memories, concepts, distances, orthogonality, dimension.

Functions of latent arrays only.  Distances are Euclidean, in the units of z.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch

ACTIVE_VARIANCE = 0.01


def concepts(memories: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Concept of each label: the mean of its memories (preprint Eq. 8).

    Args:
        memories: ``[N, N_z]``, mu of every clean training image.
        labels: ``[N]``, 0 to K - 1, each at least once.

    Returns:
        ``[K, N_z]``, in the dtype of ``memories`` (summed in float64).
    """
    counts = torch.bincount(labels)
    if bool((counts == 0).any()):
        raise ValueError(f"Label {int(counts.argmin())} has no memory; every label needs one.")
    sums = memories.new_zeros(len(counts), memories.shape[1], dtype=torch.float64)
    sums.index_add_(0, labels, memories.double())
    return (sums / counts[:, None]).to(memories.dtype)


def abstract_concept(concepts: torch.Tensor) -> torch.Tensor:
    """The mean of the concepts ``[K, N_z]``: ``[N_z]`` (journal Eq. 8)."""
    return concepts.mean(0)


def distance(z: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """||z - target||_2 over the last axis (journal Eq. 7; preprint Eq. 10)."""
    return torch.linalg.vector_norm(z - target, dim=-1)


def distance_to(targets: torch.Tensor) -> Callable[[torch.Tensor, slice], torch.Tensor]:
    """Observable of a rollout: the distance of each trial to its own row of ``targets``.

    Args:
        targets: ``[trials, N_z]``.
    """
    return lambda z, trials: distance(z, targets[trials])


def interpolation_distances(
    z_first: torch.Tensor, z_last: torch.Tensor, target: torch.Tensor, steps: int
) -> torch.Tensor:
    """Distances along the "synthetic linear interpolation" from z(0) to z(T), the control.

    Args:
        z_first: z(0), ``[trials, N_z]``.
        z_last: z(T), ``[trials, N_z]``.
        target: ``[N_z]`` or ``[trials, N_z]``.
        steps: T; the straight line is followed at constant speed, t = 0 ... T.

    Returns:
        ``[T+1, trials]``.
    """
    fractions = torch.linspace(0, 1, steps + 1, dtype=z_first.dtype, device=z_first.device)
    return torch.stack([distance(torch.lerp(z_first, z_last, s), target) for s in fractions])


def segment_distance(
    z_first: torch.Tensor, z_last: torch.Tensor, target: torch.Tensor
) -> torch.Tensor:
    """Smallest distance of the straight segment from z(0) to z(T) to ``target``, exactly.

    Args:
        z_first: ``[trials, N_z]``.
        z_last: ``[trials, N_z]``.
        target: ``[N_z]`` or ``[trials, N_z]``.

    Returns:
        ``[trials]``.
    """
    along = z_last - z_first
    length2 = along.square().sum(-1)
    projected = ((target - z_first) * along).sum(-1)
    fraction = (projected / length2.clamp_min(torch.finfo(along.dtype).tiny)).clamp(0, 1)
    return distance(z_first + fraction[..., None] * along, target)


class Approach(NamedTuple):
    """Whether curves approach their target, and where each is closest; shapes ``[...]``.

    Attributes:
        approaches: bool.
        step: time of the minimum, in steps.
        minimum: smallest distance.
    """

    approaches: torch.Tensor
    step: torch.Tensor
    minimum: torch.Tensor


def approach(distances: torch.Tensor, control_minimum: torch.Tensor) -> Approach:
    """The paper's definition of "approaching" (Results, before journal Eq. 7).

    A trajectory approaches its target if its distance has one minimum, strictly between the
    first and the last step, and is there closer than its synthetic linear interpolation is
    anywhere.

    Args:
        distances: ``[T+1, ...]``, a curve per trial or the mean curve.
        control_minimum: ``[...]``, the smallest distance of the interpolation.
    """
    minimum, step = distances.min(0)
    unique = (distances == minimum).sum(0) == 1
    inside = (step > 0) & (step < len(distances) - 1)
    return Approach(unique & inside & (minimum < control_minimum), step, minimum)


def active_latents(memories: torch.Tensor) -> torch.Tensor:
    """Which latents carry information: Var_x(mu_j) > 0.01; ``[N, N_z]`` to bool ``[N_z]``."""
    return memories.double().var(0, correction=0) > ACTIVE_VARIANCE


def contribution_ratios(memories: torch.Tensor) -> torch.Tensor:
    """Share of the variance along each principal component of the memories, largest first.

    Args:
        memories: ``[N, N_z]``.

    Returns:
        ``[N_z]`` float64, sums to 1.
    """
    centred = memories.double() - memories.double().mean(0)
    variances = torch.linalg.eigvalsh(centred.T @ centred).flip(0).clamp_min(0)
    return variances / variances.sum()


def cosine_matrix(concepts: torch.Tensor) -> torch.Tensor:
    """C_ij, the cosine of the angle between concepts i and j: ``[K, N_z]`` to ``[K, K]``."""
    units = torch.nn.functional.normalize(concepts.double(), dim=-1)
    return units @ units.T


class Orthogonality(NamedTuple):
    """Departure of the cosine matrix from the identity; 0 for orthogonal concepts.

    The paper writes a squared norm and defines it with a root, so both are given.
    """

    sum_of_squares: float
    root: float


def orthogonality(concepts: torch.Tensor) -> Orthogonality:
    """||C - I||_F^2 of the concepts ``[K, N_z]``, and its root (journal Eq. 10)."""
    cosine = cosine_matrix(concepts)
    squares = float((cosine - torch.eye(len(cosine), dtype=cosine.dtype).to(cosine)).square().sum())
    return Orthogonality(squares, squares**0.5)
