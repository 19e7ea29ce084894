r"""Latent tensors as covariance matrices, and sets of them as subspaces (arXiv:2412.04755).

A latent tensor of c x h x w numbers is unfolded along its rows, its columns and its channels.  The
covariance of each unfolding is a symmetric positive semi-definite matrix, and the three together
are a point of a product of manifolds of such matrices: of smooth ones if the ranks are fixed, of a
stratified one if they vary.  Arrays in, arrays out; everything is batched over images.

Images come into a Hilbert space by a kernel.  The kernel is a Gaussian of a *log-Euclidean*
distance, ||log A - log B||.  This distance is Euclidean after the map log, so that the kernel is
positive definite for every bandwidth.  A Gaussian of a geodesic distance on a curved space is not
(Feragen, Lauze and Hauberg 2015, arXiv:1411.0296).
"""

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch


class NoVariance(ValueError):
    """The points of a set are equal, so that they span no subspace."""


class Covariances(NamedTuple):
    """Covariances of latent tensors ``[n, c, h, w]`` along their modes.

    Attributes:
        rows: S1, ``[n, h, h]``.
        columns: S2, ``[n, w, w]``.
        channels: S3, ``[n, c, c]``; its rank is at most h * w - 1, because of the centring.
    """

    rows: torch.Tensor
    columns: torch.Tensor
    channels: torch.Tensor


def mode_covariances(latents: torch.Tensor) -> Covariances:
    """Covariances of each latent tensor along rows, columns and channels.

    Each unfolding is a matrix with a row for each index of its mode.  Its rows are centred, and S
    is the mean of the outer products of its columns.

    Args:
        latents: ``[n, c, h, w]``.

    Raises:
        ValueError: not four dimensions, or numbers that are not finite.
    """
    if latents.ndim != 4:
        raise ValueError(
            f"latents has {latents.ndim} dimensions; allowed are four: [n, c, rows, columns]."
        )
    if not latents.isfinite().all():
        raise ValueError("latents holds NaN or infinite numbers; allowed are finite ones.")
    return Covariances(*(_covariance(latents.movedim(mode, 1).flatten(2)) for mode in (2, 3, 1)))


def _covariance(unfolded: torch.Tensor) -> torch.Tensor:
    """``[n, d, m]`` to ``[n, d, d]``."""
    centred = unfolded - unfolded.mean(2, keepdim=True)
    return centred @ centred.mT / unfolded.shape[2]


def default_tolerance(covariances: torch.Tensor) -> float:
    """Numpy's tolerance of a rank: the size of the matrix times the epsilon of its dtype."""
    return covariances.shape[-1] * torch.finfo(covariances.dtype).eps


def rank(covariances: torch.Tensor, tolerance: float | None = None) -> torch.Tensor:
    """Number of eigenvalues larger than ``tolerance`` times the largest one.

    Args:
        covariances: ``[..., d, d]``, symmetric positive semi-definite.
        tolerance: relative to the largest eigenvalue; by default :func:`default_tolerance`.

    Returns:
        ``[...]`` integers; 0 for a matrix of zeros.

    Raises:
        ValueError: ``tolerance`` is not above 0.
    """
    tolerance = default_tolerance(covariances) if tolerance is None else tolerance
    return rank_of_spectrum(eigenvalues(covariances), tolerance)


def rank_of_spectrum(values: torch.Tensor, tolerance: float) -> torch.Tensor:
    """As :func:`rank`, of eigenvalues ``[..., d]``, largest first: for many tolerances.

    Raises:
        ValueError: ``tolerance`` is not above 0.
    """
    _positive("tolerance", tolerance)
    return (values > tolerance * values[..., :1]).sum(-1)


def effective_rank(values: torch.Tensor) -> torch.Tensor:
    """Exponential of the entropy of the eigenvalues' shares (Roy and Vetterli 2007).

    It needs no tolerance: from 1 (one eigenvalue has all of the trace) to d (all are equal).

    Args:
        values: eigenvalues, ``[..., d]``.

    Returns:
        ``[...]``; 0 if all are zero.
    """
    values = values.clamp_min(0)
    total = values.sum(-1, keepdim=True)
    shares = values / total.where(total > 0, torch.ones_like(total))
    entropy = torch.special.entr(shares).sum(-1)
    return torch.where(total[..., 0] > 0, entropy.exp(), torch.zeros_like(entropy))


def distinct_places(latents: torch.Tensor, tolerance: float) -> torch.Tensor:
    """Number of places of each latent tensor whose features differ from all places before them.

    Of g distinct places, centring leaves g - 1 independent ones: the rank of S3 is at most g - 1,
    and at most c.

    Args:
        latents: ``[n, c, h, w]``.
        tolerance: two places are equal if their distance is at most this share of the largest
            norm of a centred place.

    Returns:
        ``[n]`` integers from 1 to h * w.

    Raises:
        ValueError: ``tolerance`` is not above 0.
    """
    _positive("tolerance", tolerance)
    places = latents.flatten(2).mT.double()
    places = places - places.mean(1, keepdim=True)
    largest = places.norm(dim=2).amax(1)
    distances = torch.cdist(places, places, compute_mode="donot_use_mm_for_euclid_dist")
    equal = distances <= tolerance * largest[:, None, None]
    return equal.shape[1] - equal.tril(-1).any(2).sum(1)


