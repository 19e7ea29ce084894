"""How many claims have which verdict, those at other settings apart: a table and sentences."""

import itertools
from collections import Counter
from collections.abc import Sequence

import pandas as pd

from repinf_core.claims.judging import (
    BOOKS_OWN,
    COMPANIONS,
    NOT_REPRODUCED,
    NOT_RUN,
    PAPERS_OWN,
    PARTLY,
    REPRODUCED,
    Judged,
)

VERDICTS = (REPRODUCED, PARTLY, NOT_REPRODUCED, NOT_RUN)
SOURCES = (PAPERS_OWN, COMPANIONS, BOOKS_OWN)
STATED, OTHER = "as stated", "other"
"""Whether a claim was judged at all settings that the paper states for its figure."""


def settings(one: Judged) -> str | None:
    """:data:`STATED` or :data:`OTHER`; none if the claim was not run."""
    if one.verdict == NOT_RUN:
        return None
    return OTHER if one.deviations else STATED


def counts(judged: Sequence[Judged]) -> pd.DataFrame:
    """A row for each ``source``, mark of the ``settings`` and ``verdict``: how many ``claims``."""
    found = Counter((one.claim.source, settings(one), one.verdict) for one in judged)
    marked = itertools.product(SOURCES, (STATED, OTHER, None), VERDICTS)
    return pd.DataFrame(
        [(*mark, found[mark]) for mark in marked if found[mark]],
        columns=["source", "settings", "verdict", "claims"],
    )


def finding(judged: Sequence[Judged]) -> str:
    """A sentence for each source: the paper's claims, the companion's, those beyond the paper."""
    if all(one.verdict == NOT_RUN for one in judged):
        return (
            f"Of {len(judged)} claims none could be judged. Run the pages of the chapters in this "
            "folder first, with the same profile and parameters; `book/build.py` runs all of them."
        )
    of = {source: [one for one in judged if one.claim.source == source] for source in SOURCES}
    return " ".join(_counted(claims_of, source) for source, claims_of in of.items() if claims_of)


def score(chapter: str, judged: Sequence[Judged]) -> str:
    """A line of Markdown for a chapter: its verdicts, and a link to its page if it ran."""
    at = _by_settings(judged)
    ran = at[STATED] or at[OTHER]
    title = f"[{chapter}]({judged[0].claim.page}.ipynb)" if ran else chapter
    parts = [
        _told(at[STATED]),
        f"at other settings {_told(at[OTHER])}" if at[OTHER] else "",
        _told(at[None]),
    ]
    return f"- {title}: {'; '.join(filter(None, parts))}"


def _counted(judged: Sequence[Judged], which: str) -> str:
    """The counts at the paper's settings first; those at others are never among them."""
    at = _by_settings(judged)
    known = "that are known" if which == COMPANIONS else "that the paper states"
    parts = [f"{len(at[STATED])} at the settings {known}"]
    if at[STATED]:
        parts[0] += f" ({_told(at[STATED])})"
    if at[OTHER]:
        parts.append(f"{len(at[OTHER])} at other settings ({_told(at[OTHER])})")
    if at[None]:
        parts.append(f"{len(at[None])} not run")
    return f"Of {len(judged)} claims {which}: {'; '.join(parts)}."


def _told(judged: Sequence[Judged]) -> str:
    found = Counter(one.verdict for one in judged)
    return ", ".join(f"{found[verdict]} {verdict}" for verdict in VERDICTS if found[verdict])


def _by_settings(judged: Sequence[Judged]) -> dict[str | None, list[Judged]]:
    return {
        mark: [one for one in judged if settings(one) == mark] for mark in (STATED, OTHER, None)
    }
