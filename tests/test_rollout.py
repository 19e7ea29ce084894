import math
from types import SimpleNamespace

import numpy as np
import pytest
import references
import torch
from hypothesis import given
from hypothesis import strategies as st

from repinf_core.dynamics.rollout import rollout, step_derivative, trajectory
from repinf_core.geometry import distance_to
from repinf_core.models.mlp import VAE, memories

N_PIXELS = 20


def network(seed=0):
    """A float64 network with weights large enough that z(t) keeps moving for several steps."""
    generator = torch.Generator().manual_seed(seed)
    model = VAE(3, 16, generator, N_PIXELS).double()
    for parameter in model.parameters():
        noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.data += 0.5 * noise
    return model


def images(trials, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(trials, N_PIXELS, generator=generator, dtype=torch.float64)


def latents(z, trials):
    """The observable that keeps everything."""
    return z


@given(trials=st.integers(1, 5), steps=st.integers(1, 8), seed=st.integers(0, 100))
def test_rollout_is_the_plain_loop(trials, steps, seed):
    model, x0 = network(seed), images(trials, seed + 1)
    found = rollout(model, x0, steps, {"z": latents}, keep_images=range(trials))
    x, z = references.rollout(references.weights(model), x0.numpy(), steps)
    # float64; the map stretches errors of 1e-16 by at most a few per step.
    np.testing.assert_allclose(found.observed["z"], z, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.images, x, rtol=0, atol=1e-12)
    assert torch.equal(found.images[0], x0)
    assert torch.equal(found.z_first, found.observed["z"][0])
    assert torch.equal(found.z_last, found.observed["z"][-1])
    assert not found.z_last.requires_grad


def test_the_trajectories_of_the_test_network_do_move():
    # Otherwise the comparisons here would hold for a loop that repeats its first step.
    z = rollout(network(), images(5), 8, {"z": latents}).observed["z"]
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


@given(
    trials=st.integers(1, 7),
    chunk=st.integers(1, 8),
    keep=st.lists(st.integers(0, 6), max_size=9),
    seed=st.integers(0, 100),
)
def test_the_chunk_changes_nothing(trials, chunk, keep, seed):
    keep = [trial for trial in keep if trial < trials]
    model, x0, targets = network(seed), images(trials), images(trials)[:, :3]
    observe = {
        "z": latents,
        "distance": distance_to(targets),
        "outer": lambda z, rows: z[:, :, None] * targets[rows][:, None, :],
        "trial": lambda z, rows: torch.arange(trials)[rows],
    }
    whole = rollout(model, x0, 4, observe, keep, chunk=trials)
    parts = rollout(model, x0, 4, observe, keep, chunk=chunk)
    # Matrix products of other heights may sum in another order: float64's 1e-16, stretched by
    # four steps.
    near = {"rtol": 0, "atol": 1e-12}
    shapes = {"z": (3,), "distance": (), "outer": (3, 3), "trial": ()}
    for name, trailing in shapes.items():
        assert parts.observed[name].shape == (5, trials, *trailing)
        torch.testing.assert_close(parts.observed[name], whole.observed[name], **near)
    torch.testing.assert_close(parts.z_first, whole.z_first, **near)
    torch.testing.assert_close(parts.z_last, whole.z_last, **near)
    assert parts.images.shape == (5, len(keep), N_PIXELS)
    torch.testing.assert_close(parts.images, whole.images, **near)


@pytest.mark.parametrize("chunk", [1, 2, 3, 100])
def test_images_are_kept_in_the_order_asked_for(chunk):
    model, x0, keep = network(), images(6), [5, 0, 3, 0, 4]
    found = rollout(model, x0, 3, keep_images=keep, chunk=chunk).images
    assert torch.equal(found[0], x0[keep])
    everything = rollout(model, x0, 3, keep_images=range(6), chunk=chunk).images
    assert torch.equal(found, everything[:, keep])


@pytest.mark.parametrize("chunk", [1, 4, 5, 100])
def test_an_observable_is_told_which_trials_it_sees(chunk):
    trials, steps, seen = 10, 3, []
    x0 = torch.arange(10.0, dtype=torch.float64)[:, None].repeat(1, N_PIXELS)
    model = SimpleNamespace(
        encode_mean=lambda x: x[:, :1], decode_mean=lambda z: z.repeat(1, N_PIXELS)
    )  # z of a trial is its number, for ever

    def number(z, rows):
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
    model, x0 = network(), images(4)
    found = rollout(model, x0, 5, {"z": latents}, keep_images=range(4))
    with torch.no_grad():
        z = model.encode_mean(found.images)
        x = model.decode_mean(found.observed["z"][:-1])
    torch.testing.assert_close(found.observed["z"], z, rtol=0, atol=1e-13)
    torch.testing.assert_close(found.images[1:], x, rtol=0, atol=1e-13)


def test_only_means_are_used_and_nothing_is_drawn(monkeypatch):
    def fail(*args):
        raise AssertionError("log sigma^2 is not needed")

    model, x0 = network(), images(4)
    monkeypatch.setattr(model, "encode", fail)
    before = torch.get_rng_state()
    first, again = (rollout(model, x0, 5, {"z": latents}) for _ in range(2))
    assert torch.equal(first.observed["z"], again.observed["z"])
    assert torch.equal(torch.get_rng_state(), before)


def test_x0_is_left_as_it_was_and_nothing_is_observed_unasked():
    model, x0 = network(), images(4)
    before = x0.clone()
    found = rollout(model, x0, 5)
    assert torch.equal(x0, before)
    assert found.observed == {}
    assert found.images.shape == (6, 0, N_PIXELS)


def test_trajectory_yields_x0_first_and_t_plus_1_pairs():
    model, x0 = network(), images(2)
    pairs = list(trajectory(model, x0, 4))
    assert len(pairs) == 5
    assert pairs[0][0] is x0
    kept = rollout(model, x0, 4, {"z": latents}, keep_images=[0, 1])
    torch.testing.assert_close(torch.stack([x for x, _ in pairs]), kept.images)
    torch.testing.assert_close(torch.stack([z for _, z in pairs]), kept.observed["z"])


def test_z0_of_a_clean_image_is_its_memory_to_the_last_bit():
    model = network().float()
    clean = images(50).float()
    assert torch.equal(rollout(model, clean, 2).z_first, memories(model, clean))


@pytest.mark.parametrize("steps", [0, -3])
def test_too_few_steps_are_refused(steps):
    with pytest.raises(ValueError, match=f"T is {steps}; allowed is an integer from 1"):
        rollout(network(), images(2), steps)


def test_no_trials_are_refused():
    with pytest.raises(ValueError, match="0 trials; allowed is 1 or more"):
        rollout(network(), images(0), 3)


@pytest.mark.parametrize("keep", [[3], [-1], [0, 7, 1]])
def test_keeping_a_trial_that_does_not_exist_is_refused(keep):
    with pytest.raises(ValueError, match="allowed are trials 0 to 2") as error:
        rollout(network(), images(3), 3, keep_images=keep)
    assert str(keep) in str(error.value)


@given(seed=st.integers(0, 100))
def test_the_derivative_of_a_step_is_that_of_finite_differences(seed):
    model = network(seed)
    z = torch.randn(3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    weights = references.weights(model)

    def step(at):
        return references.encode(weights, references.decode_mean(weights, at))[0]

    size = 1e-5
    differences = [
        (step(z.numpy() + size * axis) - step(z.numpy() - size * axis)) / (2 * size)
        for axis in np.eye(3)
    ]
    found = step_derivative(model, z)
    # Central differences are off by the third derivative times size squared.
    np.testing.assert_allclose(found, np.array(differences).T, rtol=1e-5, atol=1e-7)
    assert not found.requires_grad
