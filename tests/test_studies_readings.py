"""Page 10's study in plain Python: its tables tell what its numbers tell, whatever is asked."""

import dataclasses
import json
import re

import numpy as np
import pandas as pd
import papermill
import pytest
import references
from bs4 import BeautifulSoup
from pages import NOTEBOOKS, TEST, model_of

from repinf_core import page, profiles, results
from repinf_core.models.mlp import VAESpec
from repinf_core.noise import NOISES
from repinf_core.studies import (
    classifiers,
    effective_dimension,
    reading_tables,
    readings,
    readings_in_words,
    shorter_trainings,
)
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
    assert f"(β = 1, seed 1) in its place: {says}" in found


LONGER = dataclasses.replace(SMALL, grid_epochs=3, beta_grid=(SMALL.beta_grid[0], 2.0))


@pytest.fixture(scope="module")
def recorded(study, tmp_path_factory):
    """A results file of the page, with networks of fewer epochs and more betas."""
    return results.record(
        "10_readings", "smoke", SMALL, "cpu", study.numbers, study.finding,
        tmp_path_factory.mktemp("results"),
    )  # fmt: skip


def test_recorded_readings_of_shorter_trainings_stand_beside_the_longer_ones(
    study, recorded, store, monkeypatch
):
    monkeypatch.setenv("REPINF_MODELS", str(store))
    shorter = shorter_trainings.readings(LONGER, recorded)
    monkeypatch.setattr(shorter_trainings, "readings", lambda _: shorter)
    found = readings.run(LONGER)
    beta = SMALL.beta_grid[0]
    pairs = [*dict.fromkeys(found.by_length.reading)]
    assert pairs[:4] == [
        f"{noise}, β = {beta:g}, {epochs} epochs" for noise in NOISES for epochs in (2, 3)
    ]
    assert len(pairs) == len(study.readings) + 2 * len(NOISES)
    # The numbers are the recorded ones, and the facts follow from them.
    for own in study.judged.itertuples():
        (same,) = found.by_length[
            (found.by_length.reading == f"{own.reading}, 2 epochs")
            & (found.by_length.fact == own.fact)
        ].itertuples()
        assert (same.found, same.holds) == (own.found, own.holds)
    # The evidence is that of the recorded page, and does not touch that of this one.
    rows = found.evidence[found.evidence.networks == "of shorter trainings"]
    columns = ["open_point", "best", "margin", "unsuggested", "verdict"]
    pd.testing.assert_frame_equal(rows[columns].reset_index(drop=True), study.evidence[columns])
    assert len(found.evidence) == 4
    dimensions = found.dimensions[found.dimensions.network == "shorter"]
    expected = study.dimensions[study.dimensions.network == "of this page"]
    for column in ("beta", "active", "all", "most", "epochs"):
        assert dimensions[column].tolist() == expected[column].tolist()
    for epochs, group in (("After 2 epochs", study.readings), ("after 3 epochs", found.readings)):
        most = group.met.max()
        assert re.search(rf"{epochs},? (a reading meets )?at most {most} facts?\b", found.lengths)


def test_recorded_readings_of_other_parameters_of_the_page_are_not_told(recorded, tmp_path):
    """Whatever the page asks for, but what the readings differ in: beta and the epochs."""
    page = papermill.inspect_notebook(NOTEBOOKS / "10_readings.ipynb")
    asked = page.keys() - {"profile", "page", "beta_grid", "grid_epochs"}
    assert asked
    other = tmp_path / "other.json"
    for name in asked:
        found = json.loads(recorded.read_text())
        found["parameters"][name] = "another"
        other.write_text(json.dumps(found))
        assert shorter_trainings.readings(LONGER, other) == [], name


@pytest.mark.parametrize(
    "changes", [{"n_z": 4}, {"p": 0.3}, {"trial_seed": 1}, {"seed": 1}, {"grid_epochs": 2}]
)
def test_readings_of_other_settings_or_of_no_shorter_training_are_not_told(recorded, changes):
    assert shorter_trainings.readings(dataclasses.replace(LONGER, **changes), recorded) == []


def test_what_ships_are_the_readings_of_the_published_settings_after_100_epochs():
    published = profiles.experiment("paper", {"beta_grid": [1.0, 2.0, 3.0]})
    found = shorter_trainings.readings(published)
    assert [(one["beta"], one["noise"]) for one in found] == [
        (beta, noise) for beta in (1, 2, 3, 4) for noise in NOISES
    ]
    assert {one["epochs_trained"] for one in found} == {100}
    recorded = json.loads(shorter_trainings.RECORDED.read_text())["results"]["readings"]
    assert [one["met"] for one in found] == [one["met"] for one in recorded]
    assert len({str(one["met"]) for one in recorded}) > 1


def test_recorded_readings_do_not_depend_on_what_the_page_does_not_use(recorded):
    others = dataclasses.replace(LONGER, settling_steps=7, channels=3, n_z_grid=(2, 3), window=1)
    assert shorter_trainings.readings(others, recorded)


def test_the_fall_of_the_active_latents_is_told_from_epoch_100_on():
    active = pd.DataFrame(
        {
            "network": ["β = 1"] * 4 + ["β = 2"] * 2,
            "epoch": [99, 100, 101, 1500, 1, 100],
            "active": [30, 28, 29, 19, 40, 20],
        }
    )
    assert effective_dimension.fall(active) == (
        "The number of active latent variables changes from 28 at epoch 100 to 19 at epoch 1,500 "
        "(β = 1)."
    )
    assert "No training" in effective_dimension.fall(active[active.epoch < 101])


def test_the_nearest_networks_to_the_printed_numbers_are_named_with_ties():
    table = pd.DataFrame(
        {
            "dataset": "MNIST",
            "network": ["the paper prints", *["of this page"] * 4],
            "beta": [None, 1, 2, 3, 4],
            "active": pd.array([14, 19, 14, 13, 14], "Int64"),
            "all": pd.array([14, 19, 14, 14, pd.NA], "Int64"),
            "most": pd.array([9, 12, 8, 9, pd.NA], "Int64"),
            "epochs": pd.array([pd.NA, 1500, 1500, 100, 100], "Int64"),
            "seed": pd.array([pd.NA, 0, 0, 0, 0], "Int64"),
        }
    )
    assert effective_dimension.nearest(table) == (
        "Nearest to the printed numbers: MNIST, β = 2, 1,500 epochs, seed 0 (14, 14, 8); "
        "MNIST, β = 3, 100 epochs, seed 0 (13, 14, 9). "
        "Next: MNIST, β = 1, 1,500 epochs, seed 0 (19, 19, 12)."
    )


def test_a_point_that_stays_open_beside_one_that_does_not_has_its_row():
    evidence = reading_tables.evidence(
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
