"""Does a classifier recognise the noisy image's label in the images that inference generates?

Fig. 5, Supplementary Information F, preprint Appendix B.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, cast

import pandas as pd
import torch

from repinf_core import data, votes
from repinf_core.dynamics import approach, rollout
from repinf_core.models import classifier
from repinf_core.models.classifier import Classifier, ClassifierSpec
from repinf_core.profiles import Experiment
from repinf_core.streams import stream_seed
from repinf_core.studies import final_states, label_votes
from repinf_core.studies.study import Study, Trained, network_in_words, trained
from repinf_core.training import progress, store
from repinf_core.training.run import TrainingRun


@dataclass(frozen=True)
class LabelDetection(Study):
    """The tables of Fig. 5 and of the final states.

    ``label`` is the name of the noisy images' own label unless stated otherwise.

    Attributes:
        votes: a row for each label, ``p`` and ``t`` (steps): the ``vote``, the label that most
            trials are given (if several, the lowest); the ``share`` of trials that are given it,
            and the share that are given their ``own`` label.
        runs: a row for each label and ``p``: whether the vote is right at ``every_step``; the
            ``start`` and ``stop`` of the longest run of right steps (missing if there is none),
            its ``length`` in steps, and whether it overlaps
            :data:`repinf_core.studies.label_votes.REGION`; the ``first_vote`` (at t = 0) and the
            ``last_vote`` (at t = T).
        limits: a row for each label and ``criterion``: ``up_to_p``, the p of the grid up to which
            it holds (missing if it fails at the smallest), and ``fails_at_p``, the first p at
            which it fails (missing if there is none).
        horizons: the same for each label if the inference stops after ``steps`` and the vote must
            be right at every step.
        final: a row for each ``trial`` of the images' first label and each ``label`` of the data:
            its ``probability`` for the image that the final state generates; ``given`` is the most
            probable label of the trial.
        judged: a row for each ``label`` of the data: the number of ``trials`` given it at the end.
        curves: a row for each ``group`` of trials (``all``, those ``staying`` with their label at
            the end, those ``leaving`` it) and ``t``: ``mean`` and ``sem`` of the Euclidean distance
            to the concept in latent space, and ``chord``, the mean distance of the chords. The
            ``sem`` of a single trial is missing, and so is a group without trials.
        groups: a row for each such ``group``: its number of ``trials``; whether its mean curve
            approaches the concept below the ``whole_chord`` and below the chord at the
            ``same_time``; ``step`` and ``minimum`` of the mean curve, with its ``sem``;
            ``chord_minimum``; the ``first`` and the ``last`` distance; whether the last exceeds the
            minimum by more than two standard errors, ``leaves_again`` (missing for one trial).
        reliability: one row: ``test_accuracy`` and ``test_cross_entropy`` (nats per image) of the
            classifier; ``own_at_start``, the share of images at the smallest p, decoded once,
            that are given their own label; ``undecided``, the number of final states for which no
            label has a probability of one half.
    """

    votes: pd.DataFrame
    runs: pd.DataFrame
    limits: pd.DataFrame
    horizons: pd.DataFrame
    final: pd.DataFrame
    judged: pd.DataFrame
    curves: pd.DataFrame
    groups: pd.DataFrame
    reliability: pd.DataFrame


def run(experiment: Experiment, device: str | None = None) -> LabelDetection:
    """Classify the images generated from two labels, and follow the trajectories of one label.

    Args:
        experiment: uses the first ``label`` (the second is 1, or 6 if the first is 1);
            ``p_grid``, ``classified_trials`` and ``steps`` for Fig. 5; ``p``, ``trials`` and
            ``final_step`` for the final states; ``noise`` and ``trial_seed``; and the parameters
            of the network and the classifier.
        device: as in :func:`repinf_core.studies.study.trained`, whose errors it raises.
    """
    network = trained(experiment, device)
    judge_run = _classifier(experiment, network)
    judge = cast(Classifier, judge_run.model)
    names = network.class_names
    labels = (experiment.label, 6 if experiment.label == 1 else 1)
    named = {label: _named(network, judge, experiment, label) for label in labels}
    voted = pd.concat(
        [
            label_votes.votes_by_step(named[label], experiment.p_grid, label, names)
            for label in labels
        ],
        ignore_index=True,
    )
    right = {names[label]: votes.vote(named[label]).label == label for label in labels}
    runs = label_votes.longest_runs(voted, right, experiment.p_grid)
    limits = label_votes.limits_by_criterion(runs, experiment.p_grid)
    probabilities, distances, chords = final_states.follow(network, judge, experiment)
    given = probabilities.argmax(1)
    groups, curves = final_states.approach_of_groups(distances, chords, given == experiment.label)
    judged = pd.DataFrame({"label": names, "trials": torch.bincount(given, minlength=len(names))})
    reliability = pd.DataFrame(
        {
            "test_accuracy": [judge_run.history[-1].test["accuracy"]],
            "test_cross_entropy": [judge_run.history[-1].test["cross_entropy"]],
            "own_at_start": [voted.own[0]],
            "undecided": [int((probabilities.max(1).values < 0.5).sum())],
        }
    )
    numbers = {
        "classifier": {
            "name": judge_run.spec.name,
            "epochs": judge_run.epoch,
            "test_accuracy": reliability.test_accuracy.item(),
            "test_cross_entropy": reliability.test_cross_entropy.item(),
        },
        "epochs_trained": network.run.epoch,
        "p": list(experiment.p_grid),
        "labels": {name: label_votes.numbers_of_label(name, voted, runs, limits) for name in right},
        "final": {
            "label": names[experiment.label],
            "step": experiment.final_step,
            "trials": experiment.trials,
            "judged_own": int(judged.trials[experiment.label]),
            "share_judged_own": int(judged.trials[experiment.label]) / experiment.trials,
            "judged": dict(zip(names, judged.trials.tolist(), strict=True)),
            "undecided": reliability.undecided.item(),
            "distance_to_concept": final_states.numbers_of_groups(groups),
        },
    }
    return LabelDetection(
        experiment=experiment,
        device=network.device,
        numbers=numbers,
        finding=_finding(experiment, numbers),
        votes=voted,
        runs=runs,
        limits=limits,
        horizons=label_votes.limits_by_horizon(right, experiment),
        final=final_states.probability_table(probabilities, names),
        judged=judged,
        curves=curves,
        groups=groups,
        reliability=reliability,
    )


def _classifier(experiment: Experiment, network: Trained) -> TrainingRun:
    spec = ClassifierSpec.of(experiment)
    print(progress.estimate_runtime([spec], network.device, len(network.train.images)))
    with progress.bar(spec) as report:
        return store.load_or_train(spec, network.device, report)


def _named(network: Trained, judge: Classifier, experiment: Experiment, label: int) -> torch.Tensor:
    """The label that each trial is given at every noise fraction and step, ``[P, T+1, trials]``."""
    drawn = dataclasses.replace(experiment, trial_seed=stream_seed(experiment.trial_seed, label))
    _, x0 = approach.trials_by_noise(network.train, label, experiment.classified_trials, drawn)
    ran = rollout.rollout(
        network.model,
        x0.to(network.device),
        experiment.steps + 1,
        {"label": classifier.predictions(judge)},
        at=range(1, experiment.steps + 2),  # the image that z(t) generates is x(t+1)
    )
    return approach.by_group(ran.observed["label"], len(experiment.p_grid))


def _finding(experiment: Experiment, found: dict[str, Any]) -> str:
    title = data.DATASETS[experiment.dataset].title
    final = found["final"]
    own = found["labels"][final["label"]]
    return (
        f"On {title} with {network_in_words(experiment)}, '{final['label']}' is the label that a "
        f"classifier gives most often to images generated from '{final['label']}' at every step "
        f"{_up_to_which_p(own['right_at_every_step_up_to_p'])}, and in a window near 20 to 30 "
        f"steps {_up_to_which_p(own['window_near_20_to_30_up_to_p'])}. At $t = {final['step']}$ it "
        f"gives '{final['label']}' to {final['judged_own']} of {final['trials']} trials that "
        f"started with $p = {experiment.p:g}$."
    )


def _up_to_which_p(last: float | None) -> str:
    return "at no noise fraction" if last is None else f"up to $p = {last:g}$"
