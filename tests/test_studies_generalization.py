"""The study of Fig. 9 on tables whose numbers are known, and on trainings that it does."""

import dataclasses
import math

import pytest
from pages import stored_history

from repinf_core import claims, profiles
from repinf_core.models.mlp import VAESpec
from repinf_core.studies import generalization
from repinf_core.training import sweep, sweep_table
from repinf_core.training.sweep_table import Outcome, failed

N_Z, RATES, MINIBATCHES = (2, 5, 10, 20, 100), (0.01, 0.001), (50, 200)
# Of the setting that is best: a fall of 50 nats to N_z = 10, then a rise by at most 4.
SMALLEST = {2: 150.0, 5: 112.0, 10: 100.0, 20: 104.0, 100: 103.0}
EXPERIMENT = profiles.experiment(
    "quick",
    {"n_z_grid": N_Z, "selection_rates": RATES, "selection_minibatches": MINIBATCHES},
)


def spec(n_z, rate, minibatch, **changes):
    epochs = {"epochs": EXPERIMENT.selection_epochs} | changes
    of_cell = {"n_z": n_z, "learning_rates": (rate,), "minibatch": minibatch}
    return dataclasses.replace(VAESpec.of(EXPERIMENT), **of_cell | epochs)


def outcome(error, active=7):
    return Outcome(error, error + 2.5, active, 1.0)


def known():
    """Rate 0.001 with minibatch 200 is best; two others are 1 and 10 nats above; one fails."""
    above = {(0.001, 200): 0.0, (0.001, 50): 1.0, (0.01, 200): 10.0}
    table = {
        spec(n_z, *setting): outcome(error + more, active=min(n_z, 14))
        for n_z, error in SMALLEST.items()
        for setting, more in above.items()
    }
    return table | {spec(n_z, 0.01, 50): failed("TrainingDiverged: no number") for n_z in N_Z}


@pytest.fixture
def study_of(monkeypatch):
    """The study of a shipped table with these outcomes; whatever is to be trained fails."""

    def study(table, **changes):
        monkeypatch.setattr(sweep_table, "load", lambda: table)
        experiment = dataclasses.replace(EXPERIMENT, **changes)
        return generalization.run(experiment, "cpu")

    return study


def test_every_training_has_a_row(study_of):
    study = study_of(known())
    assert len(study.trainings) == len(N_Z) * len(RATES) * len(MINIBATCHES)
    for row in study.trainings.itertuples():
        expected = known()[spec(row.n_z, row.rate, row.minibatch)]
        if expected.failure:
            assert row.outcome == "TrainingDiverged"
            assert math.isnan(row.error)
        else:
            assert (row.outcome, row.error) == ("trained", expected.test_negative_elbo)
            assert row.fall == pytest.approx(2.5)
            assert row.active_latents == expected.active_latents


def test_the_best_setting_stands_for_its_dimension(study_of):
    study = study_of(known())
    best = study.best.set_index("n_z")
    assert best.error.to_dict() == SMALLEST
    assert set(best.rate) == {0.001}
    assert set(best.minibatch) == {200}
    assert set(best.second) == {1.0}
    curves = study.curves.pivot(index="n_z", columns="setting", values="error")
    assert curves["rate 0.001"].to_dict() == SMALLEST
    assert curves["rate 0.01"].to_dict() == {n_z: error + 10 for n_z, error in SMALLEST.items()}
    values = study.values.set_index(["parameter", "value"])
    assert values.best.to_dict() == {
        ("learning rate", 0.01): 0,
        ("learning rate", 0.001): 5,
        ("minibatch", 50): 0,
        ("minibatch", 200): 5,
    }
    assert values.in_vain.to_list() == [5, 0, 5, 0]
    assert set(values.trainings) == {10}


def test_of_a_single_rate_the_minibatches_have_curves(study_of):
    curves = study_of(known(), selection_rates=(0.001,)).curves
    assert set(curves.setting) == {"minibatch 50", "minibatch 200"}
    of_50 = curves[curves.setting == "minibatch 50"].set_index("n_z").error
    assert of_50.to_dict() == {n_z: error + 1 for n_z, error in SMALLEST.items()}


def test_a_rise_is_flat_up_to_a_tenth_of_the_gain(study_of):
    (minimum,) = study_of(known()).minimum.itertuples()
    assert (minimum.n_z_star, minimum.error, minimum.gain, minimum.rise) == (10, 100, 50, 4)
    assert minimum.rise_to_gain == pytest.approx(0.08)
    assert minimum.flat_afterwards
    assert (minimum.second, minimum.largest_n_z, minimum.active_latents) == (1, 100, 14)
    steep = known() | {spec(20, 0.001, 200): outcome(105.5)}
    steep[spec(20, 0.001, 50)] = outcome(120.0)
    (minimum,) = study_of(steep).minimum.itertuples()
    assert minimum.rise == 5.5
    assert not minimum.flat_afterwards


