"""All claims of the paper judged by the results of one edition: counts, scores, a table, cards."""

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from repinf_core import agreement, claims
from repinf_core.claims.card import Card
from repinf_core.claims.judging import (
    NOT_REPRODUCED,
    NOT_RUN,
    PARTLY,
    REPRODUCED,
    Judged,
)
from repinf_core.profiles import Experiment
from repinf_core.studies.study import Study

VERDICTS = (REPRODUCED, PARTLY, NOT_REPRODUCED, NOT_RUN)
STATED, OTHER = "as stated", "other"
"""Whether a claim was judged at all settings that the paper states for its figure."""


@dataclass(frozen=True)
class ClaimsSummary(Study):
    """Every claim with its verdict.

    Attributes:
        verdicts: a row for each claim: its ``number``, its ``name``, the ``chapter``, what it
            ``says`` and in which ``place``, the ``verdict``, the value of the ``paper`` and
            ``ours``, the mark of the ``settings`` (missing where it was not run), and in words
            which settings differ and which the paper does not state (``settings_in_words``).
        counts: a row for each mark of the settings and verdict: the number of ``claims``.
        score: a line of Markdown for each chapter: its verdicts, and a link to its page if it ran.
        cards: of the claims, in their order.
    """

    verdicts: pd.DataFrame
    counts: pd.DataFrame
    score: str
    cards: list[Card]


def run(
    experiment: Experiment,
    profile: str,
    ran: Container[str] | None = None,
    folder: str | Path = "results",
) -> ClaimsSummary:
    """Judge all claims by the results files of one edition.

    Args:
        experiment: of the edition; what is taken of it are ``dataset`` and ``n_z``.
        profile: of the edition.
        ran: pages whose results count; by default all of the edition.
        folder: of the results, ``<page>.json`` each.
    """
    chapters = {
        chapter: claims.judge(of_chapter, folder, profile, experiment, ran)
        for chapter, of_chapter in claims.CHAPTERS.items()
    }
    judged = [one for of_chapter in chapters.values() for one in of_chapter]
    return ClaimsSummary(
        experiment=experiment,
        device="cpu",
        numbers={
            "claims": [
                {
                    "name": one.claim.name,
                    "page": one.claim.page,
                    "ours": one.ours,
                    "verdict": one.verdict,
                }
                for one in judged
            ],
            "counts": dict(Counter(one.verdict for one in judged)),
        },
        finding=_finding(judged),
        verdicts=_verdicts(chapters),
        counts=_counts(judged),
        score="\n".join(_score(chapter, ours) for chapter, ours in chapters.items()),
        cards=[Card(one) for one in judged],
    )


def _settings(one: Judged) -> str | None:
    if one.verdict == NOT_RUN:
        return None
    return OTHER if one.deviations else STATED


def _by_settings(judged: Sequence[Judged]) -> dict[str | None, list[Judged]]:
    return {
        mark: [one for one in judged if _settings(one) == mark] for mark in (STATED, OTHER, None)
    }


def _verdicts(chapters: dict[str, list[Judged]]) -> pd.DataFrame:
    rows = [
        {
            "name": one.claim.name,
            "chapter": chapter,
            "says": one.claim.says,
            "place": one.claim.place,
            "verdict": one.verdict,
            "paper": one.claim.value,
            "ours": one.ours or None,
            "settings": _settings(one),
            "settings_in_words": agreement.marks(one.claim.figure, one.deviations)
            if _settings(one)
            else None,
        }
        for chapter, of_chapter in chapters.items()
        for one in of_chapter
    ]
    table = pd.DataFrame(rows)
    table.insert(0, "number", range(1, len(table) + 1))
    return table


def _counts(judged: Sequence[Judged]) -> pd.DataFrame:
    found = Counter((_settings(one), one.verdict) for one in judged)
    return pd.DataFrame(
        {"settings": settings, "verdict": verdict, "claims": found[settings, verdict]}
        for settings in (STATED, OTHER, None)
        for verdict in VERDICTS
        if found[settings, verdict]
    )


def _told(judged: Sequence[Judged]) -> str:
    found = Counter(one.verdict for one in judged)
    return ", ".join(f"{found[verdict]} {verdict}" for verdict in VERDICTS if found[verdict])


def _finding(judged: Sequence[Judged]) -> str:
    """The counts at the paper's settings first; those at others are never among them."""
    at = _by_settings(judged)
    if not at[STATED] and not at[OTHER]:
        return (
            f"Of {len(judged)} claims of the paper none could be judged. Run the pages of the "
            "chapters in this folder first, with the same profile and parameters; `book/build.py` "
            "runs all of them."
        )
    parts = [f"{len(at[STATED])} at the settings that the paper states"]
    if at[STATED]:
        parts[0] += f" ({_told(at[STATED])})"
    if at[OTHER]:
        parts.append(f"{len(at[OTHER])} at other settings ({_told(at[OTHER])})")
    if at[None]:
        parts.append(f"{len(at[None])} not run")
    return f"Of {len(judged)} claims of the paper: {'; '.join(parts)}."


def _score(chapter: str, judged: Sequence[Judged]) -> str:
    """A chapter's verdicts, those at other settings apart."""
    at = _by_settings(judged)
    ran = at[STATED] or at[OTHER]
    title = f"[{chapter}]({judged[0].claim.page}.ipynb)" if ran else chapter
    parts = [
        _told(at[STATED]),
        f"at other settings {_told(at[OTHER])}" if at[OTHER] else "",
        _told(at[None]),
    ]
    return f"- {title}: {'; '.join(filter(None, parts))}"
