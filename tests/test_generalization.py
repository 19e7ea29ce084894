"""Page 08 reports what its trainings came to, be it nothing."""

import csv
import dataclasses
import json
from collections import defaultdict

import numpy as np
import pandas as pd
import pytest
from pages import (
    ROOT,
    SMOKE,
    executed,
    results,
    stored_history,
)
from papermill.exceptions import PapermillExecutionError

from repinf_core.models.mlp import VAESpec


def table(folder, name):
    """A table of the page, as it was written beside its numbers."""
    return pd.read_csv(folder / "results" / "08_generalization" / f"{name}.csv")


def test_the_generalization_page_reports_what_the_stored_histories_say(smoke_book):
    found = results(smoke_book.out, "08_generalization")["results"]
    objective = {}
    for n_z in SMOKE.n_z_grid:
        for rate in SMOKE.selection_rates:
            for minibatch in SMOKE.selection_minibatches:
                spec = VAESpec.of(
                    dataclasses.replace(
                        SMOKE,
                        n_z=n_z,
                        learning_rates=(rate,),
                        minibatch=minibatch,
                        epochs=SMOKE.selection_epochs,
                    )
                )
                history = stored_history(spec, smoke_book.models)
                assert len(history) == SMOKE.selection_epochs
                objective[n_z, rate, minibatch] = history[-1]["test"]["negative_elbo"]
    said = {(c["n_z"], c["rate"], c["minibatch"]): c for c in found["cells"]}
    assert {key: cell["test_negative_elbo"] for key, cell in said.items()} == objective
    for key, cell in said.items():
        assert (cell["outcome"] == "nothing learned") == (objective[key] > 784 * np.log(2))
    smallest = {
        n_z: min(value for key, value in objective.items() if key[0] == n_z)
        for n_z in SMOKE.n_z_grid
    }
    for n_z, row in zip(SMOKE.n_z_grid, found["best"], strict=True):
        assert row["test_negative_elbo"] == smallest[n_z]
        assert objective[n_z, row["rate"], row["minibatch"]] == smallest[n_z]
    star = min(smallest, key=smallest.get)
    assert found["n_z_star"] == star
    assert found["smallest_error"] == smallest[star]
    assert found["gain"] == pytest.approx(smallest[SMOKE.n_z_grid[0]] - smallest[star])
    later = [smallest[n_z] - smallest[star] for n_z in SMOKE.n_z_grid if n_z > star]
    assert found["rise"] == (pytest.approx(max(later)) if later else None)
    at_end = star in (SMOKE.n_z_grid[0], SMOKE.n_z_grid[-1])
    assert found["star_is_at_an_end"] == at_end
    expected = None if at_end else found["rise"] <= 0.1 * found["gain"]
    assert found["flat_afterwards"] == expected


@pytest.mark.slow
def test_trainings_that_come_to_nothing_do_not_stop_the_generalization_page(tmp_path):
    """At the rate 1e30 the objective is no number, at 0.1 it is one, and a bad one."""
    _, found = executed(
        tmp_path,
        "08_generalization",
        n_z_grid=[1, 3],
        selection_rates=[1e30, 0.1, 0.001],
        selection_minibatches=[50, 500],
        selection_epochs=1,
    )
    assert len(found["cells"]) == 12
    for cell in found["cells"]:
        error = cell["test_negative_elbo"]
        assert (cell["outcome"] == "TrainingDiverged") == (cell["rate"] == 1e30) == (error is None)
        if error is not None:
            assert (cell["outcome"] == "nothing learned") == (error > 784 * np.log(2))
    outcomes = [cell["outcome"] for cell in found["cells"]]
    assert set(outcomes) == {"TrainingDiverged", "nothing learned", "trained"}
    assert {row["rate"] for row in found["best"]} == {0.001}
    in_vain = len(outcomes) - outcomes.count("trained")
    of_values = table(tmp_path, "values")
    for parameter in ("learning rate", "minibatch"):
        assert of_values[of_values.parameter == parameter].in_vain.sum() == in_vain


@pytest.mark.slow
def test_the_generalization_page_reads_the_table_that_ships_and_recomputes_on_request(
    tmp_path, monkeypatch
):
    """The published page's numbers, without its data and without a training."""
    published = json.loads((ROOT / "book/results/08_generalization.json").read_text())
    monkeypatch.setenv("REPINF_DATA", str(tmp_path / "no data"))
    changes = {"profile": "paper"} | {
        name: published["parameters"][name]
        for name in (
            "n_z_grid",
            "selection_epochs",
            "selection_rates",
            "selection_minibatches",
        )
    }

    _, found = executed(tmp_path, "08_generalization", **changes)
    assert found == published["results"]
    in_it = {(c["n_z"], c["rate"], c["minibatch"], c["epochs"]) for c in found["cells"]}
    left_out = defaultdict(list)
    with open(ROOT / "repinf_core/weights/sweeps.csv", newline="") as file:
        for row in csv.DictReader(file):
            rate, epochs = float(row["learning_rates"]), int(row["epochs"])
            if (int(row["n_z"]), rate, int(row["minibatch"]), epochs) not in in_it:
                left_out[epochs].append(float(row["test_negative_elbo"]))
    assert left_out
    told = table(tmp_path, "others").set_index("epochs")
    assert told.trainings.to_dict() == {epochs: len(errors) for epochs, errors in left_out.items()}
    for epochs, errors in left_out.items():
        in_vain = sum(error > 784 * np.log(2) for error in errors)
        assert told.nothing_learned[epochs] == in_vain
    with pytest.raises(PapermillExecutionError, match="DataError"):
        executed(tmp_path, "08_generalization", **changes, recompute=True)
