"""The study of chapter 07 in plain Python, against numpy and scikit-learn in float64."""

import dataclasses
import json

import numpy as np
import pytest
import references
from pages import SMOKE, TRAIN, approach, model_of
from sklearn.decomposition import PCA
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.neighbors import NearestCentroid

from repinf_core import claims, results
from repinf_core.studies import latent_dimension

LABELS = TRAIN.labels.numpy()
SMALL = dataclasses.replace(
    SMOKE,
    n_z=4,
    n_hidden=64,
    epochs=15,
    trials=6,
    steps=15,
    trials_per_p=5,
    p_grid=(0.0, 0.5, 1.0),
    n_z_grid=(2, 4, 12),
    grid_epochs=12,
)
COLLAPSED = dataclasses.replace(SMALL, n_z=1, beta=1000.0, n_z_grid=(1, 2), steps=3)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def study(models):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPINF_MODELS", str(models))
        return latent_dimension.run(SMALL, "cpu")


@pytest.fixture(scope="module")
def collapsed(models):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPINF_MODELS", str(models))
        return latent_dimension.run(COLLAPSED, "cpu")


@pytest.fixture(scope="module")
def memories(study, models):
    """Of the study's own network, in float64."""
    return references.encode(model_of(SMALL, models), references.array(TRAIN.images))[0]


def square(cosines):
    return cosines.cosine.to_numpy().reshape(10, 10)


def test_latents_and_components_are_those_of_the_memories(study, memories):
    np.testing.assert_allclose(study.latents.variance, memories.var(0), rtol=1e-4)
    assert (study.latents.active == (memories.var(0) > 0.01)).all()
    ratios = PCA().fit(memories).explained_variance_ratio_
    np.testing.assert_allclose(study.components.ratio, ratios, rtol=1e-4)
    np.testing.assert_allclose(study.components.cumulative, ratios.cumsum(), rtol=1e-4)


