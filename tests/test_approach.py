"""The closest approach against a plain loop in numpy."""

import dataclasses
import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import references
import torch
from hypothesis import given
from hypothesis import strategies as st

from repinf_core import data, geometry, models, profiles
from repinf_core.dynamics import approach
from repinf_core.models import mlp
from repinf_core.noise import NOISES, corrupt, draw_trials, noisy_trials

TRAIN = data.LabelledImages(*(part[:200] for part in data.load("digits", "train")))
EXPERIMENT = dataclasses.replace(
    profiles.PROFILES["smoke"], p_grid=(0.0, 0.3, 1.0), trials_per_p=7, steps=9, label=4
)


@pytest.fixture(scope="module")
def model():
    # In float64 and with larger weights than a fresh network's, so that trajectories do move.
    network = mlp.VAE(3, 16, torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(3)
    return network


@pytest.fixture(scope="module")
def train():
    return data.LabelledImages(TRAIN.images.double(), TRAIN.labels)


@pytest.mark.parametrize("noise", NOISES)
def test_the_closest_approach_is_that_of_a_plain_loop(model, train, noise):
    experiment = dataclasses.replace(EXPERIMENT, noise=noise)
    memories = models.memories(model, train.images)
    found = approach.closest_approach_by_noise(model, train, memories, experiment)
    w = references.weights(model)
    mu = references.encode(w, train.images.numpy())[0]
    concepts = references.concepts(mu, train.labels.numpy())
    for column, p in enumerate(experiment.p_grid):
        generator = torch.Generator().manual_seed(experiment.trial_seed)
        rows = draw_trials(train.labels, 4, 7, generator)
        x0 = corrupt(train.images[rows], p, generator, noise)
        _, z = references.rollout(w, x0.numpy(), 9)
        for row, target in enumerate((mu[rows], concepts[4], concepts.mean(0))):
            curves = np.linalg.norm(z - target, axis=-1)
            np.testing.assert_allclose(found.distance[row, column], curves.min(0), atol=1e-10)
            np.testing.assert_array_equal(found.step[row, column], curves.argmin(0))
    assert found.step.max() > 0
    assert (found.distance[0, 0] < 1e-10).all()  # without noise it starts at its memory


def test_the_trials_of_every_p_are_the_same_images_with_the_noise_of_that_p_alone(train):
    rows, x0 = approach.trials_by_noise(train, 4, 7, EXPERIMENT)
    assert (train.labels[rows] == 4).all()
    for p, stacked in zip(EXPERIMENT.p_grid, x0.split(7), strict=True):
        again, alone = noisy_trials(train, [4], 7, p, "permute", EXPERIMENT.trial_seed)
        assert torch.equal(rows, again)
        assert torch.equal(stacked, alone)


def test_fewer_trials_are_the_first_of_more(train):
    """Pages judge some of the trials that others follow: the same ones."""
    rows, x0 = approach.trials_by_noise(train, 4, 5, EXPERIMENT)
    more, of_more = approach.trials_by_noise(train, 4, 9, EXPERIMENT)
    assert torch.equal(rows, more[:5])
    assert torch.equal(x0.unflatten(0, (3, 5)), of_more.unflatten(0, (3, 9))[:, :5])


@given(trials=st.integers(1, 5), targets=st.integers(1, 4), seed=st.integers(0, 100))
def test_the_closest_approach_is_to_each_trials_own_targets(trials, targets, seed):
    points = torch.randn(targets, trials, 2, generator=torch.Generator().manual_seed(seed))
    z = torch.randn(4, trials, 2, generator=torch.Generator().manual_seed(seed + 1))
    # z of a trial goes through four given points: its image tells which it is, and when.
    path = SimpleNamespace(
        encode_mean=lambda x: z[x[:, 1].long(), x[:, 0].long()],
        decode_mean=lambda at: torch.stack(
            [torch.arange(trials), (at[:, None] == z.movedim(0, 1)).all(2).int().argmax(1) + 1], 1
        ).float(),
    )
    x0 = torch.stack([torch.arange(trials), torch.zeros(trials)], 1)
    found = approach.closest_approach(path, x0, points, 3)
    for target, trial in itertools.product(range(targets), range(trials)):
        curve = [references.distance(at, points[target, trial]) for at in z[:, trial]]
        assert found.distance[target, trial] == pytest.approx(min(curve), rel=1e-5)
        assert found.step[target, trial] == np.argmin(curve)


def test_groups_of_trials_come_apart():
    values = torch.arange(2 * 6).view(2, 6)  # two steps of three groups of two trials
    found = approach.by_group(values, 3)
    assert found.tolist() == [[[0, 1], [6, 7]], [[2, 3], [8, 9]], [[4, 5], [10, 11]]]


OTHER = dataclasses.replace(EXPERIMENT, trial_seed=9, seed=2, noise="invert", p=0.4, trials=5)


def test_images_and_noise_are_those_of_the_trial_seed_and_the_reading(model, train):
    """Not of training's seed, which is the same number in every profile."""
    memories = models.memories(model, train.images)
    rows, x0 = approach.trials_by_noise(train, 4, 7, OTHER)
    expected, noisy = noisy_trials(train, [4], 7, 0.3, "invert", 9)
    assert torch.equal(rows, expected)
    assert torch.equal(x0[7:14], noisy)
    concepts = geometry.concepts(memories, train.labels)
    distances, _ = approach.to_concepts(model, train, concepts, OTHER)
    _, x0 = noisy_trials(train, range(10), 5, 0.4, "invert", 9)
    first = (model.encode_mean(x0).detach() - concepts.repeat_interleave(5, 0)).norm(dim=1)
    torch.testing.assert_close(distances[:, 0].flatten(), first)


def test_the_closest_approach_of_a_float32_network_is_kept_in_float64():
    network = mlp.VAE(3, 16, torch.Generator().manual_seed(0))
    found = approach.closest_approach_by_noise(
        network, TRAIN, models.memories(network, TRAIN.images), OTHER
    )
    assert found.distance.dtype == found.step.dtype == torch.float64


def test_the_distances_to_the_concepts_are_those_of_a_plain_loop(model, train):
    memories = models.memories(model, train.images)
    concepts = geometry.concepts(memories, train.labels)
    experiment = dataclasses.replace(EXPERIMENT, trials=5, p=0.3)
    distances, chords = approach.to_concepts(model, train, concepts, experiment)
    w = references.weights(model)
    mu = references.encode(w, train.images.numpy())[0]
    targets = references.concepts(mu, train.labels.numpy())
    _, x0 = noisy_trials(train, range(10), 5, 0.3, "permute", experiment.trial_seed)
    _, z = references.rollout(w, x0.numpy(), 9)
    for trial, (label, of_label) in enumerate(itertools.product(range(10), range(5))):
        first, last = z[0, trial], z[-1, trial]
        for t in range(10):
            straight = first + (last - first) * t / 9
            here = distances[label, t, of_label], chords[label, t, of_label]
            there = [np.linalg.norm(at - targets[label]) for at in (z[t, trial], straight)]
            np.testing.assert_allclose(here, there, atol=1e-10)
    assert distances.shape == chords.shape == (10, 10, 5)


def test_the_bars_are_two_standard_errors():
    mean, bar = approach.mean_and_two_sem(torch.tensor([[1.0, 2.0, 3.0, 6.0]]))
    assert float(mean) == 3
    assert float(bar) == pytest.approx(2 * np.std([1, 2, 3, 6], ddof=1) / 2)
