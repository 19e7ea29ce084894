"""Fixed points and ends of trajectories, on maps where they are known and against scipy."""

import math

import numpy as np
import planted
import pytest
import references
import scipy.optimize
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_jacobian import Bent, network, points

from repinf_core.dynamics import fixed_points, settling
from repinf_core.dynamics.jacobian import jacobian
from repinf_core.models.mlp import VAE


def rows(*points):
    return torch.tensor(points, dtype=torch.float64)


@given(n_z=st.integers(1, 5), seed=st.integers(0, 100))
def test_of_a_linear_map_newtons_method_finds_the_fixed_point_and_the_spectrum_is_known(n_z, seed):
    moduli = np.linspace(0.3, 1.7, n_z)
    basis = np.linalg.qr(points(n_z, n_z, seed).numpy())[0]
    matrix = torch.from_numpy(basis @ np.diag(moduli) @ basis.T)
    target = points(1, n_z, seed + 1)[0]
    model = planted.linear(matrix, target)
    found = fixed_points.refine(model, points(3, n_z, seed + 2))
    assert found.converged.all()
    torch.testing.assert_close(found.z, target.expand(3, n_z), rtol=1e-7, atol=1e-7)
    spectrum = fixed_points.spectrum(jacobian(model, found.z))
    np.testing.assert_allclose(spectrum.moduli[0], moduli[::-1], rtol=1e-9)
    assert (spectrum.index == int((moduli > 1).sum())).all()
    np.testing.assert_allclose(spectrum.radius, moduli.max(), rtol=1e-9)
    np.testing.assert_allclose(spectrum.stretch, moduli.max(), rtol=1e-9)  # it is symmetric


def test_a_map_that_is_not_normal_stretches_more_than_its_spectrum_says():
    spectrum = fixed_points.spectrum(rows([0.5, 3.0], [0.0, 0.4])[None])
    np.testing.assert_allclose(spectrum.moduli, [[0.5, 0.4]])
    # The singular values of [[a, b], [0, d]] have squares that sum to a^2 + b^2 + d^2.
    s, product = 0.25 + 9 + 0.16, 0.2
    expected = math.sqrt((s + math.sqrt(s**2 - 4 * product**2)) / 2)
    np.testing.assert_allclose(spectrum.stretch, [expected])
    assert spectrum.index.tolist() == [0]


def test_a_planted_saddle_is_found_with_its_index_and_trajectories_leave_it():
    model = planted.saddle()
    found = fixed_points.refine(model, rows([0.3, 0.1], [2.0, 1.2], [1.0, -0.9]))
    torch.testing.assert_close(found.z, rows([0, 0], [0, 1], [0, -1]), rtol=1e-7, atol=1e-7)
    spectrum = fixed_points.spectrum(jacobian(model, found.z))
    assert spectrum.index.tolist() == [1, 0, 0]
    torch.testing.assert_close(spectrum.radius, torch.tensor([1.3, 0.5, 0.5]).double())
    ends = settling.settle(model, rows([0.3, 1e-3], [0.3, -1e-3]), 1000)
    assert ends.at_rest.all()
    torch.testing.assert_close(ends.z, rows([0, 1], [0, -1]), rtol=1e-4, atol=1e-4)


def test_a_contraction_ends_at_its_fixed_point_and_the_steps_are_those_of_its_rate():
    target = rows([2.0, -1.0])[0]
    model = planted.linear(torch.eye(2, dtype=torch.float64) / 2, target)
    starts = target + rows([1.0, 0.0], [0.0, 1e-4])
    ends = settling.settle(model, starts, 100, at=[1, 9, 10, 11])
    # A step from distance d has the length d / 2: 2^-t at step t from the first start.
    assert ends.steps.tolist() == [17, 4]
    assert ends.at_rest.all()
    torch.testing.assert_close(ends.z, target.expand(2, 2), rtol=0, atol=1e-5)
    # 2^-9 > 1e-3 > 2^-10; the second start has never moved so far.
    assert ends.moving.tolist() == [0.5, 0.5, 0, 0]


