"""Concepts, distances to them, and the linear map that whitens a class."""

from collections.abc import Callable

import torch
from sklearn.covariance import LedoitWolf

# Euclidean distance in latent space, whose prior has variance 1.  Two float32 encodings of one
# image that are computed in batches of different sizes differ by less.
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
    """The matrix W for which ||(z - xi) W||_2 is the Mahalanobis distance.

    W W^T is the inverse of the class covariance, with the shrinkage of Ledoit and Wolf, because a
    class may have too few memories to estimate a covariance (Suppl. C).

    Args:
        memories: memories of one label, ``[n, d]``, n >= 3, in latents that vary (active ones).

    Returns:
        ``[d, d]``, in the dtype of ``memories``.

    Raises:
        ValueError: there are fewer than three memories, so the covariance may have no inverse.
    """
    if len(memories) < 3:
        raise ValueError(f"A class has {len(memories)} memories; allowed are 3 or more.")
    shrunk = LedoitWolf().fit(memories.double().cpu().numpy())
    precision = torch.from_numpy(shrunk.precision_)
    return torch.linalg.cholesky(precision).to(memories)
