"""The classifier's labels for the images of final states, and the trajectories that lead there.

The last part of :mod:`repinf_core.studies.label_detection`: text on Fig. 5, preprint Appendix B.
"""

import math
from typing import Any

import pandas as pd
import torch

from repinf_core import geometry
from repinf_core.dynamics import rollout
from repinf_core.models.classifier import Classifier
from repinf_core.noise import noisy_trials
from repinf_core.profiles import Experiment
from repinf_core.streams import stream_seed
from repinf_core.studies.study import IN_RESULTS, Trained, mean_curve


def follow(
    network: Trained, judge: Classifier, experiment: Experiment
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Follow noisy images of one label to their final state.

    Args:
        network: the network that is iterated.
        judge: classifier of the images that the final states generate.
        experiment: uses ``label``, ``trials``, ``p``, ``noise``, ``trial_seed`` and
            ``final_step``.

    Returns:
        class probabilities of the images that z(T) generates, ``[trials, 10]``; Euclidean distances
        of z(t) and of the chords to the concept, in latent space, ``[T+1, trials]`` each; all on
        the CPU.
    """
    label, steps = experiment.label, experiment.final_step
    concept = network.concepts[label].to(network.device)
    seed = stream_seed(experiment.trial_seed, label)
    _, x0 = noisy_trials(
        network.train, [label], experiment.trials, experiment.p, experiment.noise, seed
    )
    ran = rollout.rollout(
        network.model,
        x0.to(network.device),
        steps,
        {"distance": lambda x, z, trials: geometry.distance(z, concept)},
    )
    with torch.no_grad():
        generated = network.model.decode_mean(ran.z_last)
    chords = geometry.chord_distances(ran.z_first, ran.z_last, concept, steps)
    return judge.probabilities(generated).cpu(), ran.observed["distance"].cpu(), chords.cpu()


def probability_table(probabilities: torch.Tensor, names: tuple[str, ...]) -> pd.DataFrame:
    """Class probabilities ``[trials, labels]`` as a table: a row for each ``trial`` and ``label``.

    Returns:
        also ``given``, the most probable label of the trial, and the ``probability``.
    """
    trials, n_labels = probabilities.shape
    given = probabilities.argmax(1).repeat_interleave(n_labels)
    return pd.DataFrame(
        {
            "trial": [trial for trial in range(trials) for _ in names],
            "given": pd.Categorical.from_codes(given, names),
            "label": pd.Categorical.from_codes([*range(n_labels)] * trials, names),
            "probability": probabilities.flatten(),
        }
    )


def approach_of_groups(
    distances: torch.Tensor, chords: torch.Tensor, stays: torch.Tensor
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Whether the mean curves approach the concept, for all trials and for two groups of them.

    Args:
        distances: distances to the concept, ``[T+1, trials]``.
        chords: distances of the chords, likewise.
        stays: whether a trial is given its own label at the end, bool ``[trials]``.

    Returns:
        ``groups`` and ``curves`` of :class:`repinf_core.studies.label_detection.LabelDetection`.
    """
    members = {"all": torch.ones_like(stays), "staying": stays, "leaving": ~stays}
    groups, curves = [], []
    for group, chosen in members.items():
        trials = int(chosen.sum())
        if trials == 0:
            continue
        curve = mean_curve(distances[:, chosen].double(), chords[:, chosen].double())
        curves.append(curve.assign(group=group))
        mean, sem, chord = (torch.tensor(curve[name]) for name in ("mean", "sem", "chord"))
        groups.append({"group": group, "trials": trials, **_approach(mean, sem, chord)})
    table = pd.DataFrame(groups).astype({"leaves_again": "boolean"})
    return table, pd.concat(curves, ignore_index=True)


def _approach(mean: torch.Tensor, sem: torch.Tensor, chord: torch.Tensor) -> dict[str, Any]:
    """Whether a mean curve ``[T+1]`` approaches its target, and whether it leaves it again."""
    whole_chord = geometry.approach(mean, chord.min())
    step, minimum = int(whole_chord.step), float(whole_chord.minimum)
    error = float(sem[step])
    return {
        "whole_chord": bool(whole_chord.approaches),
        "same_time": bool(geometry.approach(mean, chord[step]).approaches),
        "step": step,
        "minimum": minimum,
        "sem": error,
        "chord_minimum": float(chord.min()),
        "first": float(mean[0]),
        "last": float(mean[-1]),
        "leaves_again": None if math.isnan(error) else bool(mean[-1] > minimum + 2 * error),
    }


def numbers_of_groups(groups: pd.DataFrame) -> dict[str, Any]:
    """The table of :func:`approach_of_groups` as plain numbers by group; None if missing."""
    renamed = groups.set_index("group").rename(columns=IN_RESULTS).astype(object)
    return renamed.where(renamed.notna(), None).to_dict("index")
