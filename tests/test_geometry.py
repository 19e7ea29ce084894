import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
import references
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.neighbors import NearestCentroid

from repinf_core import geometry


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def rotation(n, seed=0):
    return torch.linalg.qr(normal(n, n, seed=seed)).Q


SEEDS = st.integers(0, 1000)

# --- concepts -------------------------------------------------------------------------------


@given(n_labels=st.integers(1, 10), n_z=st.integers(1, 6), seed=SEEDS)
def test_concepts_are_the_means_of_their_memories(n_labels, n_z, seed):
    random = np.random.default_rng(seed)
    labels = random.permutation(np.r_[:n_labels, random.integers(0, n_labels, 40)])
    memories = normal(len(labels), n_z, seed=seed)
    found = geometry.concepts(memories, torch.from_numpy(labels))
    expected = references.concepts(memories.numpy(), labels)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


def test_concepts_are_scikit_learns_centroids():
    memories, labels = normal(500, 7), torch.arange(500) % 10
    centroids = NearestCentroid().fit(memories.numpy(), labels.numpy()).centroids_
    np.testing.assert_allclose(geometry.concepts(memories, labels), centroids, rtol=1e-11)


def test_concepts_of_float32_memories_lose_nothing_in_the_sum():
    # A mean far from zero is where a float32 running sum of 20,000 would lose three digits.
    memories = 1000 + normal(20_000, 2, dtype=torch.float32)
    found = geometry.concepts(memories, torch.zeros(20_000, dtype=torch.int64))
    assert found.dtype == torch.float32
    # Half of float32's spacing at 1,000.
    np.testing.assert_allclose(found[0], references.array(memories).mean(0), rtol=0, atol=3.1e-5)


def test_a_label_without_memories_is_refused():
    with pytest.raises(ValueError, match="Label 1 has no memory"):
        geometry.concepts(normal(3, 2), torch.tensor([0, 2, 3]))


def test_the_abstract_concept_is_the_mean_of_the_concepts_and_not_of_the_memories():
    memories, labels = torch.tensor([[0.0], [0.0], [0.0], [8.0]]), torch.tensor([0, 0, 0, 1])
    assert geometry.abstract_concept(geometry.concepts(memories, labels)).tolist() == [4.0]


# --- distances ------------------------------------------------------------------------------


@given(trials=st.integers(1, 5), n_z=st.integers(1, 8), seed=SEEDS)
def test_distance_is_euclidean(trials, n_z, seed):
    z, targets = normal(2, trials, n_z, seed=seed)
    each = [references.distance(a, b) for a, b in zip(z, targets, strict=True)]
    np.testing.assert_allclose(geometry.distance(z, targets), each, rtol=1e-14)
    to_first = [references.distance(a, targets[0]) for a in z]
    np.testing.assert_allclose(geometry.distance(z, targets[0]), to_first, rtol=1e-14)


def test_distance_of_3_and_4_is_5():
    assert geometry.distance(torch.tensor([4.0, 6.0]), torch.tensor([1.0, 2.0])) == 5


def test_distance_to_takes_each_trials_own_target():
    z, targets = normal(2, 6, 3)
    rows = slice(2, 5)
    found = geometry.distance_to(targets)(None, z[rows], rows)
    each = [references.distance(z[i], targets[i]) for i in (2, 3, 4)]
    np.testing.assert_allclose(found, each, rtol=1e-14)


@given(n_z=st.integers(2, 8), seed=SEEDS)
def test_distances_and_orthogonality_do_not_depend_on_the_axes(n_z, seed):
    turn = rotation(n_z, seed)
    z, z_last, targets = normal(3, 4, n_z, seed=seed + 1)
    near = {"rtol": 1e-11, "atol": 1e-12}
    torch.testing.assert_close(
        geometry.distance(z @ turn, targets @ turn), geometry.distance(z, targets), **near
    )
    torch.testing.assert_close(
        geometry.chord_minimum(z @ turn, z_last @ turn, targets @ turn),
        geometry.chord_minimum(z, z_last, targets),
        **near,
    )
    turned, plain = (
        geometry.orthogonality_error(targets @ turn),
        geometry.orthogonality_error(targets),
    )
    assert turned == pytest.approx(plain, rel=1e-11)
    scaled = geometry.orthogonality_error(targets * torch.tensor([[1.0], [2.0], [0.5], [100.0]]))
    assert scaled == pytest.approx(plain, rel=1e-11)  # nor on the concepts' lengths


