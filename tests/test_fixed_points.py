"""Fixed points of maps whose fixed points and eigenvalues are known."""

from types import SimpleNamespace

import numpy as np
import pytest
import references
import scipy.linalg
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import root
from test_jacobian import network, points

from repinf_core.dynamics import fixed_points
from repinf_core.dynamics.jacobian import jacobian

SEEDS = st.integers(0, 1000)


def of_map(f):
    """An autoencoder whose step map is f: its images are its latent states."""
    return SimpleNamespace(decode_mean=lambda z: z, encode_mean=f)


def linear(matrix, fixed):
    """z -> fixed + matrix (z - fixed)."""
    return of_map(lambda z: fixed + (z - fixed) @ matrix.T)


def matrix_of(eigenvalues, seed):
    """A real matrix with these eigenvalues, not normal, but never far from it."""
    n = len(eigenvalues)
    triangle = torch.diag(torch.tensor(eigenvalues).double()) + 0.3 * points(n, n, seed).triu(1)
    rotation = torch.linalg.qr(points(n, n, seed + 1))[0]
    return rotation @ triangle @ rotation.T


# A double well in the first direction, a contraction in the second: attractors at (-1, 0) and
# (1, 0), and between them a saddle at 0 with the eigenvalues 1.5 and 0.5.
WELLS = of_map(lambda z: torch.stack([1.5 * z[..., 0] - 0.5 * z[..., 0] ** 3, z[..., 1] / 2], -1))


@given(seed=SEEDS)
def test_newton_solves_a_linear_map_in_one_step(seed):
    """Whether the fixed point attracts or repels: here the eigenvalues are 3, 0.5 and -2."""
    fixed, starts = points(1, 3, seed)[0], points(4, 3, seed + 1)
    found = fixed_points.refine(linear(matrix_of([3, 0.5, -2], seed), fixed), starts, iterations=2)
    assert found.converged.all()
    np.testing.assert_allclose(found.z, fixed.expand(4, 3), atol=1e-6)


@pytest.mark.parametrize(
    ("start", "end"), [((0.1, 2.0), (0, 0)), ((0.9, -1.0), (1, 0)), ((-1.2, 0.3), (-1, 0))]
)
def test_newton_finds_a_planted_saddle_and_the_attractors_beside_it(start, end):
    found = fixed_points.refine(WELLS, torch.tensor([start]))
    assert found.converged.all()
    np.testing.assert_allclose(found.z[0], end, atol=1e-7)
    assert found.residual.max() < fixed_points.RESIDUAL
    spectrum = fixed_points.spectrum(jacobian(WELLS, found.z))
    assert spectrum.unstable.tolist() == [1 if end == (0, 0) else 0]


def test_a_search_without_a_solution_is_counted_as_such():
    found = fixed_points.refine(of_map(lambda z: z + 1 + z**2), points(3, 1))  # z^2 = -1
    assert not found.converged.any()
    assert found.z.isfinite().all()
    assert (found.residual >= 1).all()


def test_a_singular_map_stops_the_search_where_it_is():
    starts = points(2, 2)
    found = fixed_points.refine(of_map(lambda z: z + 1), starts)  # J - I = 0
    np.testing.assert_array_equal(found.z, starts)
    assert not found.converged.any()


@given(seed=SEEDS)
def test_the_search_from_one_start_does_not_depend_on_the_others(seed):
    starts = points(6, 2, seed) * 2
    together = fixed_points.refine(WELLS, starts)
    for k, start in enumerate(starts):
        alone = fixed_points.refine(WELLS, start[None])
        torch.testing.assert_close(together.z[k], alone.z[0], rtol=0, atol=1e-9)


def test_a_network_is_searched_in_float64():
    model = network(2, seed=3).float()
    found = fixed_points.refine(model, torch.zeros(1, 2))
    assert found.z.dtype == torch.float64
    assert next(model.parameters()).dtype == torch.float32  # the model itself stays
    again = fixed_points.displacement(fixed_points.in_float64(model), found.z)
    assert (again.norm(dim=1) < fixed_points.RESIDUAL).equal(found.converged)


