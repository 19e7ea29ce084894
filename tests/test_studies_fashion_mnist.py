"""Page 09's study in plain Python, against numpy in float64."""

import dataclasses

import numpy as np
import pages
import pytest
import references

from repinf_core import data, profiles
from repinf_core.models.mlp import VAESpec
from repinf_core.studies import fashion_mnist

SMALL = profiles.experiment(
    "smoke", {"epochs": 4, "n_z": 3, "trials": 6, "steps": 8, "trials_per_p": 5, "label": 2}
)
CLOTHES = dataclasses.replace(SMALL, dataset="fashion_mnist")


@pytest.fixture
def clothes(monkeypatch):
    """Half of the digits in Fashion-MNIST's place, for as long as there is no copy of it."""

    def read(split):
        images, labels = data.load("digits", split)
        return data.LabelledImages(images[::2], labels[::2])

    of_clothes = dataclasses.replace(data.DATASETS["fashion_mnist"], read=read)
    monkeypatch.setitem(data.DATASETS, "fashion_mnist", of_clothes)


@pytest.fixture
def no_clothes(monkeypatch):
    def read(split):
        raise data.DataError("There is no copy of it.")

    of_clothes = dataclasses.replace(data.DATASETS["fashion_mnist"], read=read)
    monkeypatch.setitem(data.DATASETS, "fashion_mnist", of_clothes)


def test_the_curves_and_counts_are_those_of_a_plain_computation(no_clothes, model_store):
    study = fashion_mnist.run(SMALL)
    weights = pages.stored_weights(VAESpec.of(SMALL), model_store)
    mu = references.encode(weights, references.array(pages.TRAIN.images))[0]
    concepts = references.concepts(mu, pages.TRAIN.labels.numpy())
    mean, chord, whole_chord, same_time = pages.approach(weights, concepts, SMALL)
    curves = study.curves.pivot(index="t", columns="label", values=["mean", "chord"])
    np.testing.assert_allclose(curves["mean"], mean, rtol=2e-4)
    np.testing.assert_allclose(curves["chord"], chord, rtol=2e-4)
    _, _, *wrong = pages.approach(weights, np.roll(concepts, -1, 0), SMALL)
    counts = study.counts.set_index(["target", "chord"]).labels
    assert counts["own concept"].to_dict() == {
        "whole chord": sum(whole_chord),
        "same time": sum(same_time),
    }
    assert counts["wrong concept"].tolist() == [sum(labels) for labels in wrong]


def test_the_smallest_distances_are_those_of_a_plain_computation(no_clothes, model_store):
    study = fashion_mnist.run(SMALL)
    weights = pages.stored_weights(VAESpec.of(SMALL), model_store)
    mu = references.encode(weights, references.array(pages.TRAIN.images))[0]
    concepts = references.concepts(mu, pages.TRAIN.labels.numpy())
    for p in SMALL.p_grid:
        at_p = dataclasses.replace(SMALL, p=p)
        rows, x0 = pages.trials([SMALL.label], SMALL.trials_per_p, at_p)
        _, z = references.rollout(weights, x0, SMALL.steps)
        targets = {
            "memory": mu[rows],
            "concept": concepts[SMALL.label],
            "abstract concept": concepts.mean(0),
        }
        for landmark, target in targets.items():
            least = pages.distances(z, target).min(0)
            row = study.closest[(study.closest.landmark == landmark) & (study.closest.p == p)]
            assert row["mean"].item() == pytest.approx(least.mean(), abs=2e-4)
            two_sem = 2 * least.std(ddof=1) / len(least) ** 0.5
            assert row.two_sem.item() == pytest.approx(two_sem, abs=5e-4)


def test_two_data_sets_have_all_tables_alike(clothes, model_store):
    study = fashion_mnist.run(SMALL)
    titles = ["scikit-learn's digits", "Fashion-MNIST"]
    for name, table in study.tables.items():
        if name != "datasets":
            assert list(table.dataset.unique()) == titles
    assert list(study.datasets.title) == titles
    assert list(study.concept_images) == titles
    assert {images.shape for images in study.concept_images.values()} == {(10, 784)}
    # Half the images, so twice the epochs for as many steps.
    assert study.datasets.epochs.tolist() == [4, 8]
    assert study.numbers["epochs_trained"] == 4
    for table in (study.curves, study.closest):
        first, second = (table[table.dataset == title] for title in titles)
        assert len(first) == len(second)
    assert set(study.stages.label) == {"2", "pullover"}
    assert not study.numbers["lacks_data"]
    found = study.numbers["datasets"].values()
    counts = [
        [one["labels_approaching_whole_chord"], one["labels_approaching_same_time"]]
        for one in found
    ]
    assert study.numbers["consistent"] == (np.ptp(counts, axis=0) <= 2).all()


def test_fashion_mnist_alone_is_compared_with_nothing(clothes):
    study = fashion_mnist.run(CLOTHES)
    assert list(study.datasets.dataset) == ["fashion_mnist"]
    assert study.numbers["consistent"] is None
    assert not study.numbers["lacks_data"]


def test_without_a_copy_the_finding_says_how_to_have_one(no_clothes):
    study = fashion_mnist.run(SMALL)
    assert list(study.datasets.dataset) == ["digits"]
    assert study.numbers["lacks_data"]
    assert "REPINF_DATA" in study.finding
    with pytest.raises(data.DataError):
        fashion_mnist.run(CLOTHES)


@pytest.mark.parametrize("changes", [{"n_z": 1}, {"p": 0.0}, {"beta": 0.0}, {"beta": 1000.0}])
def test_degenerate_parameters_leave_tables_whole(no_clothes, changes):
    study = fashion_mnist.run(dataclasses.replace(SMALL, **changes))
    assert len(study.curves) == 10 * (SMALL.steps + 1)
    assert not study.closest.isna().any(axis=None)
