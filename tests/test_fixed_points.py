"""Newton's search for fixed points and their spectra, on systems whose answer is known."""

from types import SimpleNamespace

import numpy as np
import pytest
import references
import torch
from scipy.optimize import root
from test_jacobian import network, points

from repinf_core.dynamics import fixed_points
from repinf_core.dynamics.jacobian import jacobian


def system(step):
    return SimpleNamespace(encode_mean=lambda x: x, decode_mean=step)


SADDLE = torch.tensor([[1.7, 0.4], [0.0, 0.3]], dtype=torch.float64)
AT = torch.tensor([2.0, -1.0], dtype=torch.float64)


def planted(z):
    """A saddle at AT with known eigenvalues, bent far from it."""
    out = z - AT
    return AT + out @ SADDLE.T + 0.1 * out**3


def test_a_planted_saddle_is_found_from_around_it_though_trajectories_leave_it():
    z0 = AT + 0.3 * points(8, 2)
    found = fixed_points.refine(system(planted), z0)
    near = (found.z - AT).norm(dim=1) < 1
    assert found.converged.all()
    assert near.any()
    torch.testing.assert_close(found.z[near], AT.expand_as(found.z[near]), atol=1e-7, rtol=0)
    spectrum = fixed_points.spectrum(jacobian(system(planted), found.z[near][:1]))
    torch.testing.assert_close(
        spectrum.moduli, torch.tensor([[1.7, 0.3]], dtype=torch.float64), rtol=1e-6, atol=1e-6
    )
    assert spectrum.unstable.tolist() == [1]
    assert float(spectrum.radius) == pytest.approx(1.7)
    largest = np.linalg.svd(SADDLE.numpy(), compute_uv=False)[0]
    assert float(spectrum.stretch) == pytest.approx(largest)  # beyond 1.7: it is not normal


def test_of_a_linear_map_one_step_of_the_search_is_enough():
    matrix, shift = 0.3 * points(4, 4, 1), points(1, 4, 2)
    linear = system(lambda z: z @ matrix.T + shift)
    found = fixed_points.refine(linear, points(5, 4), iterations=1)
    expected = np.linalg.solve(np.eye(4) - matrix.numpy(), shift[0].numpy())
    np.testing.assert_allclose(found.z, np.tile(expected, (5, 1)), atol=1e-9)
    assert found.converged.all()


def test_eigenvalues_of_a_linear_map_are_counted_by_modulus_whether_real_or_not():
    turn = 1.1 * torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 0.5]], dtype=torch.float64)
    spectrum = fixed_points.spectrum(torch.stack([turn, turn / 2]))
    assert spectrum.unstable.tolist() == [2, 0]
    np.testing.assert_allclose(spectrum.moduli[0], [1.1, 1.1, 0.55])


def test_a_map_without_a_fixed_point_is_counted_as_not_converged_and_kept():
    found = fixed_points.refine(system(lambda z: z + 1 + z**2), points(3, 1))
    assert not found.converged.any()
    assert found.z.isfinite().all()
    torch.testing.assert_close(found.residual, (1 + found.z**2).norm(dim=1))


def test_a_singular_matrix_ends_the_search_where_it_is():
    start = points(2, 3)
    found = fixed_points.refine(system(lambda z: z + 1), start)  # J - I = 0
    torch.testing.assert_close(found.z, start)
    assert not found.converged.any()


@pytest.mark.parametrize("n_z", [1, 3])
def test_of_a_network_it_finds_what_scipy_finds(n_z):
    """The general root finder of another program, on the network written in numpy."""
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


def test_a_float32_network_is_searched_in_float64_and_stays_as_it_is():
    model = network(2, seed=5).float()
    found = fixed_points.refine(model, points(4, 2).float())
    assert found.z.dtype == torch.float64
    assert next(model.parameters()).dtype == torch.float32


def test_points_are_one_within_the_tolerance_only():
    z = torch.tensor([[0.0, 0], [1, 0], [5e-5, 0], [1, 2e-4], [0, 0]], dtype=torch.float64)
    assert fixed_points.distinct(z).tolist() == [0, 1, 0, 2, 0]
    assert fixed_points.distinct(z, within=2).tolist() == [0] * 5
    assert fixed_points.distinct(z[:0]).tolist() == []
