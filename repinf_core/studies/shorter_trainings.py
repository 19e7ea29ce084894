"""Readings of networks of a much shorter training, whose weights do not ship (chapter 10).

``weights/shorter_trainings.json`` is the results file of page 10 with ``grid_epochs`` of 100 and
with a network of beta = 4, too.  Only its numbers are read; the facts are judged anew.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from repinf_core.noise import NOISES
from repinf_core.profiles import Experiment
from repinf_core.studies.printed_facts import met
from repinf_core.training import shipped

RECORDED = shipped.FOLDER / "shorter_trainings.json"
_USED = (
    "dataset", "n_z", "n_hidden", "n_samples", "learning_rates", "minibatch", "precision", "seed",
    "p", "label", "p_grid", "trials_per_p", "steps", "classifier_epochs", "classifiers",
    "classified_trials", "trials", "final_step", "trial_seed",
)  # fmt: skip
"""Parameters of page 10 that must be equal: all but the weights and the length of training."""


def readings(experiment: Experiment, recorded: Path = RECORDED) -> list[dict[str, Any]]:
    """The numbers of each recorded reading, as those of the page's own, and the facts it meets.

    Args:
        experiment: of the page.
        recorded: the results file.

    Returns:
        none if the page's settings differ from the recorded ones in more than beta, if its
        trainings are not longer, or if nothing is recorded.
    """
    if not recorded.exists():
        return []
    found = json.loads(recorded.read_text())
    own = json.loads(json.dumps(asdict(experiment)))
    if any(found["parameters"][name] != own[name] for name in _USED):
        return []
    if found["parameters"]["grid_epochs"] >= experiment.grid_epochs:
        return []
    return [
        _with_epochs(one) | {"met": met(one, experiment.trials)}
        for one in found["results"]["readings"]
    ]


def in_pairs(own: list[dict[str, Any]], shorter: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Both lengths of each reading beside each other, the shorter one first.

    Args:
        own: readings of the page.
        shorter: of :func:`readings`.
    """
    both = [*shorter, *map(_with_epochs, own)]
    return sorted(both, key=lambda found: (found["beta"], [*NOISES].index(found["noise"])))


def _with_epochs(found: dict[str, Any]) -> dict[str, Any]:
    length = f"{found['epochs_trained']:,} epochs"
    return found | {name: f"{found[name]}, {length}" for name in ("reading", "network")}