def eigenvalues(covariances: torch.Tensor) -> torch.Tensor:
    """Eigenvalues, largest first, ``[..., d]``; computed in float64 from the given matrix."""
    return torch.linalg.eigvalsh(covariances.double()).flip(-1)


def logarithms(covariances: torch.Tensor, epsilons: Iterable[float]) -> Iterator[torch.Tensor]:
    """log(S + eps I) as vectors, whose Euclidean distance is the log-Euclidean one.

    Args:
        covariances: ``[n, d, d]``.
        epsilons: each is added to all eigenvalues, so that singular matrices have a logarithm.

    Yields:
        ``[n, d * d]`` float64 for each eps; they share the eigenvectors.

    Raises:
        ValueError: an eps is not above 0.
    """
    epsilons = [*epsilons]
    for eps in epsilons:
        _positive("eps", eps)
    values, vectors = torch.linalg.eigh(covariances.double())
    for eps in epsilons:
        logs = (values.clamp_min(0) + eps).log()
        yield (vectors * logs.unsqueeze(-2) @ vectors.mT).flatten(1)


def fixed_rank_logarithms(covariances: torch.Tensor, r: int) -> torch.Tensor:
    """The logarithm on the span of the r largest eigenvalues, zero on the rest; as vectors.

    Their distance compares logarithms, not spans: two projectors of one rank have the distance 0.
    A common factor adds its logarithm on each matrix's own span, so the distance depends on the
    unit of the latents.

    Args:
        covariances: ``[n, d, d]``, of rank r or more.
        r: 1 ... d.

    Returns:
        ``[n, d * d]`` float64.

    Raises:
        ValueError: r outside 1 ... d, or a matrix of smaller rank.
    """
    d = covariances.shape[-1]
    if not 1 <= r <= d:
        raise ValueError(f"r is {r}; allowed is an integer from 1 to {d}.")
    values, vectors = torch.linalg.eigh(covariances.double())
    values, vectors = values[:, -r:], vectors[:, :, -r:]
    if not (values[:, 0] > 0).all():
        raise ValueError(f"A matrix has a rank below r = {r}; allowed are matrices of rank {r}.")
    return (vectors * values.log().unsqueeze(-2) @ vectors.mT).flatten(1)


def squared_distances(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Squared Euclidean distances of vectors, ``[m, d]`` and ``[n, d]`` to ``[m, n]``.

    Those of a product of manifolds are the sum over its factors.  By a matrix product: the rounding
    error is that of the squared norms.
    """
    norms = first.square().sum(1, keepdim=True) + second.square().sum(1)
    return (norms - 2 * first @ second.mT).clamp_min(0)


def gaussian_kernel(squared: torch.Tensor, bandwidth: float) -> torch.Tensor:
    """exp(-d^2 / (2 bandwidth^2)) of squared distances, elementwise.

    Raises:
        ValueError: ``bandwidth`` is not above 0.
    """
    _positive("bandwidth", bandwidth)
    return (-squared / (2 * bandwidth**2)).exp()


def principal_subspace(gram: torch.Tensor, share: float) -> torch.Tensor:
    """The smallest span of kernel principal components that holds a share of the variance.

    Args:
        gram: kernel of a set of n points with itself, ``[n, n]``.
        share: of the variance, above 0 and at most 1.

    Returns:
        ``[n, k]`` coefficients A.  Direction j is the sum over points of A[i, j] times the feature
        vector of point i; the directions are orthonormal, and the columns of A sum to 0.

    Raises:
        NoVariance: all points are equal within the rounding of ``gram``.
        ValueError: fewer than two points, or a ``share`` out of range.
    """
    n = len(gram)
    if n < 2:
        raise ValueError(f"The set has {n} points; allowed are two or more.")
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}; allowed is a number above 0 and at most 1.")
    centring = torch.eye(n, dtype=gram.dtype, device=gram.device) - 1 / n
    values, vectors = torch.linalg.eigh(centring @ gram @ centring)
    values, vectors = values.flip(0).clamp_min(0), vectors.flip(1)
    if values[0] <= n * torch.finfo(gram.dtype).eps * gram.diagonal().max():
        raise NoVariance("All points of the set are equal; allowed is a set with variance.")
    held = values.cumsum(0) / values.sum()
    k = int((held < share * (1 - 1e-12)).sum()) + 1
    return centring @ vectors[:, :k] / values[:k].sqrt()


def principal_angles(
    first: torch.Tensor, second: torch.Tensor, between: torch.Tensor
) -> torch.Tensor:
    """Principal angles of two subspaces of the kernel's Hilbert space.

    Args:
        first: coefficients of the one subspace, ``[m, k]``, of :func:`principal_subspace`.
        second: of the other, ``[n, l]``.
        between: kernel between the two sets of points, ``[m, n]``.

    Returns:
        min(k, l) angles from 0 to pi/2, smallest first, in radians.
    """
    cosines = torch.linalg.svdvals(first.mT @ between @ second)
    return cosines.clamp(0, 1).acos().clamp(0, math.pi / 2)


def _positive(name: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise ValueError(f"{name} is {value}; allowed is a finite number above 0.")
