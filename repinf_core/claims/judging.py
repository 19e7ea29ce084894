"""The paper's claims, each with the criterion by which the measured numbers judge it.

A criterion was written before the number was seen and holds for every edition.  A claim reads
the results of one page and nothing else; without that page it is "not run".
"""

import json
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

REPRODUCED, PARTLY, NOT_REPRODUCED, NOT_RUN = "reproduced", "partly", "not reproduced", "not run"

Numbers = Mapping[str, Any]


class Measured(NamedTuple):
    """What a claim's numbers are, in words, and whether they meet its criterion."""

    ours: str
    verdict: str


class Claim(NamedTuple):
    """A claim of the paper.

    Attributes:
        name: short, unique.
        says: the paper's words in paraphrase.
        place: where the paper says it.
        value: the paper's value.
        criterion: when it counts as reproduced, and when as partly.
        page: whose results it reads.
        cell: of that page's notebook, which measures it.
        measure: from the page's numbers to ours and the verdict.
    """

    name: str
    says: str
    place: str
    value: str
    criterion: str
    page: str
    cell: str
    measure: Callable[[Numbers], Measured]


@dataclass(frozen=True)
class Judged:
    """A claim with what its page measured; ``parameters`` are those of the page, if it was run."""

    claim: Claim
    ours: str
    verdict: str
    parameters: Mapping[str, Any]


def judge(
    claims: Sequence[Claim], folder: str | Path, ran: Container[str] | None = None
) -> list[Judged]:
    """Every claim judged by the results in ``folder``, ``<page>.json`` each.

    Args:
        claims: in the order in which they are to be told.
        folder: of the results.
        ran: pages whose results count; by default all that are there.
    """
    return [
        _judge(claim, Path(folder))
        if ran is None or claim.page in ran
        else Judged(claim, "", NOT_RUN, {})
        for claim in claims
    ]


def _judge(claim: Claim, folder: Path) -> Judged:
    path = folder / f"{claim.page}.json"
    if not path.exists():
        return Judged(claim, "", NOT_RUN, {})
    found = json.loads(path.read_text())
    return Judged(claim, *claim.measure(found["results"]), found["parameters"])
