"""All claims judged by the results of one edition: counts, scores, cards, and networks compared."""

from collections import Counter
from collections.abc import Container, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from repinf_core import agreement, claims, data
from repinf_core.claims import tally
from repinf_core.claims.card import Card
from repinf_core.claims.judging import (
    COMPANIONS,
    NOT_RUN,
    Judged,
)
from repinf_core.profiles import Experiment
from repinf_core.studies.study import Study

TEXT = "the text's network"
"""The network of the edition itself: in the published one, that of the paper's text."""


class Other(NamedTuple):
    """A network that has pages of its own, and is compared with the edition's.

    Attributes:
        name: of the network.
        prefix: of its pages' names.
        settings: parameters in which it differs from the edition's.
        pages: which of the pages that claims read it has, by their names without the prefix.
    """

    name: str
    prefix: str
    settings: Mapping[str, Any]
    pages: Container[str]


_PAPER_S = (
    "03_collective_dynamics",
    "04_cluster_centers",
    "05_noise_and_hierarchy",
    "06_label_detection",
    "07_latent_dimension",
)
ANEW = "trained anew"
"""The text's network with another seed of its training."""
LIKELY = "the likely network"
"""The network that page 10 finds to be the likeliest of the paper's."""
SUGGESTING = ("active latents", "dimensions")
"""Claims whose numbers were known when the likely network was chosen for a long training."""
OTHERS = (
    Other(ANEW, "anew_", {"seed": 1}, (*_PAPER_S, "20_fixed_points")),
    Other(LIKELY, "likely_", {"beta": 2.0}, (*_PAPER_S, "20_fixed_points")),
    Other(
        "Fashion-MNIST",
        "fashion_",
        {"dataset": "fashion_mnist"},
        (
            *_PAPER_S,
            "20_fixed_points",
            "21_how_many_steps",
            "30_autoencoder_variants",
            "31_latent_manifolds",
            "32_iterating_them",
        ),
    ),
)
"""The other networks of the published edition, in the order in which they are shown."""


@dataclass(frozen=True)
class ClaimsSummary(Study):
    """Every claim with its verdict.  All but ``networks`` is of the edition's own network.

    Attributes:
        verdicts: a row for each claim: its ``number``, its ``name``, its ``source`` (of
            ``tally.SOURCES``), the ``chapter``, what it ``says`` and in which ``place``, the
            ``verdict``, the value of the ``paper`` and ``ours``, the mark of the ``settings``
            (missing where it was not run), and in words which settings differ and which the paper
            does not state (``settings_in_words``).
        counts: a row for each ``source``, mark of the settings and verdict: the number of
            ``claims``.
        networks: a row for each ``network`` and claim (``name``): its ``verdict``, the mark of
            the ``settings``, and ``ours``; they are missing where the book has no page of that
            claim on that network.  The other networks have rows if a page of any was executed.
        anew: how many verdicts are the same on the network trained anew, and which are not, in
            words; empty if none was judged there.
        score: a line of Markdown for each chapter: its verdicts, and a link to its page if it ran.
        cards: of the claims, in their order.
    """

    verdicts: pd.DataFrame
    counts: pd.DataFrame
    networks: pd.DataFrame
    anew: str
    score: str
    cards: list[Card]

    def side_by_side(self, *sources: str) -> pd.DataFrame:
        """``verdicts`` of claims of these ``sources``, with a column for each network.

        The column gives verdict and measured value as one text.  A verdict of the edition's network
        says if the settings are others than the paper states; so with another seed.
        """
        told = self.networks.assign(told=self.networks.apply(_in_cell, axis=1))
        return self.verdicts[self.verdicts.source.isin(sources)].join(
            told.pivot(index="name", columns="network", values="told"), "name"
        )

    def columns(self, *sources: str) -> dict[str, tuple[str, str]]:
        """The columns of :meth:`side_by_side` to show: heading and format of each."""
        ours = self.verdicts[self.verdicts.source.isin(sources)].name
        having = self.networks[self.networks.name.isin(ours) & self.networks.verdict.ne("")]
        others = [network for network in having.network.unique() if network != TEXT]
        of_paper = COMPANIONS not in sources
        own = TEXT if of_paper else data.DATASETS[self.experiment.dataset].title
        return {
            "number": ("", "{:d}"),
            "says": ("claim", ""),
            "paper": ("the paper" if of_paper else "as reported of the companion", ""),
            TEXT: (own if others else "here", ""),
            **{network: (network, "") for network in others},
        }


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
    others = {other.name: _on(other, experiment, profile, ran, folder) for other in OTHERS}
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
            "on_both": _on_both(judged, others[LIKELY]),
        },
        finding=tally.finding(judged),
        verdicts=_verdicts(chapters),
        counts=tally.counts(judged),
        networks=_networks(judged, others),
        anew=_anew(judged, others[ANEW]),
        score="\n".join(tally.score(chapter, ours) for chapter, ours in chapters.items()),
        cards=[Card(one) for one in judged],
    )


