"""The closest approach against a plain loop in numpy."""

import dataclasses
import itertools

import numpy as np
import pytest
import references
import torch

from repinf_core import data, geometry, models, noise, profiles
from repinf_core.dynamics import hierarchy
from repinf_core.models import mlp

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


@pytest.mark.parametrize("kind", noise.NOISES)
def test_the_closest_approach_is_that_of_a_plain_loop(model, train, kind):
    experiment = dataclasses.replace(EXPERIMENT, noise=kind)
    memories = models.memories(model, train.images)
    found = hierarchy.closest(model, train, memories, experiment)
    w = references.weights(model)
    mu = references.encode(w, train.images.numpy())[0]
    concepts = references.concepts(mu, train.labels.numpy())
    for column, p in enumerate(experiment.p_grid):
        generator = torch.Generator().manual_seed(experiment.trial_seed)
        rows = noise.draw_trials(train.labels, 4, 7, generator)
        x0 = noise.corrupt(train.images[rows], p, generator, kind)
        _, z = references.rollout(w, x0.numpy(), 9)
        for row, target in enumerate((mu[rows], concepts[4], concepts.mean(0))):
            curves = np.linalg.norm(z - target, axis=-1)
            np.testing.assert_allclose(found.distance[row, column], curves.min(0), atol=1e-10)
            np.testing.assert_array_equal(found.step[row, column], curves.argmin(0))
    assert found.step.max() > 0
    assert (found.distance[0, 0] < 1e-10).all()  # without noise it starts at its memory


def test_the_same_images_carry_more_noise(model, train):
    memories = models.memories(model, train.images)
    rows, _ = hierarchy.infer(model, train, memories, EXPERIMENT, 0.1)
    again, ran = hierarchy.infer(model, train, memories, EXPERIMENT, 0.9)
    assert torch.equal(rows, again)
    assert (train.labels[rows] == EXPERIMENT.label).all()
    assert ran.observed["z"].shape == (10, 7, 3)
    _, ran = hierarchy.infer(model, train, memories, EXPERIMENT, 0.9, keep_z=False)
    assert set(ran.observed) == set(hierarchy.CLASSES)


OTHER = dataclasses.replace(EXPERIMENT, trial_seed=9, seed=2, noise="invert", p=0.4, trials=5)


def test_images_and_noise_are_those_of_the_trial_seed_and_the_reading(model, train):
    """Not of training's seed, which is the same number in every profile."""
    memories = models.memories(model, train.images)
    rows, ran = hierarchy.infer(model, train, memories, OTHER, 0.3)
    expected, x0 = noise.noisy_trials(train, [4], 7, 0.3, "invert", 9)
    assert torch.equal(rows, expected)
    torch.testing.assert_close(ran.z_first, model.encode_mean(x0).detach())
    concepts = geometry.concepts(memories, train.labels)
    distances, _ = hierarchy.to_concepts(model, train, concepts, OTHER)
    _, x0 = noise.noisy_trials(train, range(10), 5, 0.4, "invert", 9)
    first = (model.encode_mean(x0).detach() - concepts.repeat_interleave(5, 0)).norm(dim=1)
    torch.testing.assert_close(distances[:, 0].flatten(), first)


def test_the_closest_approach_of_a_float32_network_is_kept_in_float64():
    network = mlp.VAE(3, 16, torch.Generator().manual_seed(0))
    found = hierarchy.closest(network, TRAIN, models.memories(network, TRAIN.images), OTHER)
    assert found.distance.dtype == found.step.dtype == torch.float64


def test_the_distances_to_the_concepts_are_those_of_a_plain_loop(model, train):
    memories = models.memories(model, train.images)
    concepts = geometry.concepts(memories, train.labels)
    experiment = dataclasses.replace(EXPERIMENT, trials=5, p=0.3)
    distances, lines = hierarchy.to_concepts(model, train, concepts, experiment)
    w = references.weights(model)
    mu = references.encode(w, train.images.numpy())[0]
    targets = references.concepts(mu, train.labels.numpy())
    _, x0 = noise.noisy_trials(train, range(10), 5, 0.3, "swap", experiment.trial_seed)
    _, z = references.rollout(w, x0.numpy(), 9)
    for trial, (label, of_label) in enumerate(itertools.product(range(10), range(5))):
        first, last = z[0, trial], z[-1, trial]
        for t in range(10):
            straight = first + (last - first) * t / 9
            here = distances[label, t, of_label], lines[label, t, of_label]
            there = [np.linalg.norm(at - targets[label]) for at in (z[t, trial], straight)]
            np.testing.assert_allclose(here, there, atol=1e-10)
    assert distances.shape == lines.shape == (10, 10, 5)


def test_the_bars_are_two_standard_errors():
    mean, bar = hierarchy.mean_and_two_sem(torch.tensor([[1.0, 2.0, 3.0, 6.0]]))
    assert float(mean) == 3
    assert float(bar) == pytest.approx(2 * np.std([1, 2, 3, 6], ddof=1) / 2)