def test_concepts_and_their_cosines_are_in_the_order_of_the_labels(study, memories):
    concepts = references.concepts(memories, LABELS)
    np.testing.assert_allclose(study.concepts.concept, concepts.ravel(), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(square(study.cosines), cosine_similarity(concepts), atol=1e-4)
    assert study.concepts.label.unique().tolist() == [str(k) for k in range(10)]


def test_the_quantities_of_the_network(study, memories):
    values = study.network.set_index("quantity").value
    concepts = references.concepts(memories, LABELS)
    off_diagonal = cosine_similarity(concepts)[~np.eye(10, dtype=bool)]
    squares = references.orthogonality(concepts)
    expected = {
        "mean |C_ij| of different labels": np.abs(off_diagonal).mean(),
        "largest |C_ij|": np.abs(off_diagonal).max(),
        "mean C_ij": off_diagonal.mean(),
        "‖C − I‖²": squares,
        "‖C − I‖": squares**0.5,
    }
    for quantity, value in expected.items():
        assert values[quantity] == pytest.approx(value, rel=1e-3), quantity
    # Random directions, drawn: in as many dimensions as there are active latents.
    active = int((memories.var(0) > 0.01).sum())
    pairs = np.random.default_rng(0).standard_normal((2, 100_000, active))
    units = pairs / np.linalg.norm(pairs, axis=-1, keepdims=True)
    drawn = np.abs((units[0] * units[1]).sum(-1)).mean()
    said = values["mean |C_ij| of random directions in the active latents"]
    assert said == pytest.approx(drawn, rel=0.12)  # the formula is that of many dimensions


def test_the_planes_are_principal_and_hold_the_means_of_all_memories(study, memories):
    for n_labels, row in zip((10, 3), study.planes.iloc[1:].itertuples(), strict=True):
        chosen = np.isin(LABELS, range(n_labels))
        pca = PCA(2).fit(memories[chosen])
        assert row.share_of_variance == pytest.approx(pca.explained_variance_ratio_.sum(), rel=1e-4)
        projected = pca.transform(memories[chosen])
        own = NearestCentroid().fit(projected, LABELS[chosen])
        share = own.score(projected, LABELS[chosen])
        assert row.nearest_own == pytest.approx(share, abs=2 / chosen.sum())
        points = study.points[study.points.space == row.space]
        means = study.means[study.means.space == row.space]
        # The sign of an axis is free.
        assert len(points) == chosen.sum()  # fewer than 3,000: all are drawn
        for place, axis in (("first", 0), ("second", 1)):
            np.testing.assert_allclose(points[place].abs(), np.abs(projected[:, axis]), atol=1e-3)
            np.testing.assert_allclose(
                means[place].abs(), np.abs(own.centroids_[:, axis]), atol=1e-3
            )
    everywhere = NearestCentroid().fit(memories, LABELS).score(memories, LABELS)
    assert study.planes.nearest_own[0] == pytest.approx(everywhere, abs=1 / len(LABELS))


def test_each_network_of_the_grid_has_its_curve_and_its_cosines(study, models):
    networks = study.grid.networks.set_index("n_z")
    for n_z in SMALL.n_z_grid:
        cell = dataclasses.replace(SMALL, n_z=n_z, epochs=SMALL.grid_epochs)
        weights = model_of(cell, models)
        memories = references.encode(weights, references.array(TRAIN.images))[0]
        concepts = references.concepts(memories, LABELS)
        mean, chord, whole_chord, same_time = approach(weights, concepts, SMALL)
        curve = study.grid.curves[study.grid.curves.n_z == n_z]
        np.testing.assert_allclose(curve["mean"], mean[:, SMALL.label], rtol=1e-3)
        np.testing.assert_allclose(curve.chord, chord[:, SMALL.label], rtol=1e-3)
        assert networks.label_approaches_whole_chord[n_z] == whole_chord[SMALL.label]
        assert networks.labels_approaching_whole_chord[n_z] == sum(whole_chord)
        assert networks.labels_approaching_same_time[n_z] == sum(same_time)
        cosines = study.grid.cosines_by_dimension
        found = square(cosines[cosines.n_z == n_z])
        np.testing.assert_allclose(found, cosine_similarity(concepts), atol=1e-3)


def test_no_network_lies_below_its_bound(study):
    networks, bounds = study.grid.networks, study.grid.bounds.set_index("n_z")
    assert (networks.orthogonality_root >= networks.least_root - 1e-9).all()
    np.testing.assert_allclose(networks.least_root, bounds.least[networks.n_z])
    assert bounds.index.tolist() == list(range(2, 13))
    assert (bounds.least_around_mean >= bounds.least).all()
    assert bounds.least_around_mean[12] == pytest.approx((100 / 9 - 10) ** 0.5)


def test_the_stages_of_each_network_cover_the_noise_fractions_once(study):
    for n_z, stages in study.grid.stages.groupby("n_z"):
        assert stages.start.iloc[0] == 0
        assert stages.stop.iloc[-1] == 1
        assert (stages.start[1:].to_numpy() == stages.stop[:-1].to_numpy()).all()
        said = study.numbers["by_n_z"][str(n_z)]["stages"]
        assert stages[["nearest", "start", "stop"]].to_dict("records") == said
    names = {"I": "memory", "II": "concept", "III": "abstract concept"}
    assert (study.grid.stages.stage.map(names) == study.grid.stages.nearest).all()


def test_with_one_latent_variable_there_is_no_plane_and_what_lacks_is_missing(collapsed):
    assert collapsed.planes.space.tolist() == ["all latent variables"]
    assert len(collapsed.points) == len(collapsed.means) == 0
    assert collapsed.numbers["share_nearest_own_mean_in_the_planes"] == []
    assert collapsed.numbers["active_latents"] == 0
    assert collapsed.network.value.isna().sum() == 1
    idle = collapsed.grid.networks.active_latents == 0
    assert (collapsed.grid.networks.random_root.isna() == idle).all()


@pytest.mark.parametrize("name", ["study", "collapsed"])
def test_every_number_and_every_table_can_be_written(name, request, tmp_path):
    found = request.getfixturevalue(name)
    assert json.loads(json.dumps(found.numbers, allow_nan=False)) == found.numbers
    results.record(
        "page", "smoke", found.experiment, "cpu", found.numbers, found.finding, tmp_path,
        found.tables,
    )  # fmt: skip
    written = {path.stem for path in (tmp_path / "page").glob("*.csv")}
    assert written == found.tables.keys()
    assert {"latents", "networks", "curves", "stages"} <= written


def test_a_grid_of_one_network_shows_no_change_and_the_finding_says_so(models, monkeypatch):
    monkeypatch.setenv("REPINF_MODELS", str(models))
    experiment = dataclasses.replace(SMALL, beta=2.0, n_z_grid=(4,))
    single = latent_dimension.run(experiment, "cpu")
    assert len(single.grid.networks) == len(single.grid.bounds) == 1
    assert f"with $N_z = {experiment.n_z}$, $\\beta = 2$, " in single.finding
    assert "shows no change" in single.finding
    assert "From $N_z" not in single.finding
    judged = claims.judge_numbers
    verdicts = {
        claim.name: judged(claim, single.numbers, dataclasses.asdict(experiment)).verdict
        for claim in claims.latent_dimension.CLAIMS
        if claim.figure != "Fig. 7"  # which asks nothing of the grid
    }
    assert set(verdicts.values()) == {claims.NOT_RUN}, verdicts


def test_a_finding_tells_a_beta_that_is_not_the_papers(study):
    assert f"with $N_z = {SMALL.n_z}$, " in study.finding
    assert "beta" not in study.finding