@pytest.mark.parametrize(("seconds", "period"), [(2, 2), (math.pi, 2)])
def test_a_two_cycle_never_rests_and_returns_after_two_steps(seconds, period):
    model = planted.two_cycle() if seconds == 2 else planted.circle(seconds)
    start = rows([0.3]) if seconds == 2 else rows([0.3, 0.4])
    ends = settling.settle(model, start, 500, at=[20, 500])
    assert not ends.at_rest.any()
    assert ends.moving.tolist() == [1, 1]
    found = settling.motion(model, ends.z, 10)
    assert found.period.tolist() == [period]
    torch.testing.assert_close(found.excursion, torch.tensor([2.0]).double())
    torch.testing.assert_close(found.last_step, torch.tensor([2.0]).double())


def test_a_closed_curve_is_gone_round_in_its_period_and_a_spiral_outwards_never_returns():
    ends = settling.settle(planted.circle(math.tau / 40), rows([0.3, 0.4], [5.0, 0.0]), 200)
    found = settling.motion(planted.circle(math.tau / 40), ends.z, 60)
    assert found.period.tolist() == [40, 40]
    assert settling.motion(planted.circle(1.0), ends.z, 60).period.ne(0).all()  # never the same
    grows = planted.linear(1.1 * torch.eye(2, dtype=torch.float64), torch.zeros(2).double())
    assert settling.motion(grows, rows([1.0, 0.0]), 50).period.tolist() == [0]


def test_what_has_no_fixed_point_does_not_converge_and_is_left_where_it_is():
    shifted = planted.model(lambda z: z + 1)  # its matrix f' - 1 is singular
    found = fixed_points.refine(shifted, rows([0.5]))
    assert not found.converged.any()
    torch.testing.assert_close(found.z, rows([0.5]))
    missed = fixed_points.refine(planted.model(lambda z: z**2 + 1), rows([0.3], [3.0]))
    assert not missed.converged.any()
    assert (missed.residual >= 0.75).all()  # z^2 + 1 - z is never smaller


@pytest.mark.parametrize("kind", [VAE, Bent])
def test_fixed_points_of_a_network_are_those_that_scipy_finds(kind):
    """Of a subclass, which has no closed form, by the general path."""
    model = network(n_z=3, seed=1, kind=kind).float()
    starts = points(6, 3)
    found = fixed_points.refine(model, starts)
    weights = references.weights(model)

    def residual(z):
        mean = references.encode(weights, references.decode_mean(weights, z))[0]
        return (np.sin(mean) if kind is Bent else mean) - z

    assert found.converged.any()
    for z, gap in zip(found.z[found.converged].numpy(), found.residual, strict=False):
        assert np.linalg.norm(residual(z)) < 2e-8
        solved = scipy.optimize.root(residual, z + 1e-3)
        np.testing.assert_allclose(z, solved.x, atol=1e-6)
        assert gap < fixed_points.RESIDUAL
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())


def test_points_nearer_than_the_tolerance_are_one():
    z = rows([0, 0], [3, 0], [0, 1e-5], [3, 2e-4], [0, 0])
    assert fixed_points.distinct(z).tolist() == [0, 1, 0, 2, 0]
    assert fixed_points.distinct(z, 1e-3).tolist() == [0, 1, 0, 1, 0]
    assert fixed_points.distinct(rows([math.nan, 0], [math.nan, 0])).tolist() == [0, 1]
    assert fixed_points.distinct(z[:0]).tolist() == []


def test_many_trajectories_end_as_each_alone():
    model = network(n_z=2, n_hidden=8, seed=3)
    z = points(1500, 2)
    together = settling.settle(model, z, 50)
    for i in (0, 1023, 1024, 1499):
        alone = settling.settle(model, z[i, None], 50)
        torch.testing.assert_close(together.z[i], alone.z[0])
        assert together.steps[i] == alone.steps[0]


def test_what_cannot_be_followed_is_refused_in_one_sentence():
    model = planted.saddle()
    with pytest.raises(ValueError, match=r"steps T is 0; allowed is an integer from 1\."):
        settling.settle(model, rows([0, 0]), 0)
    with pytest.raises(ValueError, match=r"z0 holds 0 starts; allowed is 1 or more\."):
        settling.settle(model, rows([0, 0])[:0], 5)
    with pytest.raises(ValueError, match=r"at is \[6\]; allowed are steps from 1 to 5\."):
        settling.settle(model, rows([0, 0]), 5, at=[6])
