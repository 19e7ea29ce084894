"""The dimension that the memories fill, and the orthogonality of the concepts."""

import math
from typing import NamedTuple

import torch

ACTIVE_VARIANCE = 0.01


def active_latents(memories: torch.Tensor) -> torch.Tensor:
    """Which latents carry information: Var_x(mu_j) > 0.01; ``[N, N_z]`` to bool ``[N_z]``."""
    return memories.double().var(0, correction=0) > ACTIVE_VARIANCE


def principal_axes(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Principal components of points ``[N, d]``, largest variance first, in float64.

    Returns:
        variances ``[d]``, times N; axes ``[d, d]``, orthonormal columns of arbitrary sign.
    """
    centred = points.double() - points.double().mean(0)
    variances, axes = torch.linalg.eigh(centred.T @ centred)
    return variances.flip(0).clamp_min(0), axes.flip(1)


def contribution_ratios(memories: torch.Tensor) -> torch.Tensor:
    """Share of the variance along each principal component of the memories, largest first.

    Args:
        memories: ``[N, N_z]``.

    Returns:
        ``[N_z]`` float64, sums to 1.
    """
    variances, _ = principal_axes(memories)
    return variances / variances.sum()


def components(memories: torch.Tensor, share: float) -> int:
    """Number of principal components of ``[N, N_z]`` that hold a ``share`` of the variance.

    It is at most N_z, even where rounding leaves the sum of all ratios slightly below a share of 1.
    """
    ratios = contribution_ratios(memories)
    return min(int((ratios.cumsum(0) < share).sum()) + 1, len(ratios))


def cosine_matrix(concepts: torch.Tensor) -> torch.Tensor:
    """C_ij, cosine of concepts i and j: ``[K, N_z]`` to ``[K, K]`` (journal Eq. 10)."""
    units = torch.nn.functional.normalize(concepts.double(), dim=-1)
    return units @ units.T


def mean_over_pairs(matrix: torch.Tensor) -> float:
    """Mean of a symmetric matrix ``[K, K]`` over its pairs i < j, that is, of different labels."""
    pairs = len(matrix) * (len(matrix) - 1) / 2
    return float(matrix.triu(1).sum() / pairs)


class Departure(NamedTuple):
    """Distance of the cosine matrix from the identity; 0 for orthogonal concepts.

    The paper writes a squared norm but defines it with a root, so both are given.

    Attributes:
        sum_of_squares: ||C - I||_F^2.
        root: ||C - I||_F.
    """

    sum_of_squares: float
    root: float


def orthogonality_error(concepts: torch.Tensor) -> Departure:
    """||C - I||_F^2 of the concepts ``[K, N_z]``, and its root (inline after journal Eq. 10)."""
    cosine = cosine_matrix(concepts)
    squares = float((cosine - torch.eye(len(cosine), dtype=cosine.dtype).to(cosine)).square().sum())
    return Departure(squares, squares**0.5)


def welch_bound(n_vectors: int, dimension: int) -> Departure:
    """The smallest orthogonality error of any ``n_vectors`` in ``dimension`` dimensions.

    The n eigenvalues of C sum to n, and at most d of them are not zero.  Their squares therefore
    sum to at least n^2 / d (Welch 1974), and the squared error is at least n^2 / d - n.
    """
    squares = max(n_vectors**2 / dimension - n_vectors, 0.0)
    return Departure(squares, squares**0.5)


def random_cosine(dimension: float) -> float:
    """Mean absolute cosine of two random directions in ``dimension`` dimensions; 1 in one.

    ``dimension`` may be fractional, because the formula consists of gamma functions.
    """
    half = dimension / 2
    return math.exp(math.lgamma(half) - math.lgamma(half + 0.5)) / math.sqrt(math.pi)


def least_cosine(n_vectors: int) -> float:
    """The smallest mean absolute cosine of ``n_vectors`` whose unit vectors add up to zero.

    The cosines of all pairs then add up to -n/2, so their mean is -1/(n - 1).
    """
    return 1 / (n_vectors - 1)
