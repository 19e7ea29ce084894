"""Page 09's study in plain Python, against numpy in float64."""

import dataclasses

import numpy as np
import pages
import pytest
import references

from repinf_core import data, profiles
from repinf_core.models.mlp import VAESpec
from repinf_core.studies import cluster_centers, fashion_mnist

SMALL = profiles.experiment(
    "smoke", {"epochs": 4, "n_z": 3, "trials": 6, "steps": 8, "trials_per_p": 5, "label": 2}
)
CLOTHES = dataclasses.replace(SMALL, dataset="fashion_mnist")


def read_half(split):
    images, labels = data.load("digits", split)
    return data.LabelledImages(images[::2], labels[::2])


@pytest.fixture
def clothes(monkeypatch):
    """Half of the digits in Fashion-MNIST's place, for as long as there is no copy of it."""
    of_clothes = dataclasses.replace(data.DATASETS["fashion_mnist"], read=read_half)
    monkeypatch.setitem(data.DATASETS, "fashion_mnist", of_clothes)


@pytest.fixture
def mnist(monkeypatch):
    """Half of the digits in MNIST's place, and a network of profile quick that is soon trained."""
    of_mnist = dataclasses.replace(data.DATASETS["mnist"], read=read_half)
    monkeypatch.setitem(data.DATASETS, "mnist", of_mnist)
    small = dataclasses.replace(profiles.PROFILES["quick"], n_z=5, n_hidden=16, epochs=2)
    monkeypatch.setitem(profiles.PROFILES, "quick", small)


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
    counts = study.counts.set_index(["target", "metric", "reading"]).labels.sort_index()
    own, control = counts["own concept", "Euclidean"], counts["wrong concept"]
    assert own.to_dict() == {"whole chord": sum(whole_chord), "same time": sum(same_time)}
    assert control.to_dict() == {
        ("Euclidean", reading): sum(labels)
        for reading, labels in zip(("whole chord", "same time"), wrong, strict=True)
    }


def test_the_share_of_single_trials_is_that_of_a_plain_computation(no_clothes, model_store):
    (found,) = fashion_mnist.run(SMALL).datasets.trials_approaching
    weights = pages.stored_weights(VAESpec.of(SMALL), model_store)
    mu = references.encode(weights, references.array(pages.TRAIN.images))[0]
    concepts = references.concepts(mu, pages.TRAIN.labels.numpy())
    rows, x0 = pages.trials(range(10), SMALL.trials, SMALL)
    _, z = references.rollout(weights, x0, SMALL.steps)
    target = concepts[pages.TRAIN.labels.numpy()[rows]]
    along = (z[-1] - z[0]) / (np.linalg.norm(z[-1] - z[0], axis=1, keepdims=True) ** 2)
    foot = np.clip(((target - z[0]) * along).sum(1), 0, 1)[:, None]
    controls = pages.distances(z[0] + foot * (z[-1] - z[0]), target)
    singles = pages.distances(z, target).T
    approaching = [references.approaches(*both) for both in zip(singles, controls, strict=True)]
    assert found == pytest.approx(np.mean(approaching), abs=0.02)  # one of the sixty may be on edge


def test_the_counts_of_the_mahalanobis_distance_are_those_of_the_chapter(no_clothes):
    counts = fashion_mnist.run(SMALL).counts.set_index(["metric", "reading"]).labels.sort_index()
    targets = cluster_centers.run(SMALL).targets.set_index("target").loc["Mahalanobis"]
    assert counts["Mahalanobis"].to_dict() == {
        "whole chord": targets.whole_chord,
        "same time": targets.same_time,
    }


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


def test_beside_another_data_set_stand_the_digits_with_the_network_of_quick(clothes, mnist):
    study = fashion_mnist.run(dataclasses.replace(SMALL, dataset="mnist"))
    assert list(study.datasets.dataset) == ["digits", "mnist", "fashion_mnist"]
    titles = ["scikit-learn's digits", "MNIST", "Fashion-MNIST"]
    for table in (study.counts, study.curves, study.closest, study.stages):
        assert list(table.dataset.unique()) == titles
    assert study.datasets.n_z.tolist() == [5, 3, 3]
    assert study.datasets.epochs.tolist() == [2, 4, 4]
    assert study.numbers["epochs_trained"] == 4  # the digits are not the paper's
    for table in (study.curves, study.closest):  # the trials of the experiment at hand
        assert table.groupby("dataset").size().nunique() == 1
    for title in titles:
        assert title in study.finding


def test_numbers_and_table_count_alike(clothes):
    study = fashion_mnist.run(SMALL)
    keys = {"whole chord": "labels_approaching_whole_chord"}
    keys |= {"same time": "labels_approaching_same_time"}
    assert len(study.counts) == 2 * 6
    titles = study.datasets.set_index("title").dataset
    for row in study.counts.itertuples():
        found = study.numbers["datasets"][titles[row.dataset]]
        if row.target == "wrong concept":
            assert row.metric == "Euclidean"
            found = found["wrong_concept"]
        elif row.metric == "Mahalanobis":
            found = found["Mahalanobis"]
        assert row.labels == found[keys[row.reading]]


def test_fashion_mnist_alone_is_compared_with_nothing(clothes):
    study = fashion_mnist.run(CLOTHES)
    assert list(study.datasets.dataset) == ["fashion_mnist"]
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
