"""Covariances, ranks, log-Euclidean distances and subspaces against numpy and closed forms."""

import math

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import KernelPCA

from repinf_core.geometry import manifolds

SEEDS = st.integers(0, 1000)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def spd(n, d, seed=0):
    factors = normal(n, d, d, seed=seed)
    return factors @ factors.mT + 0.1 * torch.eye(d, dtype=torch.float64)


# --- covariances and ranks ------------------------------------------------------------------


def test_covariances_are_those_of_numpys_unfoldings():
    latents = normal(3, 5, 4, 6)
    found = manifolds.mode_covariances(latents)
    for image, (one, two, three) in zip(latents.numpy(), zip(*found, strict=True), strict=True):
        rows = np.stack([image[:, k, :].ravel() for k in range(4)])
        columns = np.stack([image[:, :, k].ravel() for k in range(6)])
        channels = np.stack([image[k].ravel() for k in range(5)])
        for covariance, unfolded in ((one, rows), (two, columns), (three, channels)):
            np.testing.assert_allclose(covariance, np.cov(unfolded, bias=True), atol=1e-12)


@given(seed=SEEDS, factor=st.floats(0.1, 10), shift=st.floats(-5, 5))
def test_a_shift_of_a_channel_does_not_enter_and_a_factor_enters_squared(seed, factor, shift):
    latents = normal(2, 3, 4, 4, seed=seed)
    shifted = factor * latents + shift
    for before, after in zip(
        manifolds.mode_covariances(latents), manifolds.mode_covariances(shifted), strict=True
    ):
        torch.testing.assert_close(after, factor**2 * before, rtol=1e-9, atol=1e-9)


def test_a_generic_tensor_has_the_ranks_7_7_48_and_ties_of_the_border_lower_them():
    generic = normal(4, 64, 7, 7)
    ranks = [manifolds.rank(s).tolist() for s in manifolds.mode_covariances(generic)]
    assert ranks == [[7] * 4, [7] * 4, [48] * 4]
    columns = generic.clone()
    columns[..., :2] = normal(4, 64, 1, 1, seed=1)  # two border columns with equal features
    ranks = [manifolds.rank(s).tolist() for s in manifolds.mode_covariances(columns)]
    assert ranks == [[7] * 4, [6] * 4, [35] * 4]
    border = normal(4, 64, 1, 1, seed=2).expand(4, 64, 7, 7).clone()
    border[..., 1:6, 1:6] = generic[..., 1:6, 1:6]
    ranks = [manifolds.rank(s).tolist() for s in manifolds.mode_covariances(border)]
    assert ranks == [[6] * 4, [6] * 4, [25] * 4]
    nearly = border + 1e-3 * normal(4, 64, 7, 7, seed=3)
    ranks = [manifolds.rank(s).tolist() for s in manifolds.mode_covariances(nearly)]
    assert ranks == [[7] * 4, [7] * 4, [48] * 4]


@given(seed=SEEDS, c=st.sampled_from([3, 64]), groups=st.integers(1, 49))
def test_the_rank_of_s3_is_what_centring_and_ties_leave(seed, c, groups):
    """Of generic features in g groups of equal places, and at most c and h * w - 1."""
    order = torch.randperm(49, generator=torch.Generator().manual_seed(seed)) % groups
    latents = normal(1, c, groups, seed=seed)[..., order].unflatten(2, (7, 7))
    assert manifolds.distinct_places(latents, 1e-9).tolist() == [groups]
    expected = min(c, groups - 1)
    found = manifolds.rank(manifolds.mode_covariances(latents).channels, 1e-12)
    # A single group has covariance zero, but for rounding errors, of which nothing is asked.
    assert groups == 1 or found.tolist() == [expected]


def test_distinct_places_are_counted_and_nearly_equal_ones_within_the_tolerance():
    generic = normal(2, 64, 7, 7)
    columns = generic.clone()
    columns[..., :2] = normal(2, 64, 1, 1, seed=1)
    border = normal(2, 64, 1, 1, seed=2).expand(2, 64, 7, 7).clone()
    border[..., 1:6, 1:6] = generic[..., 1:6, 1:6]
    counts = [manifolds.distinct_places(z, 1e-6).tolist() for z in (generic, columns, border)]
    assert counts == [[49] * 2, [36] * 2, [26] * 2]  # ranks of 48, 35 and 25
    nearly = border + 1e-3 * normal(2, 64, 7, 7, seed=3)
    assert manifolds.distinct_places(nearly, 1e-6).tolist() == [49] * 2
    assert manifolds.distinct_places(nearly, 1e-1).tolist() == [26] * 2


