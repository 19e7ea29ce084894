"""Long iteration of maps whose rest points and cycles are known."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from test_jacobian import network

from repinf_core.dynamics import settling


def system(step):
    """An autoencoder whose step map is ``step``, on latents ``[n, N_z]`` in float64."""
    return SimpleNamespace(encode_mean=lambda x: x, decode_mean=step)


def starts(n, n_z=3, seed=0):
    return torch.randn(n, n_z, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def rotation(angle):
    cos, sin = math.cos(angle), math.sin(angle)
    return torch.tensor([[cos, -sin], [sin, cos]], dtype=torch.float64)


def test_a_contraction_comes_to_rest_at_its_fixed_point_after_the_steps_that_its_factor_tells():
    fixed, factor = torch.tensor([1.0, -2, 0.5], dtype=torch.float64), 0.8
    contraction = system(lambda z: fixed + factor * (z - fixed))
    z0 = starts(5)
    found = settling.settle(contraction, z0, 1000, at=[1, 1000])
    assert (found.period == 1).all()
    torch.testing.assert_close(found.z, fixed.expand(5, 3), atol=1e-4, rtol=0)
    # The step from z(t-1) to z(t) has the length (1 - factor) factor^(t-1) |z(0) - fixed|.
    lengths = (z0 - fixed).norm(dim=1)
    for steps, length in zip(found.steps.tolist(), lengths.tolist(), strict=True):
        assert (1 - factor) * factor ** (steps - 1) * length < settling.AT_REST
        assert (1 - factor) * factor ** (steps - 2) * length >= settling.AT_REST
    assert found.moving.tolist() == [1.0, 0.0]


def test_the_share_that_moves_is_counted_among_all_even_those_that_rest():
    still = system(lambda z: torch.where(z.abs() > 1, z + 1, z))
    z0 = torch.tensor([[0.0], [0.5], [2.0], [0.1]], dtype=torch.float64)
    found = settling.settle(still, z0, 5, at=[2, 5])
    assert found.moving.tolist() == [0.25, 0.25]
    assert found.period.tolist() == [1, 1, 0, 1]
    assert found.steps.tolist() == [1, 1, 5, 1]


@pytest.mark.parametrize("period", [2, 3, 7])
def test_a_planted_cycle_is_found_with_its_length(period):
    turn = rotation(2 * math.pi / period)
    centre = torch.tensor([3.0, 1.0], dtype=torch.float64)

    def attracting(z):
        """Onto the circle of radius 2 around the centre, and on along it."""
        out = z - centre
        radius = out.norm(dim=1, keepdim=True)
        return centre + out / radius * (2 + 0.5 * (radius - 2)) @ turn.T

    found = settling.settle(system(attracting), centre + starts(6, 2), 500)
    assert (found.period == period).all()
    again = found.z
    for _ in range(period):
        again = attracting(again)
    torch.testing.assert_close(again, found.z, atol=1e-4, rtol=0)


def test_a_cycle_goes_on_moving_after_it_is_found():
    turn = rotation(math.pi / 2)
    found = settling.settle(system(lambda z: z @ turn.T), starts(4, 2), 1000, at=[2, 900, 1000])
    assert (found.period == 4).all()
    assert (found.steps < 900).all()
    assert found.moving.tolist() == [1.0, 1.0, 1.0]
    resting = torch.zeros(1, 2, dtype=torch.float64)
    both = settling.settle(
        system(lambda z: z @ turn.T), torch.cat([starts(3, 2), resting]), 1000, at=[1000]
    )
    assert both.moving.tolist() == [0.75]


def test_a_slow_spiral_into_a_fixed_point_is_no_cycle():
    """After a turn of 19.75 steps it is back to within the tolerance before its steps are short."""
    inwards = 0.996 * rotation(2 * math.pi / 19.75)
    found = settling.settle(system(lambda z: z @ inwards.T), starts(20, 2), 5000)
    assert (found.period == 1).all()
    assert (found.z.norm(dim=1) < 1e-4).all()


def test_a_closed_curve_that_nearly_returns_is_no_cycle():
    turn = rotation(2 * math.pi * (1 / 7 + 1e-7))  # a return after 7 steps misses by 9e-6 or less
    z0 = starts(6, 2)
    z0 = 2 * z0 / z0.norm(dim=1, keepdim=True)
    found = settling.settle(system(lambda z: z @ turn.T), z0, 3000)
    assert (found.period == 0).all()


def test_what_neither_rests_nor_cycles_is_kept_and_comes_back_if_its_curve_is_closed():
    turn = rotation(1.0)  # a radian a step: never the same point again
    circle = system(lambda z: z @ turn.T)
    z0 = starts(4, 2)
    found = settling.settle(circle, z0, 64)
    assert (found.period == 0).all()
    assert (found.steps == 64).all()
    torch.testing.assert_close(found.z, z0 @ torch.matrix_power(turn, 64).T)
    orbits = settling.orbits(circle, found.z, 1000)
    torch.testing.assert_close(orbits.size, 2 * z0.norm(dim=1), atol=0, rtol=1e-4)
    assert (orbits.back < 0.01 * orbits.size).all()


def test_what_drifts_does_not_come_back_and_what_stays_has_not_left():
    drift = settling.orbits(system(lambda z: z + 1), starts(3), 50)
    assert (drift.back > 0.5 * drift.size).all()
    still = settling.orbits(system(lambda z: z), starts(3), 50)
    assert (still.size == 0).all()
    assert still.back.isinf().all()


def test_chunks_do_not_enter_the_mathematics(monkeypatch):
    contraction = system(lambda z: torch.tanh(1.5 * z))
    whole = settling.settle(contraction, starts(50), 200, at=[5])
    monkeypatch.setattr(settling, "_CHUNK", 7)
    for one, other in zip(
        whole, settling.settle(contraction, starts(50), 200, at=[5]), strict=True
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("n", "steps", "at", "words"),
    [(3, 0, [], "T is 0"), (0, 5, [], "0 starts"), (3, 5, [6], r"at is \[6\]")],
)
def test_what_cannot_be_iterated_is_refused(n, steps, at, words):
    with pytest.raises(ValueError, match=words):
        settling.settle(system(lambda z: z), starts(n), steps, at)


# A double well in the first direction, a contraction in the second.
WELLS = system(lambda z: torch.stack([1.5 * z[..., 0] - 0.5 * z[..., 0] ** 3, z[..., 1] / 2], -1))


def test_each_trajectory_is_followed_by_itself():
    """One that has come to rest leaves the iteration, and the others go on as if alone."""
    z0 = torch.tensor([[1.0, 0.0], [0.01, 3.0], [-1.2, 1.0], [0.0, 1.0]]).double()
    together = settling.settle(WELLS, z0, 200, at=(5, 20))
    alone = [settling.settle(WELLS, start[None], 200, at=(5, 20)) for start in z0]
    for k, one in enumerate(alone):
        np.testing.assert_array_equal(together.z[k], one.z[0])
        assert (together.steps[k], together.period[k]) == (one.steps[0], one.period[0])
    assert together.moving.tolist() == torch.stack([one.moving for one in alone]).mean(0).tolist()
    ends = torch.tensor([[1, 0], [1, 0], [-1, 0], [0, 0]])
    np.testing.assert_allclose(together.z, ends, atol=1e-4)


def test_a_network_settles_as_the_rollout_goes():
    model, z0 = network(3), starts(5)
    z = z0
    for _ in range(7):
        z = model.encode_mean(model.decode_mean(z)).detach()
    found = settling.settle(model, z0, 7, rest=0.0)
    torch.testing.assert_close(found.z, z, rtol=1e-9, atol=1e-9)
