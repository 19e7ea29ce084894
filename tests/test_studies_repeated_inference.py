"""The chapter on single images, from plain Python: its tables are those of a float64 loop."""

import dataclasses

import numpy as np
import pytest
import references
from pages import TRAIN, distances, model_of
from pages import trials as draw

from repinf_core import profiles
from repinf_core.studies import repeated_inference

SMALL = profiles.experiment(
    "smoke",
    {"n_z": 4, "n_hidden": 32, "epochs": 6, "trials": 6, "steps": 12, "label": 9},
)
LABELS = [str(label) for label in range(10)]


@pytest.fixture
def study():
    return repeated_inference.run(SMALL)


@pytest.fixture
def weights(study, model_store):
    return model_of(SMALL, model_store)


@pytest.fixture
def memories(weights):
    return references.encode(weights, references.array(TRAIN.images))[0]


@pytest.fixture
def concepts(memories):
    return references.concepts(memories, TRAIN.labels.numpy())


def test_of_each_label_the_median_trial_is_shown(study, weights, memories, concepts):
    assert study.medians.label.tolist() == LABELS
    for label, median in zip(range(10), study.medians.itertuples(), strict=True):
        rows, x0 = draw([label], SMALL.trials, SMALL, by_label=True)
        x, z = references.rollout(weights, x0, SMALL.steps)
        to_concept = distances(z, concepts[label])
        of_label = study.trials[study.trials.label == str(label)]
        np.testing.assert_array_equal(of_label.image, rows)
        np.testing.assert_allclose(of_label.minimum, to_concept.min(0), rtol=2e-4)
        # Of six the third: two are closer, three are farther.
        assert median.minimum == pytest.approx(np.sort(to_concept.min(0))[2], rel=2e-4)
        curve = to_concept[:, median.trial]
        to_memory = distances(z[:, median.trial], memories[rows[median.trial]])
        assert curve[median.step] == pytest.approx(curve.min(), rel=2e-4)
        assert to_memory[median.memory_step] == pytest.approx(to_memory.min(), rel=2e-4)
        assert median.memory_minimum == pytest.approx(to_memory.min(), rel=2e-4)
        assert (median.first, median.last) == pytest.approx((curve[0], curve[-1]), rel=2e-4)
        to_all = distances(concepts, z[-1, median.trial])
        assert median.nearest_at_end == LABELS[to_all.argmin()]
        example = study.examples[label]
        np.testing.assert_allclose(example.images, x[:, median.trial], atol=1e-4)
        drawn = example.curves.pivot(index="t", columns="target", values="distance")
        np.testing.assert_allclose(drawn.concept, curve, rtol=2e-4)
        np.testing.assert_allclose(drawn.memory, to_memory, rtol=2e-4)


def test_of_an_odd_number_of_trials_as_many_are_closer_as_farther():
    study = repeated_inference.run(dataclasses.replace(SMALL, trials=5, epochs=2))
    for label, of_label in study.trials.groupby("label"):
        (median,) = study.medians[study.medians.label == label].minimum
        assert median == of_label.minimum.median()


def test_images_of_concepts_and_of_labels(study, weights, concepts):
    expected = references.decode_mean(weights, concepts)
    np.testing.assert_allclose(study.concept_images, expected, atol=1e-5)
    assert study.times == (0, 1, 2, 5, 10, 12)
    assert list(study.label_images) == LABELS
    for images, example in zip(study.label_images.values(), study.examples, strict=True):
        np.testing.assert_array_equal(images, example.images[[0, 1, 2, 5, 10, 12]])


def test_the_shown_example_is_of_the_label_and_the_other_of_the_next(study):
    assert set(study.shown.curves.label) == {"9"}
    assert set(study.other.curves.label) == {"0"}


@pytest.mark.parametrize("noise", ["permute", "invert"])
def test_a_reading_is_that_of_the_first_trial(study, weights, memories, concepts, noise):
    (row,), x0 = draw([SMALL.label], 1, dataclasses.replace(SMALL, noise=noise), by_label=True)
    x, z = references.rollout(weights, x0, SMALL.steps)
    of_target = {
        "memory": distances(z[:, 0], memories[row]),
        "concept": distances(z[:, 0], concepts[SMALL.label]),
    }
    reading = study.readings.set_index("noise").loc[noise]
    assert reading.initial_distance_to_memory == pytest.approx(of_target["memory"][0], rel=2e-4)
    for target, curve in of_target.items():
        assert reading[f"distance_nearest_{target}"] == pytest.approx(curve.min(), rel=2e-4)
        at_step = curve[int(reading[f"step_nearest_{target}"])]
        assert at_step == pytest.approx(curve.min(), rel=2e-4)
        if noise == SMALL.noise:
            found = study.numbers[f"{target}_distances"]
            np.testing.assert_allclose(found, curve, rtol=2e-4)
    np.testing.assert_allclose(study.reading_images[noise], x[[0, 1, 2, 5, 10, 12], 0], atol=1e-4)


def test_the_numbers_of_the_first_trial_are_those_of_the_first_of_many(study):
    first = study.trials.set_index(["label", "trial"]).loc[("9", 0)]
    assert min(study.numbers["concept_distances"]) == pytest.approx(first.minimum, rel=1e-5)


def test_without_noise_a_trial_starts_at_its_memory():
    study = repeated_inference.run(dataclasses.replace(SMALL, p=0.0, epochs=2))
    at_start = study.curves[(study.curves.target == "memory") & (study.curves.t == 0)]
    assert at_start.distance.max() < 1e-5
    starts = [example.images[0] for example in study.examples]
    np.testing.assert_array_equal(starts, TRAIN.images[study.medians.image.tolist()])
    assert study.readings.initial_distance_to_memory.max() < 1e-5


@pytest.mark.parametrize(
    "given", [{"n_z": 1}, {"beta": 0.0}, {"beta": 1000.0, "n_z": 1}, {"trials": 3, "steps": 2}]
)
def test_it_runs_at_the_edges(given):
    edge = {"epochs": 2, "n_hidden": 8} | given
    study = repeated_inference.run(dataclasses.replace(SMALL, **edge))
    assert np.isfinite(study.curves.distance).all()
    assert (study.trials.minimum >= 0).all()
    assert study.times[-1] == study.experiment.steps