@given(seed=SEEDS, r=st.integers(1, 4))
def test_a_tensor_of_known_ranks_has_them(seed, r):
    """A sum of r generic products a_i b_i c_i has rank r along each mode, if centring keeps it."""
    a, b, c = (normal(r, d, seed=seed + k) for k, d in enumerate((9, 5, 6)))
    latents = torch.einsum("rc,rh,rw->chw", a, b, c)[None]
    assert [int(manifolds.rank(s)) for s in manifolds.mode_covariances(latents)] == [r, r, r]


@given(seed=SEEDS, tolerance=st.sampled_from([1e-12, 1e-6, 1e-2]))
def test_the_rank_is_numpys_at_the_same_tolerance(seed, tolerance):
    factors = normal(3, 6, 4, seed=seed) * torch.logspace(0, -4, 4, dtype=torch.float64)
    covariances = factors @ factors.mT
    expected = [
        np.linalg.matrix_rank(s, tol=tolerance * np.linalg.norm(s, 2), hermitian=True)
        for s in covariances.numpy()
    ]
    assert manifolds.rank(covariances, tolerance).tolist() == expected
    numpys = [np.linalg.matrix_rank(s, hermitian=True) for s in covariances.numpy()]
    assert manifolds.rank(covariances).tolist() == numpys


def test_a_matrix_of_zeros_has_rank_zero():
    zeros = torch.zeros(2, 3, 3)
    assert manifolds.rank(zeros).tolist() == [0, 0]
    assert manifolds.effective_rank(torch.zeros(2, 3)).tolist() == [0, 0]


def test_the_effective_rank_counts_equal_eigenvalues():
    values = torch.tensor([[1.0, 1, 1, 0], [2, 0, 0, 0], [1, 1, 1, 1], [3, 1, 0, 0]]).double()
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    expected = [3, 1, 4, math.exp(entropy)]
    np.testing.assert_allclose(manifolds.effective_rank(values), expected)


# --- log-Euclidean distances and the kernel -------------------------------------------------


def test_logarithms_are_scipys_and_their_distance_is_the_log_euclidean_one():
    covariances = spd(4, 5)
    (vectors,) = manifolds.logarithms(covariances, [0.01])
    logs = [scipy.linalg.logm(s + 0.01 * np.eye(5)) for s in covariances.numpy()]
    np.testing.assert_allclose(vectors.unflatten(1, (5, 5)), logs, atol=1e-10)
    expected = [[np.linalg.norm(a - b, "fro") ** 2 for b in logs] for a in logs]
    np.testing.assert_allclose(manifolds.squared_distances(vectors, vectors), expected, atol=1e-9)


@given(seed=SEEDS, factor=st.floats(0.1, 10))
def test_the_distance_ignores_a_common_rotation_and_a_common_factor(seed, factor):
    covariances = spd(3, 4, seed)
    turn = torch.linalg.qr(normal(4, 4, seed=seed + 1)).Q
    moved = factor * turn @ covariances @ turn.mT
    before, after = (
        manifolds.squared_distances(v, v)
        for v in (
            *manifolds.logarithms(covariances, [1e-12]),
            *manifolds.logarithms(moved, [factor * 1e-12]),
        )
    )
    torch.testing.assert_close(before, after, rtol=1e-6, atol=1e-6)


def test_the_fixed_rank_logarithm_of_a_full_matrix_is_its_logarithm():
    covariances = spd(3, 4)
    whole = manifolds.fixed_rank_logarithms(covariances, 4)
    expected = [scipy.linalg.logm(s).ravel() for s in covariances.numpy()]
    np.testing.assert_allclose(whole, expected, atol=1e-10)


def test_the_fixed_rank_logarithm_compares_logarithms_and_not_spans():
    """Two projectors have no distance; a factor s gives log(s) on either span."""
    projectors = torch.stack([torch.diag(torch.tensor(d)) for d in ([1.0, 0, 0], [0, 1.0, 0])])
    for factor in (1.0, 10.0):
        first, second = manifolds.fixed_rank_logarithms(factor * projectors, 1)
        expected = 2**0.5 * math.log(factor)
        assert float((first - second).norm()) == pytest.approx(expected, abs=1e-6)


def test_the_fixed_rank_logarithm_leaves_the_null_space_alone():
    basis = torch.linalg.qr(normal(5, 5)).Q
    values = torch.tensor([3.0, 0.5, 0, 0, 0], dtype=torch.float64)
    singular = (basis * values) @ basis.mT
    found = manifolds.fixed_rank_logarithms(singular[None], 2)[0].unflatten(0, (5, 5))
    expected = (basis[:, :2] * values[:2].log()) @ basis[:, :2].mT
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=1e-9)


@given(seed=SEEDS, bandwidth=st.floats(0.1, 10))
def test_the_kernel_is_positive_semi_definite(seed, bandwidth):
    (vectors,) = manifolds.logarithms(spd(8, 3, seed), [1e-6])
    kernel = manifolds.gaussian_kernel(manifolds.squared_distances(vectors, vectors), bandwidth)
    assert torch.linalg.eigvalsh(kernel).min() > -1e-12
    torch.testing.assert_close(kernel.diagonal(), torch.ones(8, dtype=torch.float64))


