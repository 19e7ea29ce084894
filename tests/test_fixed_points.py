"""Rest, cycles and fixed points of maps whose fixed points, cycles and eigenvalues are known."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_jacobian import network, points

from repinf_core.dynamics import fixed_points, settling
from repinf_core.dynamics.jacobian import jacobian

SEEDS = st.integers(0, 1000)


def of_map(f):
    """An autoencoder whose step map is f: its images are its latent states."""
    return SimpleNamespace(decode_mean=lambda z: z, encode_mean=f)


def linear(matrix, fixed):
    """z -> fixed + matrix (z - fixed)."""
    return of_map(lambda z: fixed + (z - fixed) @ matrix.T)


def matrix_of(eigenvalues, seed):
    """A real matrix with these eigenvalues, not normal."""
    basis = torch.eye(len(eigenvalues)).double() + 0.3 * points(
        len(eigenvalues), len(eigenvalues), seed
    )
    return basis @ torch.diag(torch.tensor(eigenvalues).double()) @ torch.linalg.inv(basis)


# A double well in the first direction, a contraction in the second: attractors at (-1, 0) and
# (1, 0), and between them a saddle at 0 with the eigenvalues 1.5 and 0.5.
WELLS = of_map(lambda z: torch.stack([1.5 * z[..., 0] - 0.5 * z[..., 0] ** 3, z[..., 1] / 2], -1))


# --- settling -------------------------------------------------------------------------------


@given(seed=SEEDS, n=st.integers(1, 9))
def test_a_contraction_settles_at_its_fixed_point(seed, n):
    fixed, starts = points(1, 3, seed)[0], points(n, 3, seed + 1)
    found = settling.settle(linear(0.5 * torch.eye(3).double(), fixed), starts, 100, at=(1, 100))
    np.testing.assert_allclose(found.z, fixed.expand(n, 3), atol=2 * settling.AT_REST)
    assert (found.period == 1).all()
    # The step from t - 1 to t has length ||z(0) - fixed|| / 2^t.
    first = (starts - fixed).norm(dim=1)
    expected = torch.ceil(torch.log2(first / settling.AT_REST)).clamp_min(1)
    assert (found.steps - expected).abs().max() <= 1
    assert found.moving.tolist() == [float((first / 2 > settling.MOVING).double().mean()), 0]


@pytest.mark.parametrize("period", [2, 3, 5])
def test_a_rotation_by_a_part_of_the_circle_is_a_cycle_of_as_many_steps(period):
    angle = torch.tensor(2 * np.pi / period)
    turn = torch.tensor([[angle.cos(), -angle.sin()], [angle.sin(), angle.cos()]]).double()
    found = settling.settle(linear(turn, torch.zeros(2).double()), points(4, 2), 1000)
    assert found.period.tolist() == [period] * 4
    assert (found.steps < 1000).all()


def test_what_neither_rests_nor_cycles_is_counted_and_kept():
    drift = of_map(lambda z: z + 1)
    found = settling.settle(drift, points(3, 2), 10, at=(10,))
    assert found.period.tolist() == [0, 0, 0]
    assert found.steps.tolist() == [10, 10, 10]
    assert found.moving.tolist() == [1]
    np.testing.assert_allclose(found.z, points(3, 2) + 10)


def test_each_trajectory_is_followed_by_itself():
    """One that has come to rest leaves the iteration, and the others go on as if alone."""
    starts = torch.tensor([[1.0, 0.0], [0.01, 3.0], [-1.2, 1.0], [0.0, 1.0]]).double()
    together = settling.settle(WELLS, starts, 200, at=(5, 20))
    alone = [settling.settle(WELLS, start[None], 200, at=(5, 20)) for start in starts]
    for k, one in enumerate(alone):
        np.testing.assert_array_equal(together.z[k], one.z[0])
        assert (together.steps[k], together.period[k]) == (one.steps[0], one.period[0])
    assert together.moving.tolist() == torch.stack([one.moving for one in alone]).mean(0).tolist()
    ends = torch.tensor([[1, 0], [1, 0], [-1, 0], [0, 0]])
    np.testing.assert_allclose(together.z, ends, atol=1e-4)


def test_a_network_settles_as_the_rollout_goes():
    model, starts = network(3), points(5, 3)
    z = starts
    for _ in range(7):
        z = model.encode_mean(model.decode_mean(z)).detach()
    found = settling.settle(model, starts, 7, rest=0.0)
    torch.testing.assert_close(found.z, z, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "The number of steps T is 0; allowed is an integer from 1"),
        ({"z0": torch.zeros(0, 2)}, "z0 holds 0 starts; allowed is 1 or more"),
        ({"at": (0,)}, r"at is \[0\]; allowed are steps from 1 to 5"),
        ({"at": (6,)}, r"at is \[6\]; allowed are steps from 1 to 5"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(changes, message):
    arguments = {"model": WELLS, "z0": points(1, 2), "steps": 5} | changes
    with pytest.raises(ValueError, match=message):
        settling.settle(**arguments)


# --- Newton ---------------------------------------------------------------------------------


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
