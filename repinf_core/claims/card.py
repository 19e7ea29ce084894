"""A claim's card: claim, criterion, what was measured, verdict; as HTML and as plain text."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from repinf_core import agreement
from repinf_core.claims.judging import (
    BOOKS_OWN,
    COMPANIONS,
    NOT_RUN,
    PAPERS_OWN,
    Claim,
    Judged,
    Numbers,
    judge_numbers,
)

_SPEAKER = {PAPERS_OWN: "The paper", COMPANIONS: "The companion", BOOKS_OWN: "The paper"}
_OF_BOTH = ("companion", "other networks")  # figures of the pages on both papers' networks


@dataclass(frozen=True)
class Card:
    """What a page shows of a judged claim; the page of claims collects the same cards.

    IPython shows it as HTML where it can, and as text elsewhere.
    """

    judged: Judged

    @property
    def lines(self) -> dict[str, str]:
        """The card's entries, in the order in which they are shown."""
        claim = self.judged.claim
        entries = {
            _speaker(claim): f"{claim.value} ({claim.place})",
            "Criterion": f"{claim.criterion}.",
            "Fixed": claim.fixed,
            "Here": self.judged.ours or "nothing to judge",
        }
        if self.judged.verdict != NOT_RUN:
            entries["Settings"] = agreement.marks(claim.figure, self.judged.deviations)
        return entries

    def __str__(self) -> str:
        claim = self.judged.claim
        heading = f"{self.judged.verdict.upper()}: {claim.says}"
        return "\n".join([heading, *(f"  {name}: {text}" for name, text in self.lines.items())])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        claim, verdict = self.judged.claim, self.judged.verdict
        entries = "".join(
            f"<dt>{name}</dt><dd>{_text(text)}</dd>" for name, text in self.lines.items()
        )
        return (
            f'<section class="claim" data-verdict="{verdict}" aria-label="Claim: {claim.name}">'
            f'<p class="claim-verdict">{verdict}</p><p class="claim-says">{_text(claim.says)}</p>'
            f"<dl>{entries}</dl></section>"
        )


def cards(claims: Sequence[Claim], numbers: Numbers, parameters: Mapping[str, Any]) -> list[Card]:
    """The cards of a chapter's claims, judged by its numbers.

    Args:
        claims: of the chapter.
        numbers: what its study measured.
        parameters: of its experiment, by name.
    """
    return [Card(judge_numbers(claim, numbers, parameters)) for claim in claims]


def _speaker(claim: Claim) -> str:
    """Who says what the claim is compared with."""
    beyond_both = claim.source == BOOKS_OWN and claim.figure in _OF_BOTH
    return "Neither paper" if beyond_both else _SPEAKER[claim.source]


def _text(text: str) -> str:
    return html.escape(text, quote=False).replace("N_z", "<i>N<sub>z</sub></i>")
