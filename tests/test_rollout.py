import math
from types import SimpleNamespace

import numpy as np
import pytest
import references
import torch
from hypothesis import given
from hypothesis import strategies as st

from repinf_core.dynamics.rollout import images, latents, proven, rollout, trajectory
from repinf_core.geometry import distance_to
from repinf_core.models import memories
from repinf_core.models.mlp import VAE

N_PIXELS = 20


def network(seed=0):
    """A float64 network with weights large enough that z(t) keeps moving for several steps."""
    generator = torch.Generator().manual_seed(seed)
    model = VAE(3, 16, generator, N_PIXELS).double()
    for parameter in model.parameters():
        noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.data += 0.5 * noise
    return model


def noisy(trials, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(trials, N_PIXELS, generator=generator, dtype=torch.float64)


@given(trials=st.integers(1, 5), steps=st.integers(1, 8), seed=st.integers(0, 100))
def test_rollout_is_the_plain_loop(trials, steps, seed):
    model, x0 = network(seed), noisy(trials, seed + 1)
    found = rollout(model, x0, steps, {"x": images, "z": latents})
    x, z = references.rollout(references.weights(model), x0.numpy(), steps)
    # float64; the map stretches errors of 1e-16 by at most a few per step.
    np.testing.assert_allclose(found.observed["z"], z, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.observed["x"], x, rtol=0, atol=1e-12)
    assert torch.equal(found.observed["x"][0], x0)
    assert torch.equal(found.z_first, found.observed["z"][0])
    assert torch.equal(found.z_last, found.observed["z"][-1])
    assert not found.z_last.requires_grad


def test_the_trajectories_of_the_test_network_do_move():
    # Otherwise the comparisons here would hold for a loop that repeats its first step.
    z = rollout(network(), noisy(5), 8, {"z": latents}).observed["z"]
    assert ((z[1:] - z[:-1]).norm(dim=-1)[:3] > 1e-2).all()


def spiral(angle, shrink, fixed_point):
    """Linear encoder and decoder between which z turns by an angle and shrinks to a point."""
    turn = shrink * torch.tensor(
        [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]],
        dtype=torch.float64,
    )
    generator = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(N_PIXELS, 2, generator=generator, dtype=torch.float64)).Q.T
    return SimpleNamespace(
        encode_mean=lambda x: fixed_point + (x @ basis.T - fixed_point) @ turn,
        decode_mean=lambda z: z @ basis,
    ), basis


def test_a_linear_map_spirals_into_its_fixed_point_in_closed_form():
    fixed_point = torch.tensor([1.0, -2.0], dtype=torch.float64)
    model, basis = spiral(0.3, 0.9, fixed_point)
    z0 = torch.tensor([[3.0, 0.0], [0.0, 1.0], [-5.0, 2.0]], dtype=torch.float64)
    # The encoder turns once before z(0) is seen: undo it in x(0).
    back, _ = spiral(-0.3, 1 / 0.9, fixed_point)
    x0 = back.encode_mean(z0 @ basis) @ basis
    found = rollout(model, x0, 400, {"z": latents}).observed["z"]
    offset = z0 - fixed_point
    start = torch.complex(offset[:, 0], offset[:, 1])
    for t in range(401):
        expected = start * 0.9**t * complex(math.cos(0.3 * t), math.sin(0.3 * t))
        expected = torch.stack([expected.real, expected.imag], 1) + fixed_point
        torch.testing.assert_close(found[t], expected, rtol=0, atol=1e-13)
    assert (found[-1] - fixed_point).norm(dim=-1).max() < 1e-13


def test_at_a_fixed_point_nothing_moves():
    fixed_point = torch.tensor([1.0, -2.0], dtype=torch.float64)
    model, basis = spiral(0.3, 0.9, fixed_point)
    found = rollout(model, (fixed_point @ basis)[None], 50, {"z": latents})
    torch.testing.assert_close(
        found.observed["z"], fixed_point.expand(51, 1, 2), rtol=0, atol=1e-14
    )


@given(trials=st.integers(1, 7), chunk=st.integers(1, 8), seed=st.integers(0, 100))
def test_the_chunk_changes_nothing(trials, chunk, seed):
    model, x0, targets = network(seed), noisy(trials), noisy(trials)[:, :3]
    observe = {
        "x": images,
        "z": latents,
        "distance": distance_to(targets),
        "outer": lambda x, z, rows: z[:, :, None] * targets[rows][:, None, :],
        "trial": lambda x, z, rows: torch.arange(trials)[rows],
    }
    whole = rollout(model, x0, 4, observe, chunk=trials)
    parts = rollout(model, x0, 4, observe, chunk=chunk)
    # Matrix products of other heights may sum in another order: float64's 1e-16, stretched by
    # four steps.
    near = {"rtol": 0, "atol": 1e-12}
    shapes = {"x": (N_PIXELS,), "z": (3,), "distance": (), "outer": (3, 3), "trial": ()}
    for name, trailing in shapes.items():
        assert parts.observed[name].shape == (5, trials, *trailing)
        torch.testing.assert_close(parts.observed[name], whole.observed[name], **near)
    torch.testing.assert_close(parts.z_first, whole.z_first, **near)
    torch.testing.assert_close(parts.z_last, whole.z_last, **near)