@pytest.mark.parametrize(("grid", "star"), [((10, 20, 100), 10), ((2, 5, 10), 10)])
def test_at_an_end_of_the_grid_nothing_is_said_of_afterwards(study_of, grid, star):
    study = study_of(known(), n_z_grid=grid)
    assert study.minimum.n_z_star.tolist() == [star]
    assert study.minimum.flat_afterwards.isna().all()
    assert study.minimum.rise_to_gain.isna().all()
    assert study.numbers["star_is_at_an_end"]
    assert study.numbers["flat_afterwards"] is None
    (card,) = claims.cards(
        claims.generalization.CLAIMS, study.numbers, dataclasses.asdict(study.experiment)
    )
    assert "cannot be judged" in str(card)


def test_a_dimension_whose_trainings_all_failed_has_no_best(study_of):
    of_two = [cell for cell in known() if cell.n_z == 2]
    study = study_of(known() | dict.fromkeys(of_two, failed("DataError: gone")))
    assert study.best.iloc[0].drop("n_z").isna().all()
    assert study.numbers["best"][0] is None
    assert study.numbers["gain"] is None
    assert study.numbers["rise"] == 4
    assert study.numbers["flat_afterwards"] is None


def test_if_every_training_failed_one_error_says_so(study_of):
    with pytest.raises(sweep.SweepError, match="20 of 20 cells failed"):
        study_of(dict.fromkeys(known(), failed("DataError: gone")))


def test_an_error_above_that_of_one_half_is_nothing_learned(study_of):
    cell = spec(5, 0.01, 200)
    study = study_of(known() | {cell: outcome(784 * math.log(2) + 0.01)})
    assert (study.trainings.outcome == "nothing learned").sum() == 1
    assert study.values.in_vain.to_list() == [6, 0, 5, 1]


def test_what_the_table_holds_besides_is_counted(study_of):
    besides = {
        spec(10, 0.1, 50): outcome(99.25),
        spec(10, 0.1, 200): outcome(99.75),
        spec(5, 0.1, 50): outcome(112.5),
        spec(5, 0.002, 50): outcome(600.0),
        spec(10, 0.001, 50, epochs=4): outcome(130.0),
        spec(2, 0.001, 50, epochs=4): outcome(160.0),
        spec(2, 0.01, 50, epochs=4): outcome(161.0),
    }
    other_network = {spec(10, 0.1, 50, n_hidden=7): outcome(50.0)}
    study = study_of(known() | besides | other_network)
    assert len(study.left_out) == len(besides)
    few, same = study.others.itertuples(index=False)
    assert (few.epochs, few.trainings, few.settings, few.dimensions) == (4, 3, 2, 2)
    assert (few.rate, few.minibatch, few.nothing_learned) == (0.001, 50, 0)
    assert study.others.better.isna().tolist() == [True, False]
    assert (same.trainings, same.settings, same.dimensions) == (4, 3, 2)
    assert (same.nothing_learned, same.better, same.better_by) == (1, 1, 0.75)
    assert (same.rate, same.minibatch) == (0.1, 50)


def test_what_the_table_lacks_is_trained_and_on_request_all_is(model_store, monkeypatch):
    """As the stored histories say; an outcome in the table counts only until it is recomputed."""
    tiny = {
        "n_hidden": 8,
        "n_z_grid": (1, 3),
        "selection_rates": (0.01,),
        "selection_minibatches": (500,),
        "selection_epochs": 1,
    }
    experiment = profiles.experiment("smoke", tiny)
    of_three = dataclasses.replace(
        VAESpec.of(experiment), n_z=3, learning_rates=(0.01,), minibatch=500, epochs=1
    )
    monkeypatch.setattr(sweep_table, "load", lambda: {of_three: outcome(1.0)})
    assert generalization.run(experiment, "cpu").numbers["smallest_error"] == 1.0
    study = generalization.run(experiment, "cpu", recompute=True)
    for row in study.trainings.itertuples():
        (record,) = stored_history(dataclasses.replace(of_three, n_z=row.n_z), model_store)
        assert row.error == record["test"]["negative_elbo"]
        assert row.active_latents == record["test"]["active_latents"]
        assert row.fall == 0  # of a single epoch there is none before
