"""A results file says what was measured, with which parameters, by which code."""

import json
import math

import pytest
import torch

import repinf_core
from repinf_core import profiles, results

EXPERIMENT = profiles.experiment("smoke", {"n_z": 7})


def test_a_record_holds_numbers_parameters_and_provenance(tmp_path):
    numbers = {"labels_approaching": 9, "minimum": 1.25}
    path = results.record("a_page", "smoke", EXPERIMENT, "cpu", numbers, "Nine.", tmp_path)
    assert path == tmp_path / "a_page.json"
    contents = json.loads(path.read_text())
    assert contents["results"] == numbers
    assert contents["parameters"]["n_z"] == 7
    assert contents["parameters"]["seed"] == EXPERIMENT.seed
    assert (contents["page"], contents["profile"], contents["finding"]) == (
        "a_page",
        "smoke",
        "Nine.",
    )
    provenance = contents["provenance"]
    assert provenance["device"] == "cpu"
    assert provenance["revision"]
    assert torch.__version__.startswith(provenance["versions"]["torch"])
    assert provenance["versions"]["repinf"] == repinf_core.__version__


def test_the_same_measurement_gives_the_same_bytes(tmp_path):
    for folder in ("one", "two"):
        results.record("a", "smoke", EXPERIMENT, "cpu", {"x": 0.1}, "", tmp_path / folder)
    one, two = ((tmp_path / folder / "a.json").read_bytes() for folder in ("one", "two"))
    assert one == two


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_number_that_is_none_is_refused_and_the_old_file_stays(tmp_path, value):
    results.record("a", "smoke", EXPERIMENT, "cpu", {"x": 1}, "", tmp_path)
    before = (tmp_path / "a.json").read_bytes()
    with pytest.raises(ValueError, match="not JSON compliant"):
        results.record("a", "smoke", EXPERIMENT, "cpu", {"x": value}, "", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_bytes() == before


@pytest.mark.parametrize("page", ["../a", "a/b", "", "a b"])
def test_a_page_that_is_no_file_stem_is_refused(tmp_path, page):
    with pytest.raises(ValueError, match="letters, digits"):
        results.record(page, "smoke", EXPERIMENT, "cpu", {}, "", tmp_path)
