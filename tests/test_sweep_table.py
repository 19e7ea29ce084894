"""The table of outcomes gives back what was put in, and the runs decide what that is."""

import csv
import dataclasses

import joblib
import pandas as pd
import pytest
import small

from repinf_core import profiles
from repinf_core.models.mlp import VAESpec
from repinf_core.training import sweep, sweep_table
from repinf_core.training.run import TrainingRun


def trained(**changes):
    run = TrainingRun(small.spec(**changes))
    small.run_epochs(run, run.spec.epochs, small.digits(300))
    return run


def test_an_outcome_is_what_the_history_says():
    run = trained(epochs=20)
    found = sweep_table.reached(run)
    assert found.test_negative_elbo == run.history[19].test["negative_elbo"]
    assert found.before == run.history[17].test["negative_elbo"]
    assert found.active_latents == run.history[19].test["active_latents"]
    assert found.seconds == pytest.approx(sum(record.seconds for record in run.history))
    assert (
        sweep_table.reached(trained(epochs=2)).before
        == trained(epochs=2).history[0].test["negative_elbo"]
    )


def test_of_a_single_epoch_nothing_comes_before():
    found = sweep_table.reached(trained(epochs=1))
    assert found.before == found.test_negative_elbo


def test_the_table_gives_back_what_was_put_in_to_the_last_bit(tmp_path):
    specs = [small.spec(n_z=n_z, learning_rates=(0.01, 1e-4)) for n_z in (2, 3)]
    put = {
        specs[0]: sweep_table.Outcome(1 / 3, 100 / 7, 2, 0.1),
        specs[1]: sweep_table.failed("TrainingDiverged: The objective is nan, not a number"),
    }
    table = tmp_path / "table.csv"
    sweep_table.ship(put, "revision", "two cores, one of them idle", table)
    assert sweep_table.load(table) == put
    with open(table, newline="") as file:
        first = next(row for row in csv.DictReader(file) if row["name"] == specs[0].name)
    assert first["learning_rates"] == "0.01 0.0001"
    assert first["revision"] == "revision"
    assert first["device"] == "two cores, one of them idle"
    assert (first["dataset"], first["n_z"]) == ("digits", "2")


def test_a_table_older_than_a_field_is_of_specs_with_that_fields_default(tmp_path):
    table, found = tmp_path / "sweeps.csv", sweep_table.Outcome(1.0, 2.0, 3, 4.0)
    old, new = small.SPEC, small.spec(beta=2.0)
    sweep_table.ship({old: found}, "r", "d", table)
    pd.read_csv(table, dtype=str).drop(columns="beta").to_csv(table, index=False)
    assert sweep_table.load(table) == {old: found}
    sweep_table.ship({new: found}, "r", "d", table)
    assert sweep_table.load(table) == {old: found, new: found}


def test_a_later_outcome_replaces_the_earlier_and_leaves_the_others(tmp_path):
    specs, table = [small.spec(n_z=n_z) for n_z in (2, 3)], tmp_path / "table.csv"
    old = sweep_table.Outcome(1.0, 2.0, 2, 1.0)
    sweep_table.ship(dict.fromkeys(specs, old), "first", "a machine", table)
    new = sweep_table.Outcome(0.5, 1.0, 1, 3.0)
    sweep_table.ship({specs[1]: new}, "second", "a machine", table)
    assert sweep_table.load(table) == {specs[0]: old, specs[1]: new}


def test_nothing_found_is_a_table_without_rows(tmp_path):
    table = tmp_path / "table.csv"
    sweep_table.ship({}, "revision", "a machine", table)
    assert sweep_table.load(table) == {}


def test_without_a_table_nothing_ships(tmp_path):
    assert sweep_table.load(tmp_path / "none.csv") == {}


def test_every_shipped_outcome_is_of_the_spec_that_its_row_tells():
    """A row whose settings were edited would be read for other ones."""
    with open(sweep_table.TABLE, newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row, spec in zip(rows, sweep_table.load(), strict=True):
        assert spec.name == row["name"]
        assert row["device"]
        assert row["revision"]
        if not row["failure"]:
            assert float(row["test_negative_elbo"]) > 45


def test_all_that_fig_9_selects_from_ships():
    """Or a reader who asks for the paper's settings would train for hours."""
    spec = VAESpec.of(profiles.experiment("paper", {"epochs": 100}))
    cells = sweep.product(
        spec,
        n_z=profiles.PROFILES["paper"].n_z_grid,
        learning_rates=[(0.01,), (0.001,), (0.0001,)],
        minibatch=[50, 100, 200],
    )
    assert len(cells) == 81
    assert not set(cells) - sweep_table.load().keys()


def test_several_processes_that_ship_at_once_lose_nothing(tmp_path):
    table, specs = tmp_path / "table.csv", [small.spec(n_z=n_z) for n_z in range(2, 10)]
    old = sweep_table.Outcome(1.0, 2.0, 2, 1.0)
    one = joblib.delayed(lambda spec: sweep_table.ship({spec: old}, "a", "a machine", table))
    with joblib.Parallel(2) as parallel:
        parallel(one(spec) for spec in specs)
    assert sweep_table.load(table).keys() == set(specs)


def test_the_last_epoch_counts_though_an_earlier_one_was_better():
    run = trained(epochs=3)
    run.history[-1] = dataclasses.replace(
        run.history[-1], test=run.history[-1].test | {"negative_elbo": 1e4}
    )
    assert sweep_table.reached(run).test_negative_elbo == 1e4


def test_nine_tenths_of_the_epochs_are_rounded_up():
    run = trained(epochs=27)
    assert sweep_table.reached(run).before == run.history[24].test["negative_elbo"]
