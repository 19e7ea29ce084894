"""Concepts and what is measured from them: distances, and the map that makes a class a ball."""

from collections.abc import Callable

import torch
from sklearn.covariance import LedoitWolf

# Of points in latent space, whose prior has variance 1: two float32 encodings of one image differ
# by less when they are computed in batches of different sizes.
ROUNDING = 1e-5


def concepts(memories: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Concept of each label: the mean of its memories (preprint Eq. 8).

    Args:
        memories: ``[N, N_z]``, mu of every clean training image.
        labels: ``[N]``, 0 to K - 1, each at least once.

    Returns:
        ``[K, N_z]``, in the dtype of ``memories`` (summed in float64).

    Raises:
        ValueError: a label has no memory.
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


def distance_to(
    targets: torch.Tensor,
) -> Callable[[torch.Tensor, torch.Tensor, slice], torch.Tensor]:
    """Observable of a rollout: the distance of each trial to its own target, ``[n]``.

    Args:
        targets: ``[trials, N_z]``, a row for each trial.
    """
    return lambda x, z, trials: distance(z, targets[trials])


def whitening(memories: torch.Tensor) -> torch.Tensor:
    """The map W in which a class is a ball: ||(z - xi) W||_2 is the Mahalanobis distance.

    W W^T is the inverse of the class covariance, shrunk as Ledoit and Wolf say, because a
    class may have fewer memories than it takes to estimate a covariance (Suppl. C).

    Args:
        memories: of one label, ``[n, d]``, n >= 3, latents that vary (the active ones).

    Returns:
        ``[d, d]``, in the dtype of ``memories``.

    Raises:
        ValueError: fewer than three memories, whose shrunk covariance may have no inverse.
    """
    if len(memories) < 3:
        raise ValueError(f"A class has {len(memories)} memories; allowed are 3 or more.")
    shrunk = LedoitWolf().fit(memories.double().cpu().numpy())
    precision = torch.from_numpy(shrunk.precision_)
    return torch.linalg.cholesky(precision).to(memories)
