"""The committed pages are those of the notebooks, the core and the models as they are now."""

import dataclasses
import json
import re
from pathlib import Path

import nbformat
import pytest
import sources
import yaml

from repinf_core import claims, profiles
from repinf_core.models.mlp import VAESpec
from repinf_core.training import shipped

BOOK = Path(__file__).parents[1] / "book"
PUBLISHED = sorted((BOOK / "pages").glob("*.ipynb"))
PAGES = yaml.safe_load((BOOK / "pages.yml").read_text())


def said(path):
    """What a page's cells say, without the parameters that papermill put in."""
    return [
        cell.source
        for cell in nbformat.read(path, 4).cells
        if "injected-parameters" not in cell.metadata.get("tags", [])
    ]


def printed(path):
    """The text that a page's cells print."""
    cells = nbformat.read(path, 4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error"]
    return "".join(output.text for output in outputs if output.output_type == "stream")


def result(path):
    return json.loads((BOOK / "results" / f"{path.stem}.json").read_text())


def test_there_is_a_published_edition():
    assert PUBLISHED


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_a_published_page_is_not_stale(path):
    notebook = BOOK.parent / "notebooks" / PAGES[path.stem]["notebook"]
    assert said(path) == said(notebook)
    assert nbformat.read(path, 4).metadata["sources"] == sources.digests(notebook, BOOK.parent)
    found = result(path)
    assert found["profile"] == "paper"
    own = PAGES[path.stem]["parameters"] | PAGES[path.stem].get("published", {})
    assert {name: found["parameters"][name] for name in own} == own


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_a_published_page_names_the_commit_of_its_code(path):
    """A whole one: nobody could look up code that was never committed."""
    assert re.fullmatch("[0-9a-f]{40}", result(path)["provenance"]["revision"])


def test_the_published_pages_are_of_one_revision():
    """To mend one page is to execute all (``make paper``)."""
    assert len({result(path)["provenance"]["revision"] for path in PUBLISHED}) == 1


def test_the_published_verdicts_are_those_of_the_published_numbers():
    judged = claims.judge(claims.CLAIMS, BOOK / "results", "paper", profiles.PROFILES["paper"])
    published = result(Path("11_claims"))["results"]["claims"]
    assert {one["name"]: (one["ours"], one["verdict"]) for one in published} == {
        one.claim.name: (one.ours, one.verdict) for one in judged
    }


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_a_published_page_shows_the_models_that_ship(path):
    """As far as they are trained now: a model trained on makes its pages stale."""
    manifest = shipped.manifest()
    told = re.findall(r"model +(\S+)\n +ships, trained for ([\d,]+) of", printed(path))
    shown = {name: int(epochs.replace(",", "")) for name, epochs in told}
    for name, epochs in shown.items():
        assert manifest[name]["epochs_trained"] == epochs
    found = result(path)
    spec = VAESpec.of(profiles.experiment("paper", found["parameters"]))
    if "epochs_trained" in found["results"]:
        # A page on several data sets tells the fewest epochs; any other those of its own network,
        # though it may compare it with networks of other settings.
        several = "lacks_data" in found["results"]
        expected = min(shown.values()) if several else shown[spec.name]
        assert found["results"]["epochs_trained"] == expected
    for n_z, of_grid in found["results"].get("by_n_z", {}).items():
        experiment = profiles.experiment("paper", found["parameters"] | {"n_z": int(n_z)})
        name = dataclasses.replace(VAESpec.of(experiment), epochs=experiment.grid_epochs).name
        assert of_grid["epochs_trained"] == manifest[name]["epochs_trained"]


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_a_published_page_has_its_movies_and_they_are_small(path):
    for movie in re.findall(r"_static/movies/[\w.-]+\.mp4", path.read_text()):
        assert 0 < (BOOK / movie).stat().st_size <= 1.5e6


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_a_published_page_names_no_folder_of_the_machine_that_executed_it(path):
    assert not re.search(r"kept in [/~]", printed(path))