@pytest.mark.parametrize("n_z", [1, 3])
def test_the_fixed_points_of_a_network_are_those_that_scipy_finds(n_z):
    """Scipy searches the network written in numpy."""
    model = network(n_z, seed=5)
    weights = references.weights(model)

    def displacement(at):
        decoded = references.decode_mean(weights, at[None])
        return references.encode(weights, decoded)[0][0] - at

    start = points(6, n_z)
    found = fixed_points.refine(model, start)
    assert found.converged.any()
    for z in found.z[found.converged].numpy():
        np.testing.assert_allclose(displacement(z), 0, atol=1e-7)
        theirs = root(displacement, z + 1e-4, tol=1e-12)
        assert theirs.success
        np.testing.assert_allclose(theirs.x, z, atol=1e-6)


@given(seed=SEEDS)
def test_newton_solves_for_some_latents_and_the_others_take_the_step_of_the_map(seed):
    """The blocks do not act on each other: one is solved in one step, the other contracts."""
    matrix = torch.block_diag(matrix_of([3, 0.5, -2], seed), matrix_of([0.1, -0.01], seed + 1))
    fixed, starts = points(1, 5, seed)[0], points(4, 5, seed + 1)
    latents = torch.tensor([True, True, True, False, False])
    model = linear(matrix, fixed)
    once = fixed_points.refine(model, starts, 1, latents)
    stepped = fixed + (starts - fixed) @ matrix.T
    np.testing.assert_allclose(once.z[:, :3], fixed[:3].expand(4, 3), atol=1e-4)
    np.testing.assert_allclose(once.z[:, 3:], stepped[:, 3:], atol=1e-12)
    assert not once.converged.any()
    found = fixed_points.refine(model, starts, latents=latents)
    assert found.converged.all()
    np.testing.assert_allclose(found.z, fixed.expand(4, 5), atol=1e-7)


# --- which are distinct, and their spectra --------------------------------------------------


def test_points_within_the_tolerance_are_one():
    z = torch.tensor([[0.0, 0], [1, 0], [5e-5, 0], [1, 5e-5], [torch.nan, 0], [2, 0]])
    assert fixed_points.distinct(z).tolist() == [0, 1, 0, 1, 2, 3]
    assert fixed_points.distinct(z[:0]).tolist() == []


@given(seed=SEEDS)
def test_the_spectrum_is_that_of_the_planted_eigenvalues(seed):
    matrix = matrix_of([2, -1.5, 0.25], seed)
    found = fixed_points.spectrum(matrix[None])
    np.testing.assert_allclose(found.moduli[0], [2, 1.5, 0.25], rtol=1e-9)
    assert found.radius.item() == pytest.approx(2)
    assert found.unstable.item() == 2
    assert found.stretch.item() == pytest.approx(np.linalg.norm(matrix.numpy(), 2))
    assert found.stretch.item() >= found.radius.item() - 1e-9


def test_complex_eigenvalues_count_by_their_modulus():
    turn = 1.1 * torch.tensor([[0.0, -1], [1, 0]]).double()
    found = fixed_points.spectrum(turn[None])
    np.testing.assert_allclose(found.moduli[0], [1.1, 1.1])
    assert found.unstable.item() == 2


@given(seed=st.integers(0, 2**31), real=st.integers(0, 2), pairs=st.integers(0, 2))
def test_growing_directions_span_the_planes_that_a_map_was_made_to_grow_in(seed, real, pairs):
    """A map built from blocks in known directions: growing ones, turning ones, shrinking ones."""
    rng = np.random.default_rng(seed)
    turn = 1.2 * np.array([[0.6, -0.8], [0.8, 0.6]])
    blocks = [np.array([[-1.5 - k]]) for k in range(real)] + [turn * (1 + k) for k in range(pairs)]
    k = real + 2 * pairs
    n = k + 2
    middle = scipy.linalg.block_diag(*blocks, np.diag([0.5, -0.3]))
    basis = rng.normal(size=(n, n)) + 3 * np.eye(n)
    jacobian = torch.from_numpy(basis @ middle @ np.linalg.inv(basis))
    found = fixed_points.growing_directions(jacobian).numpy()
    assert found.shape == (n, k)
    np.testing.assert_allclose(found.T @ found, np.eye(k), atol=1e-9)
    made = np.linalg.qr(basis[:, :k])[0]
    np.testing.assert_allclose(found @ found.T, made @ made.T, atol=1e-6)
