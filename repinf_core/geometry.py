"""Geometry of the latent space: memories, concepts, distances, orthogonality, dimension.

Functions of latent arrays only.  Distances are Euclidean, in the units of z, whose prior has
variance 1.  A chord is the straight segment from z(0) to z(T), the paper's "synthetic linear
interpolation".
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from sklearn.covariance import LedoitWolf

ACTIVE_VARIANCE = 0.01
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


def chord_distances(
    z_first: torch.Tensor, z_last: torch.Tensor, target: torch.Tensor, steps: int
) -> torch.Tensor:
    """Distances along the chord to ``target``, the control of the paper's "approaching".

    Args:
        z_first: z(0), ``[trials, N_z]``.
        z_last: z(T), ``[trials, N_z]``.
        target: ``[N_z]`` or ``[trials, N_z]``.
        steps: T; the chord is followed at constant speed, t = 0 ... T.

    Returns:
        ``[T+1, trials]``.
    """
    fractions = torch.linspace(0, 1, steps + 1, dtype=z_first.dtype, device=z_first.device)
    return torch.stack([distance(torch.lerp(z_first, z_last, s), target) for s in fractions])


def chord_minimum(
    z_first: torch.Tensor, z_last: torch.Tensor, target: torch.Tensor
) -> torch.Tensor:
    """Smallest distance of the chord to ``target`` anywhere along it, exactly.

    Args:
        z_first: z(0), ``[trials, N_z]``.
        z_last: z(T), ``[trials, N_z]``.
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


def approach(distances: torch.Tensor, control: torch.Tensor) -> Approach:
    """Our strict criterion of the paper's "approaching" (Results, before journal Eq. 7).

    A trajectory approaches its target if its smallest distance is taken at one t only, strictly
    between the first and the last step ("a minimum at a unique halfway point"), and is smaller than
    that of its chord anywhere.  The text says "closer than its synthetic linear interpolation",
    neither where along it nor between which points.

    Args:
        distances: ``[T+1, ...]``, a curve per trial or the mean curve.
        control: ``[...]``, the smallest distance of the chord; for the weak criterion that at
            the time of the curve's minimum.
    """
    minimum, step = distances.min(0)
    unique = (distances == minimum).sum(0) == 1
    inside = (step > 0) & (step < len(distances) - 1)
    return Approach(unique & inside & (minimum < control), step, minimum)


def approach_of_means(
    distances: torch.Tensor, chords: torch.Tensor
) -> tuple[Approach, torch.Tensor]:
    """Which labels' mean curves approach their concept, by the strict and the weak criterion.

    Args:
        distances: of the trajectories, ``[labels, T+1, trials]``.
        chords: of their chords, likewise.

    Returns:
        by the strict criterion, :func:`approach`, ``[labels]`` each; whether they do so by the weak
        one, closer than the mean chord at the time of the minimum only, bool ``[labels]``.
    """
    mean, chord = distances.mean(2).T, chords.mean(2).T
    strict = approach(mean, chord.min(0).values)
    return strict, approach(mean, chord.gather(0, strict.step[None])[0]).approaches


def directional_gains(
    jacobian: torch.Tensor, displacements: torch.Tensor
) -> tuple[float | None, float | None]:
    """How a linear map changes lengths along some displacements and across their mean.

    Args:
        jacobian: the map, ``[N_z, N_z]``, of a step of inference say.
        displacements: ``[n, N_z]``; those shorter than :data:`ROUNDING` have no
            direction and do not count.

    Returns:
        the mean gain along them, by what their lengths are multiplied, None if none has a
        direction; the largest gain of any displacement that is orthogonal to their mean, None if
        N_z = 1.
    """
    lengths = displacements.norm(dim=1)
    after = (displacements @ jacobian.T).norm(dim=1)
    moved = lengths > ROUNDING
    mean = torch.nn.functional.normalize(displacements.mean(0), dim=0)
    across = jacobian - torch.outer(jacobian @ mean, mean)
    along = float((after[moved] / lengths[moved]).mean()) if moved.any() else None
    return along, float(torch.linalg.matrix_norm(across, 2)) if len(jacobian) > 1 else None


def active_latents(memories: torch.Tensor) -> torch.Tensor:
    """Which latents carry information: Var_x(mu_j) > 0.01; ``[N, N_z]`` to bool ``[N_z]``."""
    return memories.double().var(0, correction=0) > ACTIVE_VARIANCE


