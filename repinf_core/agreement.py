"""Whether a number can be compared with the paper's: only if its stated settings were used.

One table lists the settings that the paper states, another those that it does not state.  A claim's
card says which settings deviate.  A verdict under other settings says something about the edition,
not about the paper.
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
    "unfamiliar inputs": NETWORK,  # beyond the paper: its network
    "companion": ("dataset",),  # chosen here: its abstract tells of no setting
    "other networks": (*NETWORK, "p"),  # beyond the paper: its network beside others
}
"""The parameters that the paper states, by figure."""

_TRAINING = ("minibatch", "initial weights", "epochs of each learning rate")
_NOWHERE_STATED = (*_TRAINING, "noise", "steps")
NOT_STATED = {
    "Fig. 2": ("p", "trials", "window", *_NOWHERE_STATED),
    "Fig. 5": ("the classifier", "p of Appendix B", *_NOWHERE_STATED),
    "Fig. 8": ("grid of N_z", *_NOWHERE_STATED),
    "Fig. 9": ("grid of N_z", "initial weights"),
    "unfamiliar inputs": (*_TRAINING, "steps"),
    "other networks": ("the convolutional networks", *_NOWHERE_STATED),
    "companion": (
        "the data set",
        "the networks",
        "their training",
        "the noise",
        "the tolerance of a rank",
    ),
}
"""The settings that the paper does not state and this book chose, by figure.

For all other figures these are the minibatch, the initial weights, the epochs of each learning
rate, the noise and the number of steps T.
"""


def marks(figure: str, deviations: Sequence[str]) -> str:
    """The settings under which a claim was judged, in words.

    They are those that the paper states, or others, and those that the paper does not state.  Of
    the companion's settings none is known.

    Args:
        figure: figure of the paper.
        deviations: deviations from the paper's settings, from :func:`deviations`.
    """
    unstated = ", ".join(NOT_STATED.get(figure, _NOWHERE_STATED))
    return f"{_met(figure, deviations)}. Not stated, and chosen here: {unstated}."


def _met(figure: str, deviations: Sequence[str]) -> str:
    if figure == "companion":
        return "none is known"
    paper = "the first paper" if figure == "other networks" else "the paper"
    if deviations:
        return f"others than {paper} states ({'; '.join(deviations)}; {paper}'s in parentheses)"
    return f"those that {paper} states"


def deviations(
    stated: Iterable[str], experiment: Experiment, actual: Mapping[str, Any] | None = None
) -> list[str]:
    """The stated parameters whose values differ from the paper's.

    Args:
        stated: names of parameters.
        experiment: the experiment to compare with profile ``paper``.
        actual: values that were reached, by parameter name, where they may be smaller than
            requested: the ``epochs`` of a shipped network, or the smallest number of epochs among
            the networks of a grid (``grid_epochs``).  A network with fewer epochs than requested
            may not have come to the later learning rates.

    Returns:
        one text "name value (the paper's value)" for each parameter that differs; the value is
        said to be that of the shortest training where other networks of a grid may have more.
    """
    stated, actual = tuple(stated), dict(actual or {})
    for epochs in actual.keys() & {"epochs", "grid_epochs"} & set(stated):
        rates, asked = experiment.learning_rates, getattr(experiment, epochs)
        begun = -(-actual[epochs] * len(rates) // asked)  # all rates have equally many epochs
        actual["learning_rates"] = rates[:begun]
    here, paper = dataclasses.replace(experiment, **actual), PROFILES["paper"]
    fewer = actual.get("grid_epochs", experiment.grid_epochs) < experiment.grid_epochs
    shortest = " of the shortest training" if fewer else ""  # others of the grid may be longer
    of = {name: shortest for name in ("grid_epochs", "learning_rates")}
    return [
        f"{name} {_told(getattr(here, name))}{of.get(name, '')} ({_told(getattr(paper, name))})"
        for name in stated
        if getattr(here, name) != getattr(paper, name)
    ]


def _told(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def settings(deviations: list[str]) -> str:
    """A sentence that says whether the settings are the paper's."""
    if not deviations:
        return "The settings are those that the paper states."
    return (
        f"The settings differ from those that the paper states: {'; '.join(deviations)}, the "
        f"paper's in parentheses."
    )


def rank_correlation(x: Sequence[float], y: Sequence[float]) -> float:
    """Spearman's rank correlation, with mean ranks for ties; 0 if ``x`` or ``y`` is constant."""
    return float(spearmanr(x, y).statistic) if np.ptp(x) and np.ptp(y) else 0.0
