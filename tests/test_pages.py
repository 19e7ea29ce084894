"""Every notebook runs with any parameters, and what it cannot do it refuses first."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pages import NOTEBOOKS, SMOKE, executed, outputs_of, results
from papermill.exceptions import PapermillExecutionError

from repinf_core import profiles

COLLAPSED = {"n_z": 1, "beta": 1000, "epochs": 10, "trials": 3, "steps": 3}

pytestmark = pytest.mark.slow  # every test executes pages


def test_every_page_says_what_it_ran_with(smoke_book):
    for notebook in NOTEBOOKS.glob("*.ipynb"):
        found = results(smoke_book.out, notebook.stem)
        assert found["profile"] == "smoke"
        assert profiles.experiment("smoke", found["parameters"]) == SMOKE


@pytest.mark.parametrize("trials", [3, 20])
def test_without_noise_nothing_is_displaced(smoke_book, tmp_path, monkeypatch, trials):
    """Though encodings of an image in batches of 3 and of all differ by rounding errors."""
    monkeypatch.setenv("REPINF_MODELS", str(smoke_book.models))
    _, found = executed(tmp_path, "05_noise_and_hierarchy", p=0.0, trials_per_p=trials)
    assert found["share_of_displacement_outside"] is None
    plane = (tmp_path / "results" / "05_noise_and_hierarchy" / "plane.csv").read_text()
    assert plane == "what,trial,t,right,up\n"


def test_the_trajectories_of_a_collapsed_network_are_no_branches(tmp_path, model_store):
    shown, found = executed(tmp_path, "03_collective_dynamics", **COLLAPSED)
    assert "all trials are one point" in shown
    assert found["silhouette"] == 0
    assert len(found["share_nearest_own_concept"]) == 1
    assert 'data-verdict=\\"not run\\"' in shown


def test_with_a_single_latent_variable_there_is_no_saddle(tmp_path, model_store):
    _, found = executed(tmp_path, "04_cluster_centers", **COLLAPSED | {"beta": 1})
    assert {label["growth_across_noise"] for label in found["labels"].values()} == {None}
    assert found["labels_with_a_saddle"] == 0


def test_the_claims_page_alone_says_where_its_numbers_come_from(tmp_path):
    shown, found = executed(tmp_path, "11_claims")
    assert "none could be judged. Run the pages" in shown
    assert found["counts"] == {"not run": len(found["claims"])}


def test_the_claims_page_is_true_to_its_results(smoke_book, tmp_path):
    """One number altered in one results file, and the verdict is another."""
    said = {
        one["name"]: one["verdict"]
        for one in results(smoke_book.out, "11_claims")["results"]["claims"]
    }
    assert said["approach"] != "not run"
    shutil.copytree(smoke_book.out / "results", tmp_path / "results")
    path = tmp_path / "results" / "04_cluster_centers.json"
    contents = json.loads(path.read_text())
    assert contents["results"]["labels_approaching_whole_chord"] < 10
    for reading in ("whole_chord", "same_time"):
        contents["results"][f"labels_approaching_{reading}"] = 10
    path.write_text(json.dumps(contents))
    (tmp_path / "results" / "05_noise_and_hierarchy.json").unlink()
    shown, found = executed(tmp_path, "11_claims")
    expected = said | {
        "approach": "reproduced",
        "stages": "not run",
        "memory time": "not run",
        "concept time": "not run",
    }
    assert {one["name"]: one["verdict"] for one in found["claims"]} == expected
    for verdict, count in found["counts"].items():
        assert shown.count(f'data-verdict=\\"{verdict}\\"') == count


def test_a_page_for_another_dimension_from_the_command_line(tmp_path, model_store):
    """As in the README, and again: the same parameters give the same numbers, byte for byte."""
    command = [Path(sys.executable).with_name("papermill"), NOTEBOOKS / "04_cluster_centers.ipynb"]
    command += ["out.ipynb", "-p", "profile", "smoke", "-p", "n_z", "7", "-p", "epochs", "5"]
    written = []
    for _ in range(2):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        written.append((tmp_path / "results" / "04_cluster_centers.json").read_bytes())
    assert written[0] == written[1]
    assert results(tmp_path, "04_cluster_centers")["parameters"]["n_z"] == 7
    (folder,) = model_store.iterdir()
    assert "nz7" in folder.name
    assert "$N_z = 7$" in results(tmp_path, "04_cluster_centers")["finding"]
    assert "digits-vae-nz7" in outputs_of(tmp_path / "out.ipynb")


REFUSED = {
    "a typo": ({"nz": 7}, ["nz", "7", "n_z"]),
    "no latents": ({"n_z": 0}, ["n_z", "0", "an integer from 1"]),
    "not a number": ({"n_z": "ten"}, ["n_z", "'ten'", "an integer from 1"]),
    "no probability": ({"p": 1.5}, ["p", "1.5", "from 0 to 1"]),
    "no such dataset": ({"dataset": "cifar"}, ["dataset", "'cifar'", "digits, mnist"]),
    "no file's name": ({"page": "../x"}, ["page", "'../x'", "letters, digits"]),
    "no such profile": ({"profile": "fast"}, ["profile", "'fast'", "smoke, quick, paper"]),
}


@pytest.mark.parametrize("given", REFUSED)
def test_a_wrong_parameter_is_refused_in_one_sentence_before_training(tmp_path, model_store, given):
    parameters, named = REFUSED[given]
    with pytest.raises(PapermillExecutionError) as refused:
        executed(tmp_path, "04_cluster_centers", **parameters)
    assert refused.value.ename == "ParameterError"
    assert len(re.findall(r"\.(?= |$)", refused.value.evalue)) == 1
    for part in named:
        assert part in refused.value.evalue
    assert not model_store.exists()
    assert not (tmp_path / "results").exists()


def test_the_command_line_refuses_with_a_non_zero_exit(tmp_path):
    command = [Path(sys.executable).with_name("papermill"), NOTEBOOKS / "01_model.ipynb"]
    command += [tmp_path / "out.ipynb", "-p", "n_z", "0"]
    refused = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert refused.returncode != 0
    last_line = refused.stderr.strip().splitlines()[-1]
    assert last_line == "ParameterError: Parameter n_z is 0; allowed is an integer from 1 to 4096."


@pytest.mark.skipif(not os.environ.get("REPINF_DATA"), reason="REPINF_DATA names no MNIST")
def test_a_page_runs_on_mnist(tmp_path):
    executed(tmp_path, "04_cluster_centers", dataset="mnist", epochs=1)
    assert results(tmp_path, "04_cluster_centers")["parameters"]["dataset"] == "mnist"
