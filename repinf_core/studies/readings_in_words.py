"""The finding on the readings of the paper's open points, in sentences."""

from collections.abc import Sequence
from typing import Any

from repinf_core import data
from repinf_core.profiles import Experiment
from repinf_core.studies.printed_facts import FACTS, SUGGESTING, Evidence


def finding(
    experiment: Experiment,
    readings: list[dict[str, Any]],
    evidence: dict[str, Evidence],
    replaced: dict[str, dict[str, Evidence]],
) -> str:
    """The most facts that a reading meets, those that none meets, and the two conclusions.

    Args:
        experiment: of the page.
        readings: the numbers of each, also of other trainings, with the facts that are ``met``.
        evidence: by open point, ``noise`` and ``beta``.
        replaced: the same with another training in the place of a network, by its name.
    """
    scores = [sum(found["met"].values()) for found in readings]
    most = max(scores)
    best = "; ".join(
        found["reading"] for found, score in zip(readings, scores, strict=True) if score == most
    )
    where = f"On {data.DATASETS[experiment.dataset].title} with $N_z = {experiment.n_z}$"
    if not most:
        return (
            f"{where} no reading of the paper's open points meets any of the seven printed facts."
        )
    missed = [
        fact.letter for fact in FACTS if not any(found["met"][fact.letter] for found in readings)
    ]
    return (
        f"{where} a reading of the paper's open points meets at most {most} of the seven printed "
        f"facts: {best}. {f'No reading meets {_listed(missed)}. ' if missed else ''}"
        f"{_concluded('The reading of the noise', '{}', evidence['noise'])} "
        f"{_concluded('The weight of the KL term', 'β = {:g}', evidence['beta'])}"
        f"{''.join(_with(network, of) for network, of in replaced.items())}"
    )


def lengths(
    own: list[dict[str, Any]],
    shorter: list[dict[str, Any]],
    evidence: dict[str, dict[str, Evidence]],
) -> str:
    """How many facts are met after either length of training, and what the shorter one supports.

    Args:
        own: the numbers of each reading of the page, with the facts that are ``met``.
        shorter: likewise, of networks of the recorded shorter trainings.
        evidence: that of ``shorter``, by its name, of which there is one, or none.
    """
    if not shorter:
        return "For these settings no shorter trainings are recorded."
    (of,) = evidence.values()
    most_shorter, most = (
        _facts(max(sum(found["met"].values()) for found in group)) for group in (shorter, own)
    )
    return (
        f"After {shorter[0]['epochs_trained']:,} epochs a reading meets at most {most_shorter}; of "
        f"the networks compared above, after {own[0]['epochs_trained']:,} epochs, at most {most}. "
        f"From the short trainings alone: {_in_short(of)}."
    )


def _facts(number: int) -> str:
    return f"{number} {'fact' if number == 1 else 'facts'}"


def _with(network: str, of: dict[str, Evidence]) -> str:
    """The two conclusions with another training in the place of a network."""
    return f" With another training of one network ({network}) in its place: {_in_short(of)}."


def _in_short(of: dict[str, Evidence]) -> str:
    noise, weight = (
        f"{asked} stays open"
        if one.verdict == "open"
        else f"of the {choices} {choice.format(one.best)} is {one.verdict} (margin without "
        f"{' and '.join(SUGGESTING)}: {one.unsuggested})"
        for asked, choices, choice, one in (
            ("the reading of the noise", "noises", "{}", of["noise"]),
            ("the weight", "weights", "β = {:g}", of["beta"]),
        )
    )
    return f"{noise}, and {weight}"


def _listed(letters: Sequence[str]) -> str:
    *first, last = letters
    return f"{', '.join(first)} or {last}" if first else last


def _concluded(asked: str, choice: str, of: Evidence) -> str:
    """The conclusion on one open point, and what is left of it without the suggesting facts."""
    if of.verdict == "open":
        return f"{asked} stays open."
    return (
        f"{asked}: {choice.format(of.best)} is {of.verdict}, by a margin of {_facts(of.margin)}; "
        f"without {' and '.join(SUGGESTING)}, which suggested the long training with β = 2, the "
        f"margin is {of.unsuggested}."
    )
