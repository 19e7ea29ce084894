"""The study of Fig. 2 against numpy in float64 and scikit-learn, from the same random draws."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import references
from pages import SMOKE, TRAIN, distances, model_of, trials
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score

from repinf_core import claims
from repinf_core.studies import collective_dynamics

# With a small weight of the KL term ten epochs are enough for latents that tell images apart; at
# the last of three steps, that of the groups, trials are still apart.
SMALL = dataclasses.replace(SMOKE, n_z=4, n_hidden=32, beta=0.1, epochs=10, trials=8, steps=3)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        models = tmp_path_factory.mktemp("models")
        patch.setenv("REPINF_MODELS", str(models))
        yield collective_dynamics.run(SMALL, "cpu"), model_of(SMALL, models)


@pytest.fixture(scope="module")
def latents(study):
    """z(t) of every label, ``[10, T+1, trials, N_z]``, and the concepts ``[10, N_z]``."""
    weights = study[1]
    z = [
        references.rollout(weights, trials([k], SMALL.trials, SMALL, by_label=True)[1], SMALL.steps)
        for k in range(10)
    ]
    memories = references.encode(weights, references.array(TRAIN.images))[0]
    return np.stack([of_label for _, of_label in z]), references.concepts(
        memories, TRAIN.labels.numpy()
    )


def two_groups(state):
    return KMeans(2, n_init=10, random_state=SMALL.trial_seed).fit_predict(state)


def test_the_curves_are_means_of_distances_to_the_concept(study, latents):
    z, concepts = latents
    found = distances(z, concepts[:, None, None])
    curves = study[0].curves
    assert curves.label.tolist() == [str(k) for k in range(10) for _ in range(4)]
    assert curves.t.tolist() == [*range(4)] * 10
    np.testing.assert_allclose(curves["mean"], found.mean(2).ravel(), rtol=1e-4)
    sem = found.std(2, ddof=1) / SMALL.trials**0.5
    np.testing.assert_allclose(curves["sem"], sem.ravel(), rtol=1e-3, atol=1e-5)
    own = distances(z[..., None, :], concepts).argmin(-1) == np.arange(10)[:, None, None]
    np.testing.assert_allclose(curves.nearest_own, own.mean(2).ravel())


def test_the_groups_are_those_of_kmeans_in_the_full_space(study, latents):
    z, concepts = latents
    silhouettes = [silhouette_score(state, two_groups(state)) for state in z[:, 3]]
    np.testing.assert_allclose(
        study[0].labels.silhouette, silhouettes, rtol=5e-3
    )  # distances in float32
    state = z[1, 3]
    members = two_groups(state)
    own = distances(state[:, None], concepts).argmin(1) == 1
    expected = sorted((own[members == g].mean() for g in (0, 1)), reverse=True)
    groups = study[0].groups
    assert groups.nearest_own.tolist() == pytest.approx(expected)
    assert sorted(groups.trials) == sorted(np.bincount(members))
    assert groups.group.tolist() == [1, 2]


def test_the_grouping_is_repeated_at_the_times_of_the_panels(study, latents):
    z, concepts = latents
    splits = study[0].splits
    assert splits.t.tolist() == [0, 2, 3]
    for row in splits.itertuples():
        state = z[1, row.t]
        members = two_groups(state)
        own = distances(state[:, None], concepts).argmin(1) == 1
        shares = sorted((own[members == g].mean() for g in (0, 1)), reverse=True)
        assert [row.more, row.fewer] == pytest.approx(shares)
        assert row.smaller == np.bincount(members).min()
        assert row.silhouette == pytest.approx(silhouette_score(state, members), rel=5e-3)
    assert splits.silhouette.iloc[-1] == study[0].labels.silhouette[1]


def test_the_images_of_a_group_are_decoded_from_its_states_nearest_to_its_centre(study, latents):
    state = latents[0][1, 3]
    members = two_groups(state)
    expected = []
    for group in (0, 1):
        of_group = state[members == group]
        order = distances(of_group, of_group.mean(0)).argsort()
        expected.append(references.decode_mean(study[1], of_group[order]))
    shown = min(map(len, expected))
    for images in study[0].group_images:
        assert images.shape == (shown, 784)
        assert any(np.allclose(images, one[:shown], atol=1e-4) for one in expected)


def test_the_plane_is_that_of_the_two_leading_components_of_its_window(study, latents):
    """Distances in the plane are those of a PCA of the same window, whatever its axes."""
    z, cloud = latents[0][1], study[0].clouds[1]
    for t in (0, 1, 3):
        window = z[t : t + SMALL.window + 1].reshape(-1, SMALL.n_z)
        plane = PCA(2).fit(window).transform(z[t])
        between = distances(plane[:, None], plane)
        found = distances(cloud.places[t][:, None], cloud.places[t])
        np.testing.assert_allclose(found, between, rtol=1e-3, atol=1e-4)


def test_the_cloud_of_a_movie_agrees_with_the_tables(study, latents):
    z, concepts = latents
    for k, cloud in enumerate(study[0].clouds):
        curve = study[0].curves[study[0].curves.label == cloud.name]
        assert cloud.label == k
        np.testing.assert_array_equal(cloud.distance, curve["mean"])
        np.testing.assert_allclose((cloud.nearest == k).mean(1), curve.nearest_own)
        to_concept = distances(cloud.places, cloud.concept[:, None])
        full = distances(z[k], concepts[k])
        assert (to_concept <= full + 1e-4).all()  # a projection shortens
        np.testing.assert_allclose(
            cloud.images, references.decode_mean(study[1], z[k][:, :4]), atol=1e-4
        )


def test_the_shown_places_are_rows_of_the_cloud(study):
    places, cloud = study[0].places, study[0].clouds[1]
    assert places.t.unique().tolist() == [0, 2, 3]
    for t, rows in places.groupby("t"):
        assert rows.trial.tolist() == [*range(SMALL.trials)]
        np.testing.assert_array_equal(rows[["axis_1", "axis_2"]], cloud.places[t])
        assert rows.nearest.tolist() == [str(k) for k in cloud.nearest[t]]
    np.testing.assert_array_equal(
        study[0].concept_places[["axis_1", "axis_2"]], cloud.concept[[0, 2, 3]]
    )


def test_a_collapsed_network_has_one_group_and_no_silhouette(model_store):
    collapsed = dataclasses.replace(SMALL, n_z=1, beta=1000.0, trials=3)
    study = collective_dynamics.run(collapsed, "cpu")
    assert len(study.groups) == 1
    assert study.labels.silhouette.isna().all()
    last = study.splits.iloc[-1]
    assert np.isnan(last.silhouette)
    assert last.smaller == 3
    assert study.numbers["silhouette"] == 0
    assert study.numbers["group_sizes"] == [3]
    assert "all trials are one point" in study.finding
    (card,) = claims.cards(
        claims.collective_dynamics.CLAIMS, study.numbers, dataclasses.asdict(collapsed)
    )
    assert card.judged.verdict == claims.NOT_RUN
    assert pd.Series(study.places.axis_2).eq(0).all()  # one latent: a line in the plane