def principal_axes(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Principal components of points ``[N, d]``, largest variance first, in float64.

    Returns:
        variances ``[d]``, times N; axes ``[d, d]``, orthonormal columns of free sign.
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
    """How many principal components of ``[N, N_z]`` it takes for a share of the variance.

    At most N_z: the ratios of all of them may add up to a little less than a share of 1.
    """
    ratios = contribution_ratios(memories)
    return min(int((ratios.cumsum(0) < share).sum()) + 1, len(ratios))


def cosine_matrix(concepts: torch.Tensor) -> torch.Tensor:
    """C_ij, cosine of concepts i and j: ``[K, N_z]`` to ``[K, K]`` (journal Eq. 10)."""
    units = torch.nn.functional.normalize(concepts.double(), dim=-1)
    return units @ units.T


def mean_over_pairs(matrix: torch.Tensor) -> float:
    """Mean of a symmetric matrix ``[K, K]`` over its pairs i < j: of two different labels."""
    pairs = len(matrix) * (len(matrix) - 1) / 2
    return float(matrix.triu(1).sum() / pairs)


class Departure(NamedTuple):
    """How far the cosine matrix is from the identity; 0 for orthogonal concepts.

    The paper writes a squared norm and defines it with a root, so both are given.

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

    The eigenvalues of C sum to n, and no more than d of them differ from zero, so that their
    squares sum to n^2 / d or more (Welch 1974): fewer dimensions than vectors leave a rest.
    """
    squares = max(n_vectors**2 / dimension - n_vectors, 0.0)
    return Departure(squares, squares**0.5)


def random_cosine(dimension: float) -> float:
    """Mean absolute cosine of two random directions in ``dimension`` dimensions; 1 in one.

    ``dimension`` need not be whole: the formula, of gamma functions, is smooth in it.
    """
    half = dimension / 2
    return math.exp(math.lgamma(half) - math.lgamma(half + 0.5)) / math.sqrt(math.pi)


def least_cosine(n_vectors: int) -> float:
    """The smallest mean absolute cosine of ``n_vectors`` whose unit vectors add up to zero.

    The cosines of all pairs then add up to -n/2, so that their mean is -1/(n - 1).
    """
    return 1 / (n_vectors - 1)


class Stage(NamedTuple):
    """A range of noise fractions in which one landmark is approached closest.

    Attributes:
        nearest: index of the landmark, a row of ``minima``.
        start: noise fraction at which it begins.
        stop: noise fraction at which it ends.
    """

    nearest: int
    start: float
    stop: float


def stages(p: torch.Tensor, minima: torch.Tensor) -> list[Stage]:
    """The stages of Fig. 4a: which landmark has the smallest mean of min_t ||z(t) - xi||, over p.

    A boundary is where the straight lines between the grid points of the two landmarks cross.

    Args:
        p: noise fractions, ``[P]``, increasing.
        minima: ``[landmarks, P]``; in the paper memory, concept, abstract concept: I, II, III.

    Returns:
        the stages from the smallest p to the largest, each with its range of p.
    """
    nearest = minima.argmin(0).tolist()
    found, start = [], float(p[0])
    for i in range(1, len(p)):
        before, after = nearest[i - 1], nearest[i]
        if before == after:
            continue
        gap = minima[after] - minima[before]  # changes sign between i - 1 and i
        share = float(gap[i - 1] / (gap[i - 1] - gap[i]))
        boundary = float(torch.lerp(p[i - 1], p[i], share))
        found.append(Stage(before, start, boundary))
        start = boundary
    return [*found, Stage(nearest[-1], start, float(p[-1]))]


def windowed_pca(z: torch.Tensor, window: int) -> torch.Tensor:
    """Planes of the time-windowed PCA of Fig. 2, each turned to follow the one before it.

    At every t the two leading eigenvectors of the covariance of all z(t) ... z(t + window), as
    in the paper.  Eigenvectors are free in sign, and in order where eigenvalues cross; the pair
    is therefore turned within its plane to be closest to the previous pair (orthogonal
    Procrustes), so that a movie does not flip.  The first pair is the eigenvectors' own, each
    with its largest component positive.

    Args:
        z: trajectories ``[T+1, trials, N_z]``, N_z >= 2.
        window: Delta t, in steps; the last windows are cut off at T.

    Returns:
        ``[T+1, N_z, 2]`` float64, orthonormal columns.

    Raises:
        ValueError: fewer than two latents, or a negative window.
    """
    if z.shape[-1] < 2:
        raise ValueError(f"z has {z.shape[-1]} latents; allowed is 2 or more.")
    if window < 0:
        raise ValueError(f"The window is {window} steps; allowed is 0 or more.")
    planes: list[torch.Tensor] = []
    for t in range(len(z)):
        plane = principal_axes(z[t : t + window + 1].flatten(0, 1))[1][:, :2]
        if planes:
            u, _, v = torch.linalg.svd(plane.T @ planes[-1])
            plane = plane @ u @ v
        else:
            largest = plane.gather(0, plane.abs().argmax(0, keepdim=True))
            plane = plane * largest.sign()
        planes.append(plane)
    return torch.stack(planes)