@given(at=st.lists(st.integers(0, 6), min_size=1, unique=True).map(sorted), chunk=st.integers(1, 5))
def test_what_is_observed_at_some_steps_is_what_is_observed_there_at_all(at, chunk):
    model, x0, observe = network(), noisy(4), {"x": images, "z": latents}
    everything = rollout(model, x0, 6, observe, chunk=chunk)
    found = rollout(model, x0, 6, observe, at, chunk)
    for name in observe:
        assert torch.equal(found.observed[name], everything.observed[name][at])
    assert torch.equal(found.z_last, everything.z_last)


@pytest.mark.parametrize("at", [[], [-1, 2], [2, 4], [2, 1], [1, 1]])
def test_steps_that_there_are_not_or_out_of_order_are_refused(at):
    with pytest.raises(ValueError, match="allowed are increasing steps from 0 to 3") as error:
        rollout(network(), noisy(2), 3, {"z": latents}, at)
    assert f"at is {at}" in str(error.value)


@pytest.mark.parametrize("chunk", [1, 4, 5, 100])
def test_an_observable_is_told_which_trials_it_sees(chunk):
    trials, steps, seen = 10, 3, []
    x0 = torch.arange(10.0, dtype=torch.float64)[:, None].repeat(1, N_PIXELS)
    model = SimpleNamespace(
        encode_mean=lambda x: x[:, :1], decode_mean=lambda z: z.repeat(1, N_PIXELS)
    )  # z of a trial is its number, for ever

    def number(x, z, rows):
        seen.append(rows)
        assert z[:, 0].tolist() == list(range(trials))[rows]
        return torch.arange(trials)[rows]

    found = rollout(model, x0, steps, {"number": number}, chunk=chunk)
    assert found.observed["number"].tolist() == [list(range(trials))] * (steps + 1)
    assert found.observed["number"].dtype == torch.int64
    covered = sorted(trial for rows in seen for trial in range(trials)[rows])
    assert covered == sorted(list(range(trials)) * (steps + 1))
    assert all(len(range(trials)[rows]) <= chunk for rows in seen)


def test_images_and_latents_belong_to_the_same_time():
    model, x0 = network(), noisy(4)
    found = rollout(model, x0, 5, {"x": images, "z": latents}).observed
    with torch.no_grad():
        z = model.encode_mean(found["x"])
        x = model.decode_mean(found["z"][:-1])
    torch.testing.assert_close(found["z"], z, rtol=0, atol=1e-13)
    torch.testing.assert_close(found["x"][1:], x, rtol=0, atol=1e-13)


def test_only_means_are_used_and_nothing_is_drawn(monkeypatch):
    def fail(*args):
        raise AssertionError("log sigma^2 is not needed")

    model, x0 = network(), noisy(4)
    monkeypatch.setattr(model, "encode", fail)
    before = torch.get_rng_state()
    first, again = (rollout(model, x0, 5, {"z": latents}) for _ in range(2))
    assert torch.equal(first.observed["z"], again.observed["z"])
    assert torch.equal(torch.get_rng_state(), before)


def test_x0_is_left_as_it_was_and_nothing_is_observed_unasked():
    model, x0 = network(), noisy(4)
    before = x0.clone()
    found = rollout(model, x0, 5)
    assert torch.equal(x0, before)
    assert found.observed == {}


def test_trajectory_yields_x0_first_and_t_plus_1_pairs():
    model, x0 = network(), noisy(2)
    pairs = list(trajectory(model, x0, 4))
    assert len(pairs) == 5
    assert pairs[0][0] is x0
    kept = rollout(model, x0, 4, {"x": images, "z": latents}).observed
    torch.testing.assert_close(torch.stack([x for x, _ in pairs]), kept["x"])
    torch.testing.assert_close(torch.stack([z for _, z in pairs]), kept["z"])


def test_z0_of_a_clean_image_is_its_memory_to_the_last_bit():
    model = network().float()
    clean = noisy(50).float()
    assert torch.equal(rollout(model, clean, 2).z_first, memories(model, clean))


@pytest.mark.parametrize("steps", [0, -3])
def test_too_few_steps_are_refused(steps):
    with pytest.raises(ValueError, match=f"T is {steps}; allowed is an integer from 1"):
        rollout(network(), noisy(2), steps)


def test_no_trials_are_refused():
    with pytest.raises(ValueError, match="0 trials; allowed is 1 or more"):
        rollout(network(), noisy(0), 3)


def step_of_rollout(z):
    return z.sin(), z.cos()


@pytest.mark.parametrize("wrong", [RuntimeError("no kernel image"), 1.01])
def test_a_captured_step_that_fails_or_differs_is_not_taken(wrong):
    """Planted, as a GPU that this code has never met might do it."""

    def planted(z):
        if isinstance(wrong, Exception):
            raise wrong
        return z.sin(), wrong * z.cos()

    z = torch.linspace(-1, 1, 12).view(4, 3)
    with pytest.warns(UserWarning, match="Inference steps are not captured on this GPU: "):
        assert proven(planted, step_of_rollout, z) is step_of_rollout


def test_a_captured_step_that_differs_by_rounding_is_taken():
    def faster(z):
        return z.double().sin().float(), z.double().cos().float() * (1 + 1e-6)

    z = torch.linspace(-1, 1, 12).view(4, 3)
    assert proven(faster, step_of_rollout, z) is faster