# --- subspaces and angles -------------------------------------------------------------------


def angles_of(first, second, share=1.0):
    """Principal angles, in degrees, of the subspaces of points by the linear kernel."""
    a, b = (manifolds.principal_subspace(points @ points.T, share) for points in (first, second))
    return torch.rad2deg(manifolds.principal_angles(a, b, first @ second.T))


def test_the_directions_are_orthonormal_and_their_variances_those_of_scikit_learn():
    points = normal(12, 4)
    kernel = manifolds.gaussian_kernel(manifolds.squared_distances(points, points), 1.5)
    directions = manifolds.principal_subspace(kernel, 0.9)
    k = directions.shape[1]
    torch.testing.assert_close(
        directions.T @ kernel @ directions, torch.eye(k, dtype=torch.float64), atol=1e-9, rtol=0
    )
    theirs = KernelPCA(kernel="precomputed").fit(kernel.numpy())
    shares = theirs.eigenvalues_ / theirs.eigenvalues_.sum()
    assert shares[:k].sum() >= 0.9 > shares[: k - 1].sum()
    ours = (directions.T @ (kernel - kernel.mean(1, keepdim=True))).abs()
    centred = np.abs(theirs.transform(kernel.numpy())[:, :k].T)
    np.testing.assert_allclose(ours, centred, atol=1e-8)


def test_identical_subspaces_have_angles_of_zero():
    basis = normal(2, 6)
    first, second = normal(9, 2, seed=1) @ basis, normal(7, 2, seed=2) @ basis + 3
    np.testing.assert_allclose(angles_of(first, second), [0, 0], atol=1e-5)


def test_orthogonal_subspaces_have_right_angles():
    first, second = torch.zeros(8, 6).double(), torch.zeros(9, 6).double()
    first[:, :2], second[:, 2:5] = normal(8, 2), normal(9, 3, seed=1)
    np.testing.assert_allclose(angles_of(first, second), [90, 90], atol=1e-9)


@pytest.mark.parametrize("degrees", [10.0, 45.0, 80.0])
def test_a_rotation_by_a_known_angle_is_found(degrees):
    """A plane of e1 and e2 turned in the plane of e2 and e3: one angle is 0, the other known."""
    angle = math.radians(degrees)
    first = torch.zeros(10, 4).double()
    first[:, :2] = normal(10, 2)
    turn = torch.eye(4).double()
    turn[1:3, 1:3] = torch.tensor(
        [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]
    )
    np.testing.assert_allclose(angles_of(first, first @ turn), [0, degrees], atol=1e-5)


@given(seed=SEEDS)
def test_angles_are_those_of_scipy(seed):
    first, second = (
        normal(9, 3, seed=seed) @ normal(3, 7),
        normal(8, 2, seed=seed + 1) @ normal(2, 7, seed=5),
    )
    bases = [
        np.linalg.qr((p - p.mean(0)).numpy().T)[0][:, :k] for p, k in ((first, 3), (second, 2))
    ]
    expected = np.sort(np.rad2deg(scipy.linalg.subspace_angles(*bases)))
    np.testing.assert_allclose(angles_of(first, second), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: manifolds.mode_covariances(torch.zeros(3, 7, 7)), "3 dimensions"),
        (lambda: manifolds.mode_covariances(torch.full((1, 2, 7, 7), torch.nan)), "holds NaN"),
        (lambda: manifolds.rank(torch.eye(2), 0.0), "tolerance is 0.0"),
        (lambda: manifolds.rank(torch.eye(2), torch.inf), "tolerance is inf"),
        (lambda: manifolds.rank(torch.eye(2), -1e-6), "tolerance is -1e-06"),
        (lambda: manifolds.distinct_places(torch.zeros(1, 2, 2, 2), 0.0), "tolerance is 0.0"),
        (lambda: next(manifolds.logarithms(torch.eye(2)[None], [1, 0.0])), "eps is 0.0"),
        (lambda: manifolds.fixed_rank_logarithms(torch.eye(2)[None], 3), "r is 3"),
        (lambda: manifolds.fixed_rank_logarithms(torch.zeros(1, 2, 2), 1), "below r = 1"),
        (lambda: manifolds.gaussian_kernel(torch.zeros(2, 2), -1.0), "bandwidth is -1.0"),
        (lambda: manifolds.principal_subspace(torch.ones(1, 1), 0.9), "1 points"),
        (lambda: manifolds.principal_subspace(torch.eye(3), 1.5), "share is 1.5"),
        (
            lambda: manifolds.principal_subspace(torch.ones(3, 3), 0.9),
            "points of the set are equal",
        ),
    ],
)
def test_bad_input_is_refused_in_one_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()
