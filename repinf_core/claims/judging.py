"""The paper's claims, each with the criterion by which the measured numbers judge it.

A criterion holds for every edition; the claim says when it was fixed.  A claim reads the results of
one page and nothing else; without that page it is "not run".
"""

import json
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from repinf_core import agreement, profiles

REPRODUCED, PARTLY, NOT_REPRODUCED, NOT_RUN = "reproduced", "partly", "not reproduced", "not run"

BEYOND = "beyond the paper"
"""The place of a claim that this book makes, not the paper."""
COMPANION = "the companion (arXiv:2412.04755)"
"""The place of a claim of the companion paper, of which we had only the abstract."""
PAPERS_OWN, COMPANIONS, BOOKS_OWN = "of the paper", "of the companion", "beyond the paper"
"""Whose claims there are, in the order in which they are counted."""

Numbers = Mapping[str, Any]


class Measured(NamedTuple):
    """What a claim's numbers are, in words, and whether they meet its criterion."""

    ours: str
    verdict: str


class Claim(NamedTuple):
    """A claim of the paper, of the companion, or of this book on what lies beyond the paper.

    Attributes:
        name: short, unique.
        says: the paper's words in paraphrase.
        place: where the paper says it, :data:`COMPANION`, or :data:`BEYOND`.
        value: the paper's value.
        criterion: when it counts as reproduced, and when as partly.
        figure: whose settings, as the paper states them (``agreement.STATED``), it was made with.
        page: whose results it reads.
        measure: from the page's numbers to ours and the verdict.
        fixed: when the criterion was written, and what changed since.
    """

    name: str
    says: str
    place: str
    value: str
    criterion: str
    figure: str
    page: str
    measure: Callable[[Numbers], Measured]
    fixed: str = "Before the numbers were seen."

    @property
    def source(self) -> str:
        """Whose claim it is: :data:`PAPERS_OWN`, :data:`COMPANIONS` or :data:`BOOKS_OWN`."""
        return {COMPANION: COMPANIONS, BEYOND: BOOKS_OWN}.get(self.place, PAPERS_OWN)


@dataclass(frozen=True)
class Judged:
    """A claim with what its page measured.

    Attributes:
        claim: the paper's.
        ours: what was measured, in words.
        verdict: by the claim's criterion.
        parameters: of the page, if it was run and had what the claim is about.
        deviations: of them from what the paper states; if any, the verdict tells of this edition
            and not of the paper.
    """

    claim: Claim
    ours: str
    verdict: str
    parameters: Mapping[str, Any]
    deviations: Sequence[str]


def judge(
    claims: Sequence[Claim],
    folder: str | Path,
    profile: str,
    experiment: Any,
    ran: Container[str] | None = None,
) -> list[Judged]:
    """Every claim judged by the results of one edition in ``folder``, ``<page>.json`` each.

    Args:
        claims: in the order in which they are to be told.
        folder: of the results; those of another profile or dataset do not count, nor of another
            N_z unless the claim's figure has none or a grid of them (Figs. 8 and 9).
        profile: of the edition.
        experiment: of the edition; what is taken of it are ``dataset`` and ``n_z``.
        ran: pages whose results count; by default all of the edition.
    """
    edition = {"dataset": experiment.dataset, "n_z": experiment.n_z}
    return [
        _judge(claim, Path(folder), profile, edition)
        if ran is None or claim.page in ran
        else Judged(claim, "", NOT_RUN, {}, [])
        for claim in claims
    ]


def _judge(claim: Claim, folder: Path, profile: str, edition: Mapping[str, Any]) -> Judged:
    path = folder / f"{claim.page}.json"
    if not path.exists():
        return Judged(claim, "", NOT_RUN, {}, [])
    found = json.loads(path.read_text())
    numbers, parameters = found["results"], found["parameters"]
    stated = agreement.STATED[claim.figure]
    others = [name for name in edition if name in stated and parameters[name] != edition[name]]
    if found["profile"] != profile or others:
        return Judged(claim, "", NOT_RUN, {}, [])
    return judge_numbers(claim, numbers, parameters)


def judge_numbers(claim: Claim, numbers: Numbers, parameters: Mapping[str, Any]) -> Judged:
    """A claim judged by the numbers of its page.

    Args:
        claim: of the page.
        numbers: what the page's study measured.
        parameters: of its experiment, by name.
    """
    # A network may have been trained for fewer epochs than were asked for.
    trained = {
        name: numbers[f"{name}_trained"]
        for name in ("epochs", "grid_epochs", "conv_epochs")
        if f"{name}_trained" in numbers
    }
    asked = profiles.experiment("paper", parameters)
    deviations = agreement.deviations(agreement.STATED[claim.figure], asked, trained)
    measured = claim.measure(numbers)
    if measured.verdict == NOT_RUN:  # the page lacks what the claim is about
        return Judged(claim, measured.ours, NOT_RUN, {}, [])
    return Judged(claim, *measured, dict(parameters) | trained, deviations)


SINGLE_N_Z = Measured("the grid has a single N_z", NOT_RUN)
"""Of a claim on what changes with N_z, if the grid shows no change."""


def graded(whole: bool, part: bool) -> str:
    """The verdict of a criterion that is met as a whole, in part, or not."""
    return REPRODUCED if whole else PARTLY if part else NOT_REPRODUCED


def of_ten_labels(count: int, words: str) -> Measured:
    """Of a claim on all ten labels: partly from five on."""
    return Measured(f"{count} of 10 labels {words}", graded(count == 10, count >= 5))


def by_readings(found: Numbers) -> tuple[int, int]:
    """How many labels approach below the whole chord, and below it at the same time."""
    return found["labels_approaching_whole_chord"], found["labels_approaching_same_time"]


APPROACHING = (
    "for all ten labels by both readings, below the whole chord and below the chord at the same "
    "time; partly: for five or more by one of them"
)
"""When a target counts as approached; decided by :func:`approaching`."""


def approaching(found: Numbers, besides: str) -> Measured:
    """Of the approach to the concept, by :data:`APPROACHING`, beside what else was found."""
    readings = by_readings(found)
    whole_chord, same_time = readings
    return Measured(
        f"{whole_chord} of 10 labels below the whole chord, {same_time} at the same time; "
        f"{besides}",
        graded(min(readings) == 10, max(readings) >= 5),
    )


def told_of_control(found: Numbers) -> str:
    """How many labels approach a wrong concept, the next label's: the control, in words."""
    whole_chord, same_time = by_readings(found["wrong_concept"])
    return f"a wrong concept: {whole_chord} and {same_time}"
