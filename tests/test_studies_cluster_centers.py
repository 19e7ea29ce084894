"""The study of chapter 04 runs without a notebook and gives what a float64 reference gives."""

import numpy as np
import pandas as pd
import pytest
import references
import torch
from pages import TRAIN, distances, trials

from repinf_core import claims, profiles
from repinf_core.streams import Stream, generator
from repinf_core.studies import cluster_centers, study, target_distances

SMALL = {"n_z": 4, "n_hidden": 32, "epochs": 5, "trials": 6, "steps": 8}


@pytest.fixture
def experiment():
    return profiles.experiment("smoke", SMALL)


@pytest.fixture
def found(experiment):
    return cluster_centers.run(experiment, "cpu")


def test_the_curves_are_those_of_a_plain_loop(experiment, found):
    network = study.trained(experiment, "cpu")
    weights = references.weights(network.model)
    memories = references.encode(weights, references.array(TRAIN.images))[0]
    concepts = references.concepts(memories, TRAIN.labels.numpy())
    rows, x0 = trials(range(10), experiment.trials, experiment)
    _, z = references.rollout(weights, x0, experiment.steps)
    fractions = np.linspace(0, 1, experiment.steps + 1)[:, None, None]
    chord = z[0] * (1 - fractions) + z[-1] * fractions
    labels = TRAIN.labels.numpy()[rows]
    targets = {
        "concept": concepts[labels],
        "memory": memories[rows],
        "wrong concept": concepts[(labels + 1) % 10],
    }
    for name, target in targets.items():
        of_target = found.curves[found.curves.target == name]
        shape = (experiment.steps + 1, 10, experiment.trials)
        for path, column in ((z, "mean"), (chord, "chord")):
            expected = distances(path, target).reshape(shape).mean(2).T.flatten()
            np.testing.assert_allclose(of_target[column], expected, rtol=1e-4, atol=1e-5)
        sem = distances(z, target).reshape(shape).std(2, ddof=1) / experiment.trials**0.5
        np.testing.assert_allclose(of_target["sem"], sem.T.flatten(), rtol=1e-3, atol=1e-5)


def test_the_tables_are_tidy_and_agree_with_one_another(experiment, found):
    assert set(found.tables) == {"curves", "labels", "targets", "gains"}
    assert not found.curves.duplicated(["target", "label", "t"]).any()
    assert len(found.curves) == len(target_distances.TARGETS) * 10 * (experiment.steps + 1)
    concept = found.curves[found.curves.target == "concept"]
    best = concept.loc[concept.groupby("label", sort=False)["mean"].idxmin()]
    # A float32 mean: its last digit depends on the order in which a processor sums.
    np.testing.assert_allclose(found.labels.minimum, best["mean"], rtol=1e-6)
    assert list(found.labels.step) == list(best.t)
    # Whoever passes below the whole chord passes below it at the same time.
    assert not (found.labels.whole_chord & ~found.labels.same_time).any()
    assert (found.targets.whole_chord <= found.targets.same_time).all()
    assert found.numbers["labels_approaching_whole_chord"] == found.labels.whole_chord.sum()
    assert found.labels.trials_approaching.between(0, 1).all()


def test_without_noise_the_gain_along_it_is_missing_and_no_saddle_is_counted():
    found = cluster_centers.run(profiles.experiment("smoke", SMALL | {"p": 0}), "cpu")
    assert found.gains.along.isna().all()
    assert found.gains.prior_along.isna().all()
    assert found.numbers["labels_with_a_saddle"] == 0
    assert found.numbers["prior_points_with_a_saddle"] == 0


def test_the_gains_of_the_control_are_those_of_the_map_at_points_of_the_prior(experiment, found):
    """By torch's own derivative and numpy."""
    network = study.trained(experiment, "cpu")
    drawing = generator(experiment.trial_seed, Stream.PRIOR_POINTS)
    points = torch.randn(10, experiment.n_z, generator=drawing)
    for point, gains in zip(points, found.gains.itertuples(), strict=True):
        step = torch.func.jacrev(lambda z: network.model.encode_mean(network.model.decode_mean(z)))
        values = np.linalg.svd(references.array(step(point)), compute_uv=False)
        assert gains.prior_growing == (values > 1).sum()
        assert gains.prior_across <= values[0] * (1 + 1e-5)


def test_a_card_says_the_same_as_text_and_as_html(experiment, found):
    for card in claims.cards(claims.cluster_centers.CLAIMS, found.numbers, vars(experiment)):
        assert card.judged.verdict.upper() in str(card)
        assert f'data-verdict="{card.judged.verdict}"' in card._repr_html_()
        assert pd.Series(card.lines).str.len().gt(0).all()
