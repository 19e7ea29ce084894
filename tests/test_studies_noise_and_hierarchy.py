"""The study of Fig. 4 against float64 and scikit-learn; what it says where nothing can be said."""

import dataclasses
import itertools

import numpy as np
import pytest
import references
from pages import TRAIN, closest_steps, distances, model_of, trials
from scipy.stats import spearmanr
from sklearn.decomposition import PCA

from repinf_core import claims, profiles
from repinf_core.studies import noise_and_hierarchy

CENTRES = ("memory", "concept", "abstract concept")
SMALL = {
    "n_z": 6,
    "n_hidden": 16,
    "epochs": 15,
    "trials_per_p": 8,
    "steps": 12,
    "p_grid": (0.0, 0.3, 0.6, 1.0),
}


def small(**changes):
    return profiles.experiment("smoke", SMALL | changes)


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    """The study of a small network, its memories in float64, and its trajectories at each p."""
    with pytest.MonkeyPatch.context() as patch:
        models = tmp_path_factory.mktemp("models")
        patch.setenv("REPINF_MODELS", str(models))
        study = noise_and_hierarchy.run(small(), "cpu")
    weights = model_of(study.experiment, models)
    memories = references.encode(weights, references.array(TRAIN.images))[0]
    return study, memories, lambda p: paths(weights, study.experiment, p)


def paths(weights, experiment, p):
    """Rows of the training set, and z(t) of their noisy images."""
    rows, x0 = trials(
        [experiment.label], experiment.trials_per_p, dataclasses.replace(experiment, p=p)
    )
    return rows, references.rollout(weights, x0, experiment.steps)[1]


@pytest.fixture(scope="module")
def curves(studied):
    """Distances ``[p, centre, T+1, trial]``."""
    study, memories, at = studied
    concepts = references.concepts(memories, TRAIN.labels.numpy())
    of_p = []
    for p in study.experiment.p_grid:
        rows, z = at(p)
        targets = (memories[rows], concepts[study.experiment.label], concepts.mean(0))
        of_p.append([distances(z, target) for target in targets])
    return np.array(of_p)


def by_centre(study, quantity):
    """``[centre, p]``, by the names and not by the order of the rows."""
    table = study.landmarks.pivot(index="landmark", columns="p", values=quantity)
    return table.loc[[*CENTRES], [*study.experiment.p_grid]].to_numpy()


def two_sem(values):
    return 2 * values.std(-1, ddof=1) / values.shape[-1] ** 0.5


def test_landmarks_hold_the_smallest_distances_and_their_times(studied, curves):
    study = studied[0]
    smallest = curves.min(2).transpose(1, 0, 2)
    np.testing.assert_allclose(by_centre(study, "distance"), smallest.mean(2), rtol=5e-4, atol=1e-5)
    np.testing.assert_allclose(
        by_centre(study, "distance_two_sem"), two_sem(smallest), rtol=2e-3, atol=1e-5
    )
    closest = [[closest_steps(one) for one in of_p] for of_p in curves]
    _, first, last = np.array(closest).transpose(2, 1, 0, 3).mean(-1)
    time = by_centre(study, "time")
    assert ((first - 1e-9 <= time) & (time <= last + 1e-9)).all()


def test_the_nearest_is_clear_if_the_second_is_farther_in_most_trials_by_much(studied, curves):
    table = studied[0].noise_fractions
    assert table.p.tolist() == [*studied[0].experiment.p_grid]
    for row, of_p in zip(table.itertuples(), curves.min(2), strict=True):
        first, second, _ = np.argsort(of_p.mean(1))
        ahead = of_p[second] - of_p[first]
        assert row.nearest == CENTRES[first]
        assert row.ahead == pytest.approx(ahead.mean(), rel=1e-2, abs=1e-4)
        assert row.ahead_two_sem == pytest.approx(two_sem(ahead), rel=1e-2, abs=1e-4)
        assert row.clear == (row.ahead > row.ahead_two_sem)
    times = by_centre(studied[0], "time")
    for said, of_p in zip(table.earliest, times.T, strict=True):
        (winners,) = np.nonzero(of_p == of_p.min())
        assert said == (CENTRES[winners[0]] if len(winners) == 1 else None)


