"""The model's chapter, from plain Python: its tables are those of plain numpy in float64."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import references
import torch
from pages import TEST, TRAIN, model_of
from sklearn.decomposition import PCA

from repinf_core import agreement, profiles
from repinf_core.streams import Stream, generator
from repinf_core.studies import model

SMALL = profiles.experiment("smoke", {"n_z": 4, "n_hidden": 32, "epochs": 6})


@pytest.fixture
def study():
    return model.run(SMALL)


@pytest.fixture
def weights(study, model_store):
    return model_of(SMALL, model_store)


def test_the_objective_is_that_of_the_final_weights_on_both_splits(study, weights):
    assert study.objective.split.tolist() == ["training", "test"]
    for row, split in zip(study.objective.itertuples(), (TRAIN, TEST), strict=True):
        x = references.array(split.images[:300])
        epsilon = np.random.default_rng(0).standard_normal((5, len(x), SMALL.n_z))
        total, kl, reconstruction = references.negative_elbo(weights, x, epsilon, SMALL.beta)
        # Of all training images the first 300 are a sample; the test images are fewer.
        rough = 0.02 if len(split.images) > len(x) else 5e-3
        assert row.negative_elbo == pytest.approx(total, rel=rough)
        assert row.reconstruction == pytest.approx(reconstruction, rel=rough)
        assert row.kl == pytest.approx(kl, rel=0.05 if len(split.images) > len(x) else 1e-5)
        x = references.array(split.images)
        grey = x[(x > 0) & (x < 1)]
        floor = -(grey * np.log(grey) + (1 - grey) * np.log(1 - grey)).sum() / len(x)
        assert row.floor == pytest.approx(floor, rel=1e-5)
        assert row.above_floor == pytest.approx(row.reconstruction - floor, rel=1e-4)
        assert row.negative_elbo == pytest.approx(SMALL.beta * row.kl + row.reconstruction)


def test_the_dimension_is_that_of_the_memories(study, weights):
    memories, _ = references.encode(weights, references.array(TRAIN.images))
    on_test, _ = references.encode(weights, references.array(TEST.images))
    here = study.dimension.set_index("quantity").here
    assert here["active latent variables"] == (memories.var(0) > 0.01).sum()
    assert here["active on the test images"] == (on_test.var(0) > 0.01).sum()
    shares = PCA().fit(memories).explained_variance_ratio_.cumsum()
    assert here["components for 70% of the memories' variance"] == np.searchsorted(shares, 0.7) + 1
    assert study.dimension.paper.dropna().tolist() == [14, 9]


def test_a_count_of_active_variables_is_the_same_since_the_epoch_named(study):
    counts = study.history.set_index("epoch").active_latents
    since = study.numbers["active_latents_on_test_images_since_epoch"]
    assert set(counts[since:]) == {study.numbers["active_latents_on_test_images"]}
    assert since == 1 or counts[since - 1] != counts[since]
    assert study.numbers["active_latents_on_test_images_half_way"] == counts[3]  # of 6 epochs


def test_the_history_ends_with_the_numbers_of_the_study(study):
    assert study.history.epoch.tolist() == [1, 2, 3, 4, 5, 6]
    last = study.history.iloc[-1]
    for name in ("test_negative_elbo", "test_kl", "test_reconstruction", "train_negative_elbo"):
        assert study.numbers[name] == last[name]
    of_test = study.objective.set_index("split").loc["test"]
    assert of_test.negative_elbo == pytest.approx(last.test_negative_elbo, rel=1e-6)


def test_images_are_one_of_each_label_what_is_made_of_them_and_samples_of_the_prior(study, weights):
    labels = TEST.labels.numpy()
    first = [labels.tolist().index(label) for label in range(10)]
    np.testing.assert_array_equal(study.test_images, TEST.images[first])
    mu, _ = references.encode(weights, study.test_images.astype(float))
    np.testing.assert_allclose(
        study.reconstructions, references.decode_mean(weights, mu), atol=1e-5
    )
    z = torch.randn(20, SMALL.n_z, generator=generator(SMALL.seed, Stream.SAMPLES))
    expected = references.decode_mean(weights, z.numpy().astype(float))
    np.testing.assert_allclose(study.samples, expected, atol=1e-5)


def test_settings_tell_all_that_the_paper_states_and_where_this_network_differs(study):
    stated = study.settings[study.settings.paper.notna()]
    assert set(stated.parameter) == set(agreement.NETWORK)
    others = stated[stated.here != stated.paper].parameter
    said = agreement.deviations(agreement.NETWORK, SMALL, {"epochs": SMALL.epochs})
    assert [text.split()[0] for text in said] == others.tolist()


@pytest.mark.parametrize(
    "given", [{"n_z": 1}, {"beta": 0.0}, {"beta": 1000.0, "n_z": 1}, {"epochs": 1}]
)
def test_it_runs_at_the_edges(given):
    study = model.run(dataclasses.replace(SMALL, **{"epochs": 2, "n_hidden": 8} | given))
    assert np.isfinite(study.history.to_numpy(float)).all()
    assert all(isinstance(table, pd.DataFrame) and len(table) for table in study.tables.values())
    assert len(study.tables) == 4
