"""Whether a number may be held against the paper's: only if its stated settings were used.

What the paper states is one table here, and what it does not state another.  A claim's card says
which settings deviate; a verdict under other settings tells of the edition, not of the paper.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from repinf_core.profiles import PROFILES, Experiment

NETWORK = ("dataset", "n_z", "n_hidden", "beta", "n_samples", "epochs", "learning_rates")
_OBJECTIVE = ("dataset", "n_hidden", "beta", "n_samples")
_GRID = (*_OBJECTIVE, "learning_rates", "grid_epochs")

STATED = {
    "Fig. 2": NETWORK,
    "Fig. 3": (*NETWORK, "p", "trials"),
    "Fig. 4": (*NETWORK, "label", "trials_per_p"),
    "Fig. 5": (*NETWORK, "label", "classified_trials", "trials", "final_step"),
    "Fig. 7": NETWORK,
    "Fig. 8": (*_GRID, "p", "label", "trials"),
    "Fig. 9": (*_OBJECTIVE, "selection_rates", "selection_minibatches", "selection_epochs"),
    "Fig. 4, other N_z": (*_GRID, "label", "trials_per_p"),
    "Suppl. D": (*NETWORK, "p", "trials"),
    "Steps": NETWORK,  # the advice on their number
}
"""Of each figure: the parameters that the paper states."""

_NOWHERE_STATED = ("minibatch", "noise", "steps")
NOT_STATED = {
    "Fig. 2": ("p", "trials", "window", *_NOWHERE_STATED),
    "Fig. 8": ("grid of N_z", *_NOWHERE_STATED),
    "Fig. 9": ("grid of N_z",),
}
"""Of a figure, what the paper does not state and this book chose; of others minibatch, noise, T."""


def marks(figure: str, deviations: Sequence[str]) -> str:
    """Under which settings a claim was judged, of the three kinds that there are.

    Args:
        figure: whose settings they are.
        deviations: of them from what the paper states, from :func:`deviations`.
    """
    unstated = ", ".join(NOT_STATED.get(figure, _NOWHERE_STATED))
    met = (
        f"others than the paper states ({'; '.join(deviations)}; the paper's in parentheses)"
        if deviations
        else "those that the paper states"
    )
    return f"{met}. Not stated, and chosen here: {unstated}."


def deviations(
    stated: Iterable[str], experiment: Experiment, actual: Mapping[str, Any] | None = None
) -> list[str]:
    """Which of the numbers that the paper states are others here.

    Args:
        stated: names of parameters.
        experiment: the one at hand.
        actual: what was reached where that may be less than was asked for, by its name: the
            ``epochs`` or ``grid_epochs`` of shipped networks, which may then not have come to
            the later learning rates.

    Returns:
        one "name value (the paper's)" for each that differs.
    """
    stated, actual = tuple(stated), dict(actual or {})
    for epochs in actual.keys() & {"epochs", "grid_epochs"} & set(stated):
        rates, asked = experiment.learning_rates, getattr(experiment, epochs)
        begun = -(-actual[epochs] * len(rates) // asked)  # each has an equal share of the epochs
        actual["learning_rates"] = rates[:begun]
    here, paper = dataclasses.replace(experiment, **actual), PROFILES["paper"]
    return [
        f"{name} {_told(getattr(here, name))} ({_told(getattr(paper, name))})"
        for name in stated
        if getattr(here, name) != getattr(paper, name)
    ]


def _told(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def settings(deviations: list[str], of: str = "") -> str:
    """A sentence that says whether the settings, ``of`` some figure, are the paper's."""
    named = f"The settings of {of}" if of else "The settings"
    if not deviations:
        return f"{named} are those that the paper states."
    return (
        f"{named} differ from those that the paper states: {'; '.join(deviations)}, the paper's "
        f"in parentheses."
    )


def rank_correlation(x: Sequence[float], y: Sequence[float]) -> float:
    """Spearman's, ties sharing their mean rank; 0 if one of the two does not vary."""
    return float(spearmanr(x, y).statistic) if np.ptp(x) and np.ptp(y) else 0.0
