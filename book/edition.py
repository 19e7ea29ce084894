"""The pages of an edition: their names, their sources, and whether they are up to date."""

import hashlib
import json
import re
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import papermill
import sources
import yaml

from repinf_core import profiles

BOOK = Path(__file__).resolve().parent
ROOT = BOOK.parent
_LIBRARIES = ("numpy", "pandas", "scikit-learn", "scipy", "torch")  # versions may differ in numbers


class BuildError(Exception):
    """An error that stops a build; its message addresses the person who started it."""


@dataclass(frozen=True)
class Page:
    """A page: its name, its notebook, and the parameters that papermill injects."""

    name: str
    notebook: Path
    parameters: dict[str, Any]
    reads: tuple["Page", ...] = ()  # pages whose results it reads
    files: tuple[str, ...] = ()  # patterns of other files that it reads
    long: bool = False  # takes longer than most

    def sources(self) -> dict[str, str]:
        """SHA-256 of its notebook, and of the core modules that the notebook imports."""
        return sources.digests(self.notebook, ROOT)

    def fingerprint(self, out: Path) -> str:
        """SHA-256 of everything that determines the page.

        That is its parameters, its sources, the versions of the libraries that compute, the shipped
        weights, and the results and files that it reads.
        """
        libraries = {name: version(name) for name in _LIBRARIES}
        shaped = json.dumps([self.parameters, self.sources(), libraries], sort_keys=True)
        sha256 = hashlib.sha256(shaped.encode())
        for name in self.ran(out):
            sha256.update(name.encode() + (out / "results" / f"{name}.json").read_bytes())
        files = [ROOT / "repinf_core" / "weights" / "manifest.json"]
        files += [path for pattern in self.files for path in sorted(ROOT.glob(pattern))]
        for path in files:
            sha256.update(path.name.encode() + path.read_bytes())
        return sha256.hexdigest()

    def lacked_data(self, out: Path) -> bool:
        """Whether its results say that its data were missing; they may be available now."""
        path = out / "results" / f"{self.name}.json"
        found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return bool(found.get("results", {}).get("lacks_data"))

    def ran(self, out: Path) -> list[str]:
        """Names of the pages that it reads whose results in ``out`` belong to this edition."""
        return [page.name for page in self.reads if page.is_executed(out)]

    def is_executed(self, out: Path) -> bool:
        """Whether ``out`` holds this page and its results, both up to date."""
        try:
            text = (out / "pages" / f"{self.name}.ipynb").read_text(encoding="utf-8")
            metadata = json.loads(text)["metadata"]
        except (OSError, ValueError, KeyError, TypeError):  # absent or damaged: not executed
            return False
        results = sha256_of(out / "results" / f"{self.name}.json")
        movies = movies_of(text, out)
        return bool(
            all(movies.values())
            # As for the results below; a page of an earlier version does not list its movies.
            and metadata.get("movies", movies) == movies
            # A run that failed at its end leaves new results beside the page of an earlier run.
            and results
            and metadata.get("results") == results
            and metadata.get("fingerprint") == self.fingerprint(out)
        )


def sha256_of(path: Path) -> str:
    """SHA-256 of a file; empty if the file does not exist."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def movies_of(text: str, out: Path) -> dict[str, str]:
    """SHA-256 of each movie and poster in ``out`` that a page's text names, by path."""
    paths = re.findall(r"_static/movies/[\w.-]+\.(?:mp4|png)", text)
    return {path: sha256_of(out / path) for path in paths}


def plan(
    profile: str, given: dict[str, Any], names: list[str] | None, others: bool = False
) -> list[Page]:
    """The pages with the given names, or the profile's edition, in the order of pages.yml.

    Args:
        profile: profile of all pages.
        given: parameters; each page gets those that it takes.
        names: names of pages, also of another profile's edition; None for all of this edition.
        others: whether to add the other pages of the profile's edition to the named ones.

    Raises:
        BuildError: a page does not exist, or a given parameter is fixed by a page or the command.
        profiles.ParameterError: a parameter is unknown, has a wrong value, or no page takes it.
    """
    if {"profile", "page"} & set(given):
        raise BuildError("Give the profile as --profile; a page's name is that of pages.yml.")
    of_experiment = {name: given[name] for name in given if name != "recompute"}
    profiles.experiment(profile, of_experiment)
    if not isinstance(given.get("recompute", False), bool):
        raise profiles.ParameterError(
            f"Parameter recompute is {given['recompute']!r}; allowed is true or false."
        )
    contents = yaml.safe_load((BOOK / "pages.yml").read_text(encoding="utf-8"))
    for name in names or []:
        if name not in contents:
            raise BuildError(f"Page {name} is unknown; allowed are {', '.join(contents)}.")
        for parameter, own in contents[name]["parameters"].items():
            if given.get(parameter, own) != own:
                raise BuildError(
                    f"Parameter {parameter} is {given[parameter]!r}; of page {name} it is always "
                    f"{own!r}."
                )
    wanted = set(names or [])
    if others or not names:
        edition = (n for n, page in contents.items() if profile in page.get("profiles", [profile]))
        wanted.update(edition)

    def page(name: str) -> Page:
        entry = contents[name]
        notebook = ROOT / "notebooks" / entry["notebook"]
        takes = papermill.inspect_notebook(notebook)
        less = entry.get("published", {}) if profile == "paper" else {}
        parameters = less | {key: value for key, value in given.items() if key in takes}
        own = {"profile": profile, "page": name, **entry["parameters"]}
        reads = tuple(map(page, entry.get("reads", ())))
        files, long = tuple(entry.get("files", ())), entry.get("long", False)
        return Page(name, notebook, parameters | own, reads, files, long)

    pages = [page(name) for name in contents if name in wanted]
    for name in given:
        if not any(name in page.parameters for page in pages):
            raise profiles.ParameterError(f"Parameter {name} is taken by none of these pages.")
    return pages
