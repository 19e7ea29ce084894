"""Every figure of the book is drawn from the tables that are named below it, and from no other.

It is drawn twice: from its study, and from what a reader has, the CSV files that its page names
below it.  Both are the same picture.  Of what is no table, a figure may take pictures if its
caption or alt text speaks of images; a number of the results file if they have the words of its
name; and names and whole numbers, such as labels and steps, which it shows as they are.
"""

import copy
import dataclasses
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from pages import NOTEBOOKS

from repinf_core import results
from repinf_core.page import Page
from repinf_core.profiles import Experiment

WITH_FIGURES = [path for path in sorted(NOTEBOOKS.glob("*.ipynb")) if "figures" in path.read_text()]


class Withheld:
    """Stands for what is not named beside a figure."""

    def __init__(self, name):
        self._name = name

    def __getattr__(self, _):
        raise LookupError(f"it takes {self._name}, which is not named beside it")


class Reader:
    """What a reader of one figure has.

    Args:
        folder: of the page's CSV files.
        tables: names of those below the figure.
        text: its caption and its alt text.
    """

    def __init__(self, folder, tables, text):
        self.folder, self.tables = folder, tables
        self.words = set(re.findall(r"\w+", text.lower()))

    def study(self, study):
        """A study that holds no more than the reader has; so for one within another."""
        theirs = copy.copy(study)
        for field in dataclasses.fields(study):
            value = self._of(field.name, getattr(study, field.name))
            object.__setattr__(theirs, field.name, value)
        return theirs

    def _of(self, name, value):
        match value:
            case pd.DataFrame() if name in self.tables:
                return self._read(name, value)
            case np.ndarray(shape=(*_, 784)) if self.words & {"image", "images"}:
                return value
            case dict() if name == "numbers":
                return {key: one for key, one in value.items() if self._told(key)}
            case Mapping():
                return {key: self._of(name, one) for key, one in value.items()}
            case tuple(_asdict=fields):
                return value._replace(**{key: self._of(key, one) for key, one in fields().items()})
            case tuple() | list():
                return type(value)(self._of(name, one) for one in value)
            case Experiment() | str() | int() | None:
                return value
            case _ if dataclasses.is_dataclass(value):
                return self.study(value)
        return Withheld(name)

    def _told(self, number):
        return self.words.issuperset(number.split("_"))

    def _read(self, name, table):
        """Of the file all rows, or the same ones that a study keeps apart."""
        read = pd.read_csv(self.folder / f"{name}.csv", dtype=dict(table.dtypes))
        return read if len(read) == len(table) else read.loc[table.index]


def run(cells, study=None):
    """Execute cells at profile smoke: their variables, and the figures shown with their tables.

    Given a study, it is what the cells get for theirs, and nothing is written.
    """
    variables, shown = {}, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Page, "figure", lambda _, figure, *tables: shown.append((figure, tables)))
        if study is not None:
            patch.setattr(sys.modules[type(study).__module__], "run", lambda *_, **__: study)
            patch.setattr(results, "record", lambda *_, **__: None)
        for cell in cells:
            source = re.sub(r"^(\s*)%.*$", r"\1pass", cell.source, flags=re.M)
            exec(source.replace('profile: str = "quick"', 'profile: str = "smoke"'), variables)
    return variables, shown


def same_picture(one, other):
    """Up to a shade of the edges: a table's file has nine digits."""
    one, other = pixels(one), pixels(other)
    return one.shape == other.shape and np.abs(one - other).max() <= 16


def pixels(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).astype(int)


def faults(text):
    """Figures of a notebook that are drawn from more than stands beside them, and what it is."""
    cells = [cell for cell in nbformat.reads(text, 4).cells if cell.cell_type == "code"]
    setup, rest = cells[:3], cells[3:]
    variables, _ = run(setup)
    study, folder = variables["study"], Path("results") / variables["page"]
    found = {}
    for cell in rest:
        if "figure" not in cell.metadata.get("mystnb", {}):
            continue
        figure, image = cell.metadata.mystnb.figure, cell.metadata.mystnb.image
        _, ours = run([*setup, cell], study)
        named = {name for _, tables in ours for name in tables}
        reader = Reader(folder, named, f"{figure.caption} {image.alt}")
        try:
            _, theirs = run([*setup, cell], reader.study(study))
            if not all(same_picture(a, b) for (a, _), (b, _) in zip(ours, theirs, strict=True)):
                found[figure.name] = "it is another picture when drawn from the files"
        except Exception as error:
            found[figure.name] = f"{type(error).__name__}: {error}"
    return found


@pytest.fixture
def models(smoke_book, tmp_path, monkeypatch):
    """Those of the smoke book; what a page writes goes to a folder of its own."""
    monkeypatch.setenv("REPINF_MODELS", str(smoke_book.models))
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("notebook", WITH_FIGURES, ids=lambda path: path.stem)
def test_a_figure_is_drawn_from_what_is_named_beside_it(notebook):
    assert faults(notebook.read_text()) == {}


PLANTED = {
    "another table": (
        "05_noise_and_hierarchy",
        '\\"time\\"), \\"landmarks\\", \\"stages\\"',
        '\\"time\\"), \\"landmarks\\"',
        "fig-times",
    ),
    "a table, shown without Page.figure": (
        "05_noise_and_hierarchy",
        "figures.drawn_schematic()",
        "figures.schematic(study.plane)",
        "fig-drawn-schematic",
    ),
    "more digits than the file has": (
        "05_noise_and_hierarchy",
        "figures.schematic(study.plane)",
        "figures.schematic(study.plane.assign(up=study.plane.up * 1e9 % 1))",
        "fig-schematic",
    ),
    "images of which nothing is said": ("01_model", " image", " picture", "fig-reconstructions"),
    "a number that is not told": ("01_model", " floor", " limit", "fig-training"),
}


@pytest.mark.slow
@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(fault):
    name, text, other, figure = PLANTED[fault]
    notebook = (NOTEBOOKS / f"{name}.ipynb").read_text()
    assert text in notebook
    assert faults(notebook.replace(text, other)).keys() == {figure}
