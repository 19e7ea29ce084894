"""Page 10's study in plain Python: its tables tell what its numbers tell, whatever is asked."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import references
from bs4 import BeautifulSoup
from pages import TEST, model_of

from repinf_core import page, profiles
from repinf_core.models.mlp import VAESpec
from repinf_core.noise import NOISES
from repinf_core.studies import classifiers, effective_dimension, readings, readings_in_words
from repinf_core.studies.printed_facts import Evidence
from repinf_core.training import store as training_store

SMALL = profiles.experiment(
    "smoke",
    {
        "n_z": 3,
        "grid_epochs": 2,
        "classifier_epochs": 1,
        "trials": 4,
        "trials_per_p": 3,
        "classified_trials": 3,
        "steps": 4,
        "final_step": 3,
        "p_grid": [0.0, 0.4],
    },
)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def study(store):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPINF_MODELS", str(store))
        return readings.run(SMALL)


def test_every_reading_has_a_row_in_every_table(study):
    keys = [(noise, beta) for beta in SMALL.beta_grid for noise in NOISES]
    for table, each in ((study.readings, 1), (study.judged, 7), (study.times, 4)):
        found = list(zip(table.noise, table.beta, strict=True))
        assert list(dict.fromkeys(found)) == keys
        assert len(table) == each * len(keys)
    counted = study.judged.groupby(["noise", "beta"]).holds.sum()
    for row in study.readings.itertuples():
        assert counted[row.noise, row.beta] == row.met
    assert list(study.facts.letter) == list("ABCDEFG")


def test_the_times_are_those_of_the_numbers(study):
    for found in study.numbers["readings"]:
        for landmark in ("memory", "concept"):
            rows = study.times.query(
                "noise == @found['noise'] and beta == @found['beta'] and landmark == @landmark"
            )
            np.testing.assert_array_equal(rows.p, SMALL.p_grid)
            np.testing.assert_array_equal(rows.step, found[f"{landmark}_time"])
            assert rows.step.between(0, SMALL.steps).all()


def test_without_noise_both_readings_of_it_are_one(study):
    times = study.times[study.times.p == 0].pivot(
        index=["beta", "landmark"], columns="noise", values="step"
    )
    np.testing.assert_array_equal(times.permute, times.invert)


def test_active_latents_are_followed_on_the_networks_of_the_page(study, store):
    """After the last epoch, as counted from a float64 network's encoding of the test images."""
    table = study.active_by_epoch
    assert list(table.network.unique()) == [f"β = {beta:g}" for beta in SMALL.beta_grid]
    assert table.compared.all()
    for beta, of_network in table.groupby("beta"):
        assert list(of_network.epoch) == [*range(1, SMALL.grid_epochs + 1)]
        spec = dataclasses.replace(SMALL, beta=beta, epochs=SMALL.grid_epochs)
        mu = references.encode(model_of(spec, store), references.array(TEST.images))[0]
        assert of_network.active.iloc[-1] == (mu.var(0) > 0.01).sum()


def test_an_open_point_has_no_best_choice(study):
    is_open = study.evidence.verdict == "open"
    assert (study.evidence.best.isna() == is_open).all()
    assert ((study.evidence.margin == 0) == is_open).all()


def test_each_classifier_has_a_row_for_each_reading_and_the_middle_one_counts(study):
    table = study.classifiers
    assert SMALL.classifiers == 3
    for found, (_, of_reading) in zip(
        study.numbers["readings"], table.groupby(["noise", "beta"], sort=False), strict=True
    ):
        assert (of_reading.noise == found["noise"]).all()
        assert (of_reading.beta == found["beta"]).all()
        assert [*of_reading.seed] == [0, 1, 2]
        assert found["share_still_right"] == of_reading.still_right.median()
        middle = of_reading.right_up_to_p.astype(float).fillna(-1).median()
        assert found["right_at_every_step_up_to_p"] == (None if middle == -1 else middle)
        for row in of_reading.itertuples():
            alone = 2 * (row.still_right * (1 - row.still_right) / SMALL.trials + 0.000765) ** 0.5
            assert (abs(row.still_right - 193 / 300) < alone) == row.D
            assert (pd.notna(row.right_up_to_p) and 0.3 <= row.right_up_to_p < 0.5) == row.C


@pytest.mark.parametrize(
    ("values", "middle"),
    [((0.5, None, 0.2), 0.2), ((None, 0.0, None), None), ((0.0, None, 0.1), 0.0), ((0.7,), 0.7)],
)
def test_no_p_is_below_every_p_in_the_median(values, middle):
    assert classifiers._median(values) == middle


def test_a_classifier_more_does_not_change_the_answers_of_the_others(study, store, monkeypatch):
    monkeypatch.setenv("REPINF_MODELS", str(store))
    one = readings.run(dataclasses.replace(SMALL, classifiers=1))
    first = study.classifiers[study.classifiers.seed == 0].reset_index(drop=True)
    pd.testing.assert_frame_equal(one.classifiers, first)


@pytest.mark.parametrize("changes", [{"n_z": 1}, {"p": 0.0}, {"beta_grid": (0.0, 1000.0)}])
def test_degenerate_parameters_are_read_too(changes):
    study = readings.run(dataclasses.replace(SMALL, **changes))
    assert study.readings.met.between(0, 7).all()
    assert study.finding