# --- the chord ------------------------------------------------------------------------------


@given(trials=st.integers(1, 4), n_z=st.integers(1, 5), steps=st.integers(1, 12), seed=SEEDS)
def test_the_chord_runs_straight_at_constant_speed(trials, n_z, steps, seed):
    z_first, z_last, targets = normal(3, trials, n_z, seed=seed)
    found = geometry.chord_distances(z_first, z_last, targets, steps)
    assert found.shape == (steps + 1, trials)
    for t in range(steps + 1):
        z = z_first.numpy() + t / steps * (z_last.numpy() - z_first.numpy())
        each = [references.distance(a, b) for a, b in zip(z, targets, strict=True)]
        np.testing.assert_allclose(found[t], each, rtol=1e-12, atol=1e-14)


def test_a_long_chord_needs_little_more_memory_than_its_result():
    """Memory that a step frees must serve the next one: 10,000 steps once took 2 GB for 24 MB."""
    program = """
import resource, torch
from repinf_core import geometry
points = torch.randn(3, 300, 100, dtype=torch.float64)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
geometry.chord_distances(*points, 10)
before = peak()
geometry.chord_distances(*points, 10_000)
print(peak() - before)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(run.stdout) * unit < 5 * (10_001 * 300 * 8)


def test_the_chord_begins_and_ends_where_the_trajectory_does_exactly():
    # In float32 too: the control may not differ from the trajectory at its ends.
    z_first, z_last = normal(2, 50, 10, dtype=torch.float32)
    target = normal(10, seed=1, dtype=torch.float32)
    found = geometry.chord_distances(z_first, z_last, target, 7)
    assert found.dtype == torch.float32
    assert torch.equal(found[0], geometry.distance(z_first, target))
    assert torch.equal(found[-1], geometry.distance(z_last, target))


@given(trials=st.integers(1, 4), n_z=st.integers(1, 5), seed=SEEDS)
def test_the_chord_minimum_is_the_references(trials, n_z, seed):
    z_first, z_last, targets = normal(3, trials, n_z, seed=seed)
    found = geometry.chord_minimum(z_first, z_last, targets)
    each = [
        references.segment_distance(*points)
        for points in zip(z_first, z_last, targets, strict=True)
    ]
    # The law of cosines subtracts squares of size 10: on the segment itself it leaves their root.
    np.testing.assert_allclose(found, each, rtol=1e-9, atol=1e-7)


@given(n_z=st.integers(1, 5), seed=SEEDS)
def test_the_chord_minimum_is_the_smallest_of_a_dense_sample(n_z, seed):
    z_first, z_last, targets = normal(3, 3, n_z, seed=seed)
    found = geometry.chord_minimum(z_first, z_last, targets)
    sampled = geometry.chord_distances(z_first, z_last, targets, 2000).min(0).values
    spacing = geometry.distance(z_first, z_last) / 2000
    assert (found <= sampled + 1e-14).all()
    # Some sample is within half a spacing of the closest point.
    assert (found >= sampled - spacing / 2 - 1e-14).all()


def test_the_chord_minimum_beside_and_beyond_the_segment():
    z_first, z_last = torch.tensor([[0.0, 0.0]]), torch.tensor([[10.0, 0.0]])
    for target, expected in (([3, 4], 4), ([-3, 4], 5), ([13, 4], 5), ([7, 0], 0), ([10, 0], 0)):
        target = torch.tensor(target, dtype=torch.float32)
        assert geometry.chord_minimum(z_first, z_last, target).tolist() == [expected]


def test_the_chord_minimum_of_a_point_is_its_distance():
    z, target = normal(2, 4, 3, dtype=torch.float32)
    assert torch.equal(geometry.chord_minimum(z, z, target), geometry.distance(z, target))


def test_the_chord_minimum_is_never_above_either_end():
    z_first, z_last, targets = normal(3, 200, 4, dtype=torch.float32)
    found = geometry.chord_minimum(z_first, z_last, targets)
    ends = torch.minimum(geometry.distance(z_first, targets), geometry.distance(z_last, targets))
    assert (found <= ends * (1 + 1e-6)).all()  # distances of about 3, in float32


# --- approaching ----------------------------------------------------------------------------

CURVES = {
    "inside": ([5, 3, 1, 2, 4], 2, True, 2),
    "inside, one step before the end": ([5, 3, 2, 1, 4], 2, True, 3),
    "inside, one step after the start": ([5, 1, 2, 3, 4], 2, True, 1),
    "inside, but a second and higher dip": ([5, 1, 3, 2, 4], 2, True, 1),
    "at the start": ([1, 2, 3, 4, 5], 2, False, 0),
    "at the end": ([5, 4, 3, 2, 1], 2, False, 4),
    "twice inside": ([5, 1, 3, 1, 5], 2, False, None),
    "inside and at the end": ([5, 1, 3, 2, 1], 2, False, None),
    "flat": ([1, 1, 1, 1, 1], 2, False, None),
    "not below the control": ([5, 3, 1, 2, 4], 1, False, 2),
    "above the control": ([5, 3, 1, 2, 4], 0.5, False, 2),
    "not a number": ([5, 3, math.nan, 2, 4], 2, False, None),
}


@pytest.mark.parametrize("name", CURVES)
def test_approach_of_one_curve(name):
    curve, control, approaches, step = CURVES[name]
    found = geometry.approach(torch.tensor(curve, dtype=torch.float32), torch.tensor(control))
    assert bool(found.approaches) is approaches
    if step is not None:
        assert found.step == step
        assert found.minimum == min(curve)


# Whole numbers, so that ties are as frequent as the other ways to fail.
@given(st.lists(st.lists(st.integers(0, 4), min_size=6, max_size=6), min_size=1, max_size=8))
def test_approach_of_many_curves_is_that_of_each(rows):
    curves, control = [row[:5] for row in rows], [row[5] for row in rows]
    found = geometry.approach(torch.tensor(curves).double().T, torch.tensor(control))
    expected = [references.approaches(*pair) for pair in zip(curves, control, strict=True)]
    assert found.approaches.tolist() == expected
    assert found.minimum.tolist() == [min(curve) for curve in curves]
    for curve, step in zip(curves, found.step.tolist(), strict=True):
        assert curve[step] == min(curve)


def test_approach_of_means_reads_the_whole_chord_and_the_chord_at_the_same_time():
    # Curves of one label each, of two trials that differ by +-1 around them.
    curve = [5, 3, 2, 4]
    chords = [[5, 4, 3, 4], [5, 4, 3, 1], [5, 4, 1, 4]]  # further away, closer later, closer then
    either = torch.tensor([-1.0, 1.0])
    distances = torch.tensor([curve] * 3)[..., None] + either
    whole_chord, same_time = geometry.approach_of_means(
        distances, torch.tensor(chords)[..., None] - either
    )
    assert whole_chord.approaches.tolist() == [True, False, False]
    assert same_time.tolist() == [True, True, False]
    assert whole_chord.step.tolist() == [2, 2, 2]
    assert whole_chord.minimum.tolist() == [2, 2, 2]


def test_means_that_are_equal_in_float32_are_still_told_apart():
    """Three trials whose mean distances differ by a hundred millionth."""
    curves = torch.tensor([[3.0, 3, 3], [2, 2, 2], [2, 2, 2 + 2**-22], [4, 4, 4]])[None]
    assert curves[0, 1].mean() == curves[0, 2].mean()
    whole_chord, same_time = geometry.approach_of_means(curves, torch.full_like(curves, 2.5))
    assert whole_chord.step.tolist() == [1]
    assert whole_chord.approaches.all()
    assert same_time.all()


# --- dimension and orthogonality ------------------------------------------------------------


def test_active_latents_are_those_of_variance_above_one_hundredth():
    # Values +-s have variance s^2, in a mean of 1 that does not count.
    signs = torch.tensor([1.0, -1.0]).repeat(50)[:, None]
    scale = torch.tensor([0.0, 0.05, 0.0999, 0.1001, 1.0])
    assert geometry.active_latents(1 + signs * scale).tolist() == [False, False, False, True, True]


def test_active_latents_take_the_variance_over_all_images():
    # Of two images, +-s: the population's variance is s^2, the sample's would be 2 s^2.
    assert geometry.active_latents(torch.tensor([[0.09], [-0.09]])).tolist() == [False]


@given(n=st.integers(12, 40), n_z=st.integers(1, 10), seed=SEEDS)
def test_contribution_ratios_are_scikit_learns(n, n_z, seed):
    memories = 5 + normal(n, n_z, seed=seed) * torch.logspace(0, -2, n_z)
    expected = PCA(svd_solver="full").fit(memories.numpy()).explained_variance_ratio_
    found = geometry.contribution_ratios(memories)
    assert found.dtype == torch.float64
    assert found.sum().item() == pytest.approx(1, rel=1e-14)
    # Eigenvalues of the covariance are known to 1e-16 of the largest.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)


def test_all_of_the_variance_takes_no_more_components_than_there_are():
    for seed in range(30):  # of some of these the ratios add up to a little less than one
        assert geometry.components(normal(50, 7, seed=seed), 1.0) <= 7


@given(n=st.integers(12, 40), n_z=st.integers(1, 10), seed=SEEDS, share=st.floats(0.01, 0.99))
def test_components_are_as_many_as_scikit_learn_keeps(n, n_z, seed, share):
    memories = normal(n, n_z, seed=seed)
    kept = PCA(n_components=share, svd_solver="full").fit(memories.numpy()).n_components_
    assert geometry.components(memories, share) == kept


def test_contribution_ratios_of_known_spreads():
    # Four points on two axes, at +-2 and +-1: variances as 4 to 1; the third latent is constant.
    memories = torch.tensor([[2.0, 0, 7], [-2, 0, 7], [0, 1, 7], [0, -1, 7]])
    np.testing.assert_allclose(
        geometry.contribution_ratios(memories), [0.8, 0.2, 0], rtol=0, atol=1e-15
    )
    duplicated = torch.linspace(-1, 1, 9)[:, None].repeat(1, 3)
    np.testing.assert_allclose(
        geometry.contribution_ratios(duplicated), [1, 0, 0], rtol=0, atol=1e-15
    )
    assert (geometry.contribution_ratios(duplicated) >= 0).all()


@given(n=st.integers(2, 10), n_z=st.integers(1, 8), seed=SEEDS)
def test_cosines_and_orthogonality_are_the_references(n, n_z, seed):
    vectors = normal(n, n_z, seed=seed)
    cosines = geometry.cosine_matrix(vectors)
    np.testing.assert_allclose(cosines, cosine_similarity(vectors.numpy()), rtol=0, atol=1e-14)
    found = geometry.orthogonality_error(vectors)
    expected = references.orthogonality(vectors.numpy())
    assert found.sum_of_squares == pytest.approx(expected, rel=1e-12)
    assert found.root == pytest.approx(math.sqrt(expected), rel=1e-12)


def test_orthogonality_of_ideal_opposite_and_duplicated_concepts():
    axes = torch.diag(torch.arange(1.0, 11.0))
    assert geometry.orthogonality_error(axes) == (0, 0)
    same = torch.tensor([[3.0, 4.0]]).repeat(10, 1)  # every cosine is 1: K (K - 1) of them count
    assert geometry.orthogonality_error(same) == pytest.approx((90, math.sqrt(90)), rel=1e-14)
    opposite = torch.tensor([[1.0, 0.0], [-2.0, 0.0]])
    assert geometry.orthogonality_error(opposite) == (2, math.sqrt(2))


@given(n=st.integers(1, 12), n_z=st.integers(1, 14), seed=SEEDS)
def test_no_vectors_are_more_orthogonal_than_the_welch_bound(n, n_z, seed):
    least = geometry.welch_bound(n, n_z)
    assert (
        geometry.orthogonality_error(normal(n, n_z, seed=seed)).sum_of_squares >= least[0] - 1e-12
    )
    assert least.root == math.sqrt(least.sum_of_squares)


@given(n=st.integers(3, 12), n_z=st.integers(2, 14), seed=SEEDS)
def test_vectors_around_the_origin_are_as_if_they_had_a_dimension_less_than_their_number(
    n, n_z, seed
):
    vectors = normal(n, n_z, seed=seed)
    least = geometry.welch_bound(n, min(n_z, n - 1))
    assert geometry.orthogonality_error(vectors - vectors.mean(0)).sum_of_squares >= least[0] - 1e-9
    corners = torch.eye(n, dtype=torch.float64) - 1 / n  # of a simplex: all cosines -1/(n - 1)
    assert geometry.orthogonality_error(corners).root == pytest.approx((n / (n - 1)) ** 0.5)


@pytest.mark.parametrize(("n", "n_z"), [(10, 1), (10, 2), (3, 2), (10, 4), (4, 3), (10, 10)])
def test_the_welch_bound_is_reached(n, n_z):
    # Unit vectors that fill all directions evenly: a simplex's corners, one direction many times,
    # the axes; for even N_z sines and cosines.
    if n_z == n - 1:
        vectors = torch.eye(n, dtype=torch.float64) - 1 / n
    elif n_z == 1:
        vectors = torch.ones(n, 1)
    elif n_z == n:
        vectors = torch.eye(n)
    else:
        turns = torch.arange(n, dtype=torch.float64)[:, None] * torch.arange(1, n_z // 2 + 1)
        angles = 2 * math.pi * turns / n
        vectors = torch.cat([angles.cos(), angles.sin()], 1)
    assert torch.linalg.matrix_rank(vectors) <= n_z
    found = geometry.orthogonality_error(vectors)
    expected = geometry.welch_bound(n, n_z)
    assert found.sum_of_squares == pytest.approx(expected.sum_of_squares, abs=1e-12)


def test_stages_are_cut_where_the_lines_cross():
    p = torch.tensor([0.0, 0.2, 0.4, 0.6, 1.0], dtype=torch.float64)
    memory, concept, abstract = 5 * p, 1 + 2 * p, torch.full_like(p, 2.2)
    found = geometry.stages(p, torch.stack([memory, concept, abstract]))
    # 5p = 1 + 2p at 1/3, 1 + 2p = 2.2 at 0.6
    assert [stage.nearest for stage in found] == [0, 1, 2]
    np.testing.assert_allclose([s.start for s in found], [0, 1 / 3, 0.6])
    np.testing.assert_allclose([s.stop for s in found], [1 / 3, 0.6, 1])


def test_stages_may_be_one_or_in_any_order():
    p = torch.tensor([0.1, 0.5, 0.9])
    (only,) = geometry.stages(p, torch.tensor([[1.0, 1, 1], [2, 2, 2], [3, 3, 3]]))
    assert only == (0, pytest.approx(0.1), pytest.approx(0.9))
    back = geometry.stages(p, torch.tensor([[3.0, 1, 3], [1, 3, 1], [9, 9, 9]]))
    assert [stage.nearest for stage in back] == [1, 0, 1]
    np.testing.assert_allclose([stage.stop for stage in back], [0.3, 0.7, 0.9], rtol=1e-6)


def test_windowed_pca_spans_what_scikit_learn_finds_in_each_window():
    generator = torch.Generator().manual_seed(2)
    scales = torch.tensor([3.0, 2.0, 0.5, 0.1])
    z = torch.randn(7, 40, 4, generator=generator) * scales + torch.arange(7.0)[:, None, None]
    planes = geometry.windowed_pca(z, window=2).numpy()
    assert planes.shape == (7, 4, 2)
    for t, plane in enumerate(planes):
        window = z[t : t + 3].reshape(-1, 4).double().numpy()
        expected = PCA(2).fit(window).components_.T
        # The same plane: equal projectors, however the pair is turned within it.
        np.testing.assert_allclose(plane @ plane.T, expected @ expected.T, atol=1e-9)
        np.testing.assert_allclose(plane.T @ plane, np.eye(2), atol=1e-12)
    first = PCA(2).fit(z[:3].reshape(-1, 4).double().numpy()).components_.T
    np.testing.assert_allclose(np.abs(planes[0].T @ first), np.eye(2), atol=1e-9)
    assert (planes[0][np.abs(planes[0]).argmax(0), [0, 1]] > 0).all()


def test_windowed_pca_turns_as_little_as_the_cloud():
    """A cloud whose variances change places makes plain eigenvectors jump; the plane does not."""
    generator = torch.Generator().manual_seed(3)
    cloud = torch.randn(500, 3, generator=generator)
    z = torch.stack([cloud * torch.tensor([2 - s, 1 + s, 0.1]) for s in (0.0, 0.4, 0.6, 1.0)])
    planes = geometry.windowed_pca(z, window=0)
    for before, after in itertools.pairwise(planes):
        np.testing.assert_allclose(before.T @ after, np.eye(2), atol=0.02)


@pytest.mark.parametrize(("shape", "window"), [((3, 5, 1), 1), ((3, 5, 4), -1)])
def test_windowed_pca_refuses_what_has_no_plane(shape, window):
    with pytest.raises(ValueError, match="allowed is"):
        geometry.windowed_pca(torch.zeros(shape), window)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_memories_have_no_mahalanobis_distance(n):
    with pytest.raises(ValueError, match=f"has {n} memories; allowed are 3 or more"):
        geometry.whitening(torch.rand(n, 4))


def test_whitening_measures_the_mahalanobis_distance_of_the_shrunk_covariance():
    memories = normal(60, 4) @ torch.diag(torch.tensor([3.0, 1.0, 0.5, 0.1]).double())
    z, target = normal(5, 4, seed=1), memories.mean(0)
    w = geometry.whitening(memories)
    found = geometry.distance(z @ w, target @ w)
    fitted = LedoitWolf().fit(memories.numpy())
    # scikit-learn gives squares of the distance to the fitted mean.
    np.testing.assert_allclose(found.square(), fitted.mahalanobis(z.numpy()), rtol=1e-9)


def test_in_its_own_whitened_coordinates_a_large_class_is_a_unit_ball():
    memories = normal(200_000, 3) @ normal(3, 3, seed=2)
    centred = (memories - memories.mean(0)) @ geometry.whitening(memories)
    np.testing.assert_allclose(np.cov(centred.T.numpy()), np.eye(3), atol=0.01)


@pytest.mark.parametrize(("d", "expected"), [(1, 1), (2, 2 / np.pi), (3, 1 / 2), (7, 5 / 16)])
def test_the_mean_cosine_of_random_directions_in_closed_form(d, expected):
    assert geometry.random_cosine(d) == pytest.approx(expected)


@pytest.mark.parametrize("d", [2, 5, 14, 19, 100])
def test_the_mean_cosine_of_random_directions_by_sampling(d):
    units = torch.nn.functional.normalize(normal(40_000, d), dim=1)
    cosines = (units[::2] * units[1::2]).sum(1).abs()
    assert float(cosines.mean()) == pytest.approx(geometry.random_cosine(d), rel=0.02)


@given(seed=SEEDS, d=st.integers(1, 30))
def test_no_vectors_around_the_origin_are_more_orthogonal_than_the_least_cosine(seed, d):
    """The mean of absolute values is at least the absolute value of the mean, which is known."""
    units = torch.nn.functional.normalize(normal(200, d, seed=seed), dim=1)
    ten = torch.cat([units[:5], -units[:5]])  # unit vectors that add up to zero
    mean = geometry.mean_over_pairs(geometry.cosine_matrix(ten).abs())
    assert mean >= geometry.least_cosine(10) - 1e-9


def test_the_least_cosine_is_that_of_a_regular_simplex():
    simplex = torch.eye(10).double() - 0.1
    mean = geometry.mean_over_pairs(geometry.cosine_matrix(simplex).abs())
    assert mean == pytest.approx(geometry.least_cosine(10))


# --- gains ----------------------------------------------------------------------------------


@given(seed=SEEDS, d=st.integers(1, 6))
def test_gains_are_a_mean_of_ratios_and_a_constrained_maximum(seed, d):
    jacobian, displacements = normal(d, d, seed=seed), 1 + normal(5, d, seed=seed + 1)
    along, across = geometry.directional_gains(jacobian, displacements)
    ratios = [np.linalg.norm(jacobian @ v) / np.linalg.norm(v) for v in displacements]
    assert along == pytest.approx(np.mean(ratios))
    # An orthonormal basis of what is orthogonal to the mean: its map's largest singular value.
    basis = np.linalg.svd(displacements.mean(0)[None].numpy())[2][1:]
    expected = np.linalg.norm(jacobian.numpy() @ basis.T, 2) if d > 1 else None
    assert across == pytest.approx(expected, abs=1e-12)


def test_gains_of_a_saddle_tell_its_two_directions():
    saddle = torch.diag(torch.tensor([0.5, 2.0], dtype=torch.float64))
    displaced = torch.tensor([[3.0, 0.0], [0.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    assert geometry.directional_gains(saddle, displaced) == pytest.approx(
        (0.5, 2.0)
    )  # nothing moved: no vote


@pytest.mark.parametrize("length", [0, 5e-7])
def test_gains_without_displacement_have_no_direction(length):
    """Nor has one of the size of rounding errors, as z(0) has without noise."""
    displaced = length * torch.eye(3)
    assert geometry.directional_gains(2 * torch.eye(3), displaced) == (None, pytest.approx(2.0))


@given(seed=SEEDS, d=st.integers(2, 6), k=st.integers(0, 6))
def test_the_share_within_a_subspace_is_that_of_an_orthogonal_projection(seed, d, k):
    k = min(k, d)
    basis = np.linalg.qr(normal(d, d, seed=seed).numpy())[0][:, :k]
    displaced = normal(5, d, seed=seed + 1)
    projected = displaced.numpy() @ basis @ basis.T
    share = (projected**2).sum(1) / (displaced.numpy() ** 2).sum(1)
    found = geometry.share_within(displaced, torch.from_numpy(basis))
    assert found == pytest.approx(share.mean(), abs=1e-12)


def test_without_displacement_there_is_no_share():
    assert geometry.share_within(torch.zeros(3, 2), torch.eye(2)[:, :1]) is None


# --- float32 latents, measured in float64 ----------------------------------------------------


def test_a_control_is_the_mean_chord_and_not_the_mean_of_the_chords_minima():
    curve = torch.tensor([5.0, 3.0, 1.5, 4.0])
    chords = torch.tensor([[5.0, 1, 3, 4], [5.0, 5, 1, 4]])  # their mean comes to 2, each to 1
    whole_chord, _ = geometry.approach_of_means(
        curve[None, :, None].repeat(1, 1, 2), chords.T[None]
    )
    assert whole_chord.approaches.tolist() == [True]


def test_no_share_of_the_variance_is_negative():
    for seed in range(20):  # one dimension among eight: seven variances are rounding errors
        memories = normal(20, 1, seed=seed) @ normal(1, 8, seed=seed + 50)
        assert (geometry.contribution_ratios(memories) >= 0).all()


def test_components_that_reach_a_share_exactly_are_enough():
    cross = torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    assert geometry.components(cross, 0.5) == 1


def test_cosines_of_float32_concepts_are_exact_in_float64():
    vectors = normal(10, 7, dtype=torch.float32)
    expected = cosine_similarity(vectors.double().numpy())
    np.testing.assert_allclose(geometry.cosine_matrix(vectors), expected, rtol=0, atol=1e-14)


def test_shares_of_float32_memories_far_from_the_origin_are_exact_in_float64():
    memories = 1000 + normal(50, 3, dtype=torch.float32)
    pca = PCA(svd_solver="full").fit(memories.double().numpy())
    found = geometry.contribution_ratios(memories)
    np.testing.assert_allclose(found, pca.explained_variance_ratio_, rtol=0, atol=1e-11)


def test_the_distance_to_a_segment_has_no_scale_of_its_own():
    points = normal(3, 50, 4)
    shrunk = geometry.chord_minimum(*(1e-3 * points))
    torch.testing.assert_close(1e3 * shrunk, geometry.chord_minimum(*points))
