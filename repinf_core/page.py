"""The parts of a page: its finding, figures with their data, tables, and cards of claims.

Creating a :class:`Page` writes the results: ``results/<page>.json`` and, in ``results/<page>/``,
each table as tidy CSV.
"""

import dataclasses
import html
import re
import zlib
from collections.abc import Mapping, Sequence

import pandas as pd
from IPython.display import HTML, Markdown, display
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler
from pandas.io.formats.style_render import CSSDict

from repinf_core import claims, results
from repinf_core.claims import Claim
from repinf_core.studies.study import Study

_MISSING = "-"


class Page:
    """A page of the book with the study that it shows.

    Args:
        name: name of the page, the stem of its results file.
        profile: profile that gave the parameters at ``None`` their values.
        study: the results to show.
    """

    def __init__(self, name: str, profile: str, study: Study) -> None:
        self.name, self.study = name, study
        results.record(
            name,
            profile,
            study.experiment,
            study.device,
            study.numbers,
            study.finding,
            tables=study.tables,
        )

    def finding(self) -> None:
        """Show the study's result in one sentence."""
        display(Markdown(f"**{self.study.finding}**"))

    def figure(self, figure: Figure, *tables: str) -> None:
        """Show a figure, and below it links to the tables of its data."""
        display(figure)
        self._data(*tables)

    def table(
        self,
        table: pd.DataFrame,
        caption: str,
        columns: Mapping[str, tuple[str, str]],
        *tables: str,
    ) -> None:
        """Show some columns of a table, and below it links to the data.

        Args:
            table: a table of the study, or rows of one.
            caption: content of the table, in one sentence.
            columns: heading and format, such as ``"{:.2f}"``, of each column to show, by its
                name in the table; an empty format shows text, or yes and no.
            *tables: names of the study's tables that it is taken from.
        """
        display(HTML(styled(table, caption, columns).to_html()))
        self._data(*tables)

    def cards(self, chapter: Sequence[Claim]) -> None:
        """Show the cards of a chapter's claims."""
        parameters = dataclasses.asdict(self.study.experiment)
        for card in claims.cards(chapter, self.study.numbers, parameters):
            display(card)

    def _data(self, *tables: str) -> None:
        links = " ".join(
            f'<a href="results/{self.name}/{table}.csv" download>{html.escape(table)}.csv</a>'
            for table in tables
        )
        if links:
            display(HTML(f'<p class="data">Data: {links}</p>'))


def styled(table: pd.DataFrame, caption: str, columns: Mapping[str, tuple[str, str]]) -> Styler:
    """A table as pages show it: chosen columns, headings, numbers aligned to the right.

    The arguments are the same as for :meth:`Page.table`.
    """
    shown = table[[*columns]]
    formats = {
        name: (lambda value, text=text: _formatted(value, text))
        for name, (_, text) in columns.items()
    }
    headings = {name: heading for name, (heading, _) in columns.items()}
    texts = [name for name in columns if not pd.api.types.is_numeric_dtype(shown[name])]
    ranges = [name for name in texts if shown[name].dropna().map(_is_range).all()]
    return (
        shown.style.hide(axis="index")
        .format(formats)
        .format_index(headings.get, axis="columns")
        # A number or a range that breaks behind its minus or its dash reads as two.
        .set_properties(**{"text-align": "right", "white-space": "nowrap"})
        .set_properties(subset=texts, **{"text-align": "left", "white-space": "normal"})
        .set_properties(subset=ranges, **{"white-space": "nowrap"})
        .set_table_styles([_heading(i, name in texts) for i, name in enumerate(columns)])
        .set_caption(caption)
        .set_table_attributes('class="data-table"')
        # The styles use this id: two tables of a page must not share one.
        .set_uuid(f"{zlib.crc32(caption.encode()):08x}")
    )


def _is_range(value: object) -> bool:
    """Whether a text is a number or two, such as 0.98–1.05."""
    return re.fullmatch(r"[-−\d.,e+%]+(–[-−\d.,e+%]+)?", str(value)) is not None


def _heading(column: int, of_text: bool) -> CSSDict:
    """Align a heading with its column: to the left over texts, to the right over numbers."""
    side = "left" if of_text else "right"
    return {"selector": f"th.col{column}", "props": f"text-align: {side}"}


def _formatted(value: object, text: str) -> str:
    if pd.isna(value):  # type: ignore[call-overload]
        return _MISSING
    if isinstance(value, bool) or str(value) in ("True", "False"):
        return "yes" if value else "no"
    return text.format(value) if text else html.escape(str(value))