def test_the_printed_dimensions_stand_beside_those_of_each_network(study):
    table = study.dimensions
    assert table.loc[0, ["active", "all", "most"]].tolist() == [14, 14, 9]
    found = {one["beta"]: one for one in study.numbers["readings"]}
    own = table[table.network == "of this page"].set_index("beta")
    assert [*own.index] == [*SMALL.beta_grid]
    for beta, row in own.iterrows():
        assert (row.epochs, row.seed, row.minibatch) == (SMALL.grid_epochs, 0, 100)
        assert row.active == found[beta]["active_latents"]
        assert row.most == found[beta]["components_for_70_percent"] <= row["all"] <= SMALL.n_z


@pytest.fixture(scope="module")
def beside_others(study, store):
    """The study where two other trainings ship: another seed, and another length as well."""
    specs = [
        dataclasses.replace(
            VAESpec.of(SMALL), beta=SMALL.beta_grid[1], seed=9, epochs=SMALL.grid_epochs + more
        )
        for more in (0, 1)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPINF_MODELS", str(store))
        others = [training_store.train(spec) for spec in specs]
        patch.setattr(effective_dimension, "other_trainings", lambda *_: others)
        return readings.run(SMALL)


def test_other_trainings_are_judged_as_the_page_of_their_seed_judges_them(
    study, beside_others, store, monkeypatch
):
    monkeypatch.setenv("REPINF_MODELS", str(store))
    beta = SMALL.beta_grid[1]
    assert beside_others.numbers["readings"] == study.numbers["readings"]
    of_seed = readings.run(dataclasses.replace(SMALL, seed=9)).readings
    # The classifiers, which judge C and D, have the seeds of their own page.
    same = ["noise", "beta", "epochs", "objective", "active", "components", "whole_chord"]
    expected = of_seed[of_seed.beta == beta][same].reset_index(drop=True)
    rows = beside_others.readings.iloc[len(study.readings) :]
    assert [*rows.reading] == [
        f"{noise}, β = {beta:g}, seed 9{length}"
        for length in ("", ", 3 epochs")
        for noise in NOISES
    ]
    pd.testing.assert_frame_equal(rows[same].iloc[:2].reset_index(drop=True), expected)
    for table in (beside_others.judged, beside_others.classifiers):
        assert [*dict.fromkeys(table.reading)] == [*beside_others.readings.reading]
    assert {*beside_others.times.beta} == {*SMALL.beta_grid}
    assert len(beside_others.times) == len(study.times)


def test_the_comparison_is_repeated_with_a_network_of_another_seed_but_of_no_other_length(
    study, beside_others
):
    table = beside_others.evidence
    beta = SMALL.beta_grid[1]
    network = f"β = {beta:g}, seed 9"
    assert [*table.networks] == ["of this page"] * 2 + [network] * 2
    pd.testing.assert_frame_equal(table.iloc[:2], study.evidence)
    counted = beside_others.readings.set_index("reading").met
    for part, row in zip(("noise", "beta"), table.iloc[2:].itertuples(), strict=True):
        most = {}
        for noise in NOISES:
            for of in SMALL.beta_grid:
                name = f"{noise}, {network if of == beta else f'β = {of:g}'}"
                choice = noise if part == "noise" else of
                most[choice] = max(most.get(choice, 0), counted[name])
        *_, second, first = sorted(most.values())
        assert row.margin == first - second
        assert row.verdict == ("open", "favoured", "supported")[min(first - second, 2)]
    assert network in beside_others.finding


@pytest.mark.parametrize(
    ("of", "says"),
    [
        (
            {"noise": Evidence("permute", 0, 0, "open"), "beta": Evidence(1.0, 2, 1, "supported")},
            "the reading of the noise stays open, and of the weights β = 1 is supported "
            "(margin without A and B: 1).",
        ),
        (
            {"noise": Evidence("invert", 1, 1, "favoured"), "beta": Evidence(2.0, 0, 0, "open")},
            "of the noises invert is favoured (margin without A and B: 1), and the weight stays "
            "open.",
        ),
    ],
)
def test_the_finding_tells_the_conclusion_with_another_training(study, of, says):
    found = readings_in_words.finding(
        SMALL,
        [study.numbers["readings"][0] | {"met": dict.fromkeys("ABCDEFG", True)}],
        {"noise": Evidence("permute", 0, 0, "open"), "beta": Evidence(2.0, 1, 1, "favoured")},
        {"β = 1, seed 1": of},
    )
    assert f"(β = 1, seed 1) in its place {says}" in found


def test_a_point_that_stays_open_beside_one_that_does_not_has_its_row():
    evidence = readings._evidence(
        {
            "of this page": {
                "noise": Evidence("permute", 0, 0, "open"),
                "beta": Evidence(2.0, 2, -1, "supported"),
            }
        }
    )
    shown = page.styled(
        evidence, "evidence", {"margin": ("margin", "{:d}"), "unsuggested": ("without", "{:d}")}
    )
    cells = [cell.text for cell in BeautifulSoup(shown.to_html(), "html.parser").find_all("td")]
    assert cells == ["0", "-", "2", "-1"]