def _on(
    other: Other,
    experiment: Experiment,
    profile: str,
    ran: Container[str] | None,
    folder: str | Path,
) -> list[Judged]:
    """The claims of which another network has pages, judged by these."""
    of_pages = [
        claim._replace(page=other.prefix + claim.page)
        for claim in claims.CLAIMS
        if claim.page in other.pages
    ]
    return claims.judge(of_pages, folder, profile, replace(experiment, **other.settings), ran)


def _networks(judged: Sequence[Judged], others: Mapping[str, Sequence[Judged]]) -> pd.DataFrame:
    shown = {TEXT: judged}
    if any(one.verdict != NOT_RUN for of_other in others.values() for one in of_other):
        shown |= others
    rows = []
    for network, of_network in shown.items():
        found = {one.claim.name: (one.verdict, tally.settings(one), one.ours) for one in of_network}
        for claim in claims.CLAIMS:
            rows.append((network, claim.name, *found.get(claim.name, ("", None, ""))))
    return pd.DataFrame(rows, columns=["network", "name", "verdict", "settings", "ours"])


def _on_both(judged: Sequence[Judged], likely: Sequence[Judged]) -> str:
    """A sentence that counts the claims judged on both networks; empty if there are none."""
    on_text, on_likely = _verdicts_by_name(judged), _verdicts_by_name(likely)
    both = on_text.keys() & on_likely.keys()
    if not both:
        return ""
    own, others = (Counter(verdicts[name] for name in both) for verdicts in (on_text, on_likely))
    counts = ", ".join(
        f"{own[verdict]} and {others[verdict]} {verdict}" for verdict in tally.VERDICTS[:-1]
    )
    beta = next(other.settings["beta"] for other in OTHERS if other.name == LIKELY)
    return (
        f"Of the {len(both)} claims judged both on {TEXT} and on {LIKELY} ($\\beta = {beta:g}$): "
        f"{counts}.{_suggested(both)}"
    )


def _anew(judged: Sequence[Judged], again: Sequence[Judged]) -> str:
    """How many verdicts stay the same on the network trained anew, and those that do not."""
    first, second = _verdicts_by_name(judged), _verdicts_by_name(again)
    both = [name for name in first if name in second]
    if not both:
        return ""
    turned = [name for name in both if first[name] != second[name]]
    told = "; ".join(f"*{name}* ({first[name]}, then {second[name]})" for name in turned)
    return (
        f"Of the {len(both)} claims judged both on {TEXT} and on the same network trained anew, "
        f"{len(both) - len(turned)} have the same verdict{f'. Not so: {told}' if told else ''}."
    )


def _verdicts_by_name(judged: Sequence[Judged]) -> dict[str, str]:
    return {one.claim.name: one.verdict for one in judged if one.verdict != NOT_RUN}


def _suggested(both: Set[str]) -> str:
    """Says that the likely network was chosen by some of the claims judged on both."""
    of = [name for name in SUGGESTING if name in both]
    if not of:
        return ""
    return f" The claims on {' and '.join(of)} had suggested the long training of the latter."


def _in_cell(row: pd.Series) -> str | None:
    # All verdicts on networks with another beta or data set are at other settings.
    marked = row.network in (TEXT, ANEW) and row.settings == tally.OTHER
    verdict = f"{row.verdict}, at other settings" if marked else row.verdict
    return ": ".join(filter(None, (verdict, row.ours))) or None


def _verdicts(chapters: dict[str, list[Judged]]) -> pd.DataFrame:
    rows = [
        {
            "name": one.claim.name,
            "source": one.claim.source,
            "chapter": chapter,
            "says": one.claim.says,
            "place": one.claim.place,
            "verdict": one.verdict,
            "paper": one.claim.value,
            "ours": one.ours or None,
            "settings": tally.settings(one),
            "settings_in_words": agreement.marks(one.claim.figure, one.deviations)
            if tally.settings(one)
            else None,
        }
        for chapter, of_chapter in chapters.items()
        for one in of_chapter
    ]
    table = pd.DataFrame(rows)
    table.insert(0, "number", range(1, len(table) + 1))
    return table
