"""Facts C and D of the open points by several classifiers, which differ in their seed alone.

A single classifier is not enough: its answers on generated images vary with the seed and with
rounding in its training, and move these two facts across the edges of their criteria.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pandas as pd
import torch

from repinf_core import votes
from repinf_core.data import LabelledImages
from repinf_core.dynamics import approach, rollout
from repinf_core.models.classifier import Classifier, ClassifierSpec, predictions
from repinf_core.models.mlp import VAE
from repinf_core.noise import noisy_trials, until_failure
from repinf_core.profiles import Experiment
from repinf_core.studies.printed_facts import met
from repinf_core.training import progress, sweep
from repinf_core.training.run import TrainingRun


def load_or_train(experiment: Experiment, device: str, n_images: int) -> list[TrainingRun]:
    """The classifiers with the seeds ``seed``, ``seed`` + 1, ..., each loaded or trained.

    Args:
        experiment: uses ``classifiers`` (their number) and the parameters of a classifier.
        device: device of the training.
        n_images: size of the training set, for the estimate of the runtime.
    """
    seeds = range(experiment.seed, experiment.seed + experiment.classifiers)
    specs = sweep.product(ClassifierSpec.of(experiment), seed=seeds)
    print(progress.estimate_runtime(specs, device, n_images))
    return sweep.load_or_train(specs, device)


def judge(
    model: VAE, runs: Sequence[TrainingRun], train: LabelledImages, noisy: Experiment
) -> dict[str, Any]:
    """How long the label of images from ``label`` is recognised along the trajectories.

    Args:
        model: the network that generates the images.
        runs: an odd number of classifiers, on the model's device.
        train: the training set, on the CPU.
        noisy: as in :func:`repinf_core.studies.readings.run`, with the kind of noise.

    Returns:
        ``right_at_every_step_up_to_p``, the last p up to which the most frequent class is right at
        every judged step (None if there is no such p), and ``share_still_right``, the share of
        trials that are right after ``final_step`` steps, each the median over the classifiers; and
        ``by_classifier``, both numbers of each with its ``seed`` and its test ``accuracy``.
    """
    device = next(model.parameters()).device
    observe = {str(i): predictions(cast(Classifier, run.model)) for i, run in enumerate(runs)}

    def labels(x0: torch.Tensor, steps: list[int]) -> list[torch.Tensor]:
        at = [step + 1 for step in steps]  # the image decoded from z(t) is x(t+1)
        observed = rollout.rollout(model, x0.to(device), at[-1], observe, at).observed
        return list(observed.values())

    judged = sorted({round(i * noisy.steps / 10) for i in range(11)})
    _, x0 = approach.trials_by_noise(train, noisy.label, noisy.classified_trials, noisy)
    along = labels(x0, judged)
    _, x0 = noisy_trials(train, [noisy.label], noisy.trials, noisy.p, noisy.noise, noisy.trial_seed)
    after = labels(x0, [noisy.final_step])
    by_classifier = [
        {
            "seed": run.spec.seed,
            "accuracy": run.history[-1].test["accuracy"],
            "right_at_every_step_up_to_p": _lasting_p(one, noisy),
            "share_still_right": float((last == noisy.label).double().mean()),
        }
        for run, one, last in zip(runs, along, after, strict=True)
    ]
    return {
        name: _median([one[name] for one in by_classifier])
        for name in ("right_at_every_step_up_to_p", "share_still_right")
    } | {"by_classifier": by_classifier}


def table(readings: Sequence[Mapping[str, Any]], trials: int) -> pd.DataFrame:
    """The numbers of each classifier for each reading, and whether it alone would meet C and D.

    Args:
        readings: numbers of each reading, with those of :func:`judge`.
        trials: as in :func:`repinf_core.studies.printed_facts.met`.
    """
    return pd.DataFrame(
        {
            "reading": found["reading"],
            "noise": found["noise"],
            "beta": found["beta"],
            "seed": one["seed"],
            "accuracy": one["accuracy"],
            "right_up_to_p": one["right_at_every_step_up_to_p"],
            "still_right": one["share_still_right"],
            **{letter: met({**found, **one}, trials)[letter] for letter in ("C", "D")},
        }
        for found in readings
        for one in found["by_classifier"]
    ).astype({"right_up_to_p": "Float64"})


def _lasting_p(labels: torch.Tensor, noisy: Experiment) -> float | None:
    """The last p up to which the vote is right at every step; None if it fails at the first p."""
    by_p = approach.by_group(labels, len(noisy.p_grid))
    right = (votes.vote(by_p).label == noisy.label).all(1).tolist()
    return until_failure(noisy.p_grid, right)[0]


def _median(values: Sequence[float | None]) -> float | None:
    """The middle one of an odd number of values; None, at no p, is below all of them."""
    return sorted(values, key=lambda value: -1 if value is None else value)[len(values) // 2]