def test_stages_cover_the_grid_and_count_its_noise_fractions(studied):
    study = studied[0]
    stages, p = study.stages, study.noise_fractions
    assert [*stages.stage] == [("I", "II", "III")[CENTRES.index(k)] for k in stages.nearest]
    assert stages.noise_fractions.sum() == len(p)
    assert stages.clear.sum() == p.clear.sum()
    for stage in stages.itertuples():
        inside = p[(stage.start <= p.p) & (p.p <= stage.stop)]
        assert set(inside.nearest) == {stage.nearest}
        assert (stage.noise_fractions, stage.clear) == (len(inside), inside.clear.sum())
    assert [stages.start.iloc[0], stages.stop.iloc[-1]] == [p.p.min(), p.p.max()]
    for before, after in itertools.pairwise(stages.itertuples()):
        assert before.stop == after.start
    ends = [study.finding.index(f"to the {name}") for name in stages.nearest]
    assert ends == sorted(ends)


def test_times_sum_up_the_mean_times(studied):
    study = studied[0]
    for row, of_centre in zip(study.times.itertuples(), by_centre(study, "time"), strict=True):
        assert (row.smallest, row.largest) == (of_centre.min(), of_centre.max())
        assert row.range == np.ptp(of_centre)
        if row.range:
            rank = spearmanr(study.experiment.p_grid, of_centre).statistic
            assert row.rank_correlation == pytest.approx(rank)
        assert row.earliest == [*study.noise_fractions.earliest].count(row.landmark)


def test_the_share_outside_is_what_principal_components_leave_over(studied):
    study, memories, at = studied
    (said,) = study.displacement.itertuples()
    rows, z = at(study.experiment.p)
    displacement = z[0] - memories[rows]
    pca = PCA().fit(memories)
    needed = np.searchsorted(pca.explained_variance_ratio_.cumsum(), 0.99) + 1
    assert said.components == needed < said.latents == memories.shape[1]
    assert said.active == (memories.var(0) > 0.01).sum()
    inside = displacement @ pca.components_[:needed].T
    expected = 1 - (inside**2).sum() / (displacement**2).sum()
    assert said.outside == pytest.approx(expected, rel=1e-3)


def test_the_plane_holds_displacement_upwards_and_the_main_direction_to_the_right(studied):
    study, memories, at = studied
    rows, z = at(study.experiment.p)
    of_label = memories[TRAIN.labels.numpy() == study.experiment.label]
    up = (z[0] - memories[rows]).mean(0)
    up /= np.linalg.norm(up)
    (right,) = PCA(1).fit(of_label).components_
    right = right - (right @ up) * up
    right /= np.linalg.norm(right)
    concepts = references.concepts(memories, TRAIN.labels.numpy())
    expected = {
        "memory of the label": of_label,
        "own memory": memories[rows[:6]],
        "trajectory": z[:, :6].reshape(-1, z.shape[2]),
        "concept": concepts[[study.experiment.label]],
        "abstract concept": concepts.mean(0)[None],
    }
    plane = study.plane
    own = plane[plane.what == "own memory"].right
    sign = np.sign(own.to_numpy() @ (memories[rows[:6]] @ right))
    for what, points in expected.items():
        said = plane[plane.what == what]
        np.testing.assert_allclose(said.up, points @ up, atol=2e-3)
        np.testing.assert_allclose(said.right, sign * points @ right, atol=2e-3)
    paths_shown = plane[plane.what == "trajectory"]
    assert [*zip(paths_shown.t, paths_shown.trial, strict=True)] == [
        *itertools.product(range(study.experiment.steps + 1), range(6))
    ]


@pytest.mark.parametrize(
    "changes", [{"p": 0.0}, {"n_z": 1}, {"beta": 0.0}, {"n_z": 1, "beta": 1000.0}], ids=str
)
def test_without_noise_or_with_one_latent_there_is_no_plane_but_the_rest(model_store, changes):
    study = noise_and_hierarchy.run(small(**changes), "cpu")
    some = study.experiment.p > 0 and study.experiment.n_z > 1
    assert study.plane.empty == (not some)
    assert (study.numbers["share_of_displacement_outside"] is None) == (study.experiment.p == 0)
    if not some:
        assert study.displacement.outside.isna().all()
    assert not study.landmarks.isna().any(axis=None)
    assert len(study.landmarks) == 3 * len(study.experiment.p_grid)
    parameters = dataclasses.asdict(study.experiment)
    cards = claims.cards(claims.noise_and_hierarchy.CLAIMS, study.numbers, parameters)
    assert {card.judged.verdict for card in cards} <= {
        claims.REPRODUCED,
        claims.PARTLY,
        claims.NOT_REPRODUCED,
    }
