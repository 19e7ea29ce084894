"""Which readings of the paper's open points give the numbers that it prints?"""

import dataclasses
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
import torch

from repinf_core import agreement, data, geometry, models
from repinf_core.data import LabelledImages
from repinf_core.dynamics import approach
from repinf_core.models.mlp import VAE, VAESpec
from repinf_core.noise import NOISES
from repinf_core.profiles import Experiment
from repinf_core.studies import (
    classifiers,
    effective_dimension,
    reading_tables,
    readings_in_words,
    shorter_trainings,
)
from repinf_core.studies.printed_facts import FACTS, Evidence, compare, met
from repinf_core.studies.study import Study, default_device
from repinf_core.training import progress, sweep
from repinf_core.training.run import TrainingRun

_STATED = (
    "dataset", "n_z", "n_hidden", "n_samples", "grid_epochs", "learning_rates", "label",
    "trials_per_p", "classified_trials", "trials", "final_step",
)  # fmt: skip


@dataclass(frozen=True)
class Readings(Study):
    """Every reading: one kind of noise combined with one weight beta of the KL term.

    Networks of other trainings that ship, such as of another seed, give more readings.  They have
    rows in ``readings``, ``classifiers`` and ``judged``, too, after those of the page's networks.

    Attributes:
        facts: a row for each fact: its ``letter``, the ``printed`` statement, its ``value`` in
            short, and the ``criterion``.
        readings: a row for each ``reading`` (``noise``, ``beta``): the ``epochs`` of its network,
            the test ``objective`` (nats per image), the numbers that the facts judge, ``same_time``
            (number of labels that approach below the chord at the same time), and the number of
            facts that are ``met``.
        classifiers: the table of :func:`repinf_core.studies.classifiers.table`.
        judged: a row for each reading and fact: the number ``found``, in short, and whether the
            fact ``holds``.
        times: a row for each reading of the page's networks, landmark (memory or concept) and p:
            mean ``step`` of the closest approach.
        evidence: a row for each open point: the ``best`` choice (missing if several are best),
            its ``margin`` in facts over the best other choice, the same margin without the facts
            that suggested the long training of a network (``unsuggested``; missing likewise), and
            the ``verdict``.  So for the ``networks`` of the page, again with each of the other
            trainings in the place of the page's network with its beta, if both are as long, and for
            the networks of the recorded shorter trainings.
        active_by_epoch: the table of :func:`repinf_core.studies.effective_dimension.by_epoch`.
        fall: how it changes, in a sentence.
        by_length: as ``judged``, for the page's networks and those of shorter trainings, if they
            are recorded.
        lengths: what it says, in sentences.
        dimensions: the table of :func:`repinf_core.studies.effective_dimension.beside_printed`.
        nearest: which of its networks is nearest to the printed numbers, in a sentence.
        other_trainings: what ``dimensions`` has of networks of other trainings, in words.
        settings: whether the settings are those that the paper states, in one sentence.
    """

    facts: pd.DataFrame
    readings: pd.DataFrame
    classifiers: pd.DataFrame
    judged: pd.DataFrame
    times: pd.DataFrame
    evidence: pd.DataFrame
    active_by_epoch: pd.DataFrame
    fall: str
    by_length: pd.DataFrame
    lengths: str
    dimensions: pd.DataFrame
    nearest: str
    other_trainings: str
    settings: str


def run(experiment: Experiment, device: str | None = None) -> Readings:
    """Train a network for each beta, and follow images under each reading of the noise.

    Args:
        experiment: uses all parameters except ``beta``, ``noise`` and ``epochs``, which are
            replaced by ``beta_grid``, every noise and ``grid_epochs``; at most ``trials_per_p``
            trials of each label are followed for fact G.
        device: device of the computation; by default a GPU if there is one, else the CPU.

    Raises:
        DataError, StoreError, CheckpointError, SweepError, TrainingDiverged, BelowFloor: as
            :func:`repinf_core.training.sweep.load_or_train`.
    """
    device = device or default_device()
    train = data.load(experiment.dataset, "train")
    one = dataclasses.replace(VAESpec.of(experiment), epochs=experiment.grid_epochs)
    specs = sweep.product(one, beta=experiment.beta_grid)
    print(progress.estimate_runtime(specs, device, len(train.images)))
    runs = sweep.load_or_train(specs, device)
    judges = classifiers.load_or_train(experiment, device, len(train.images))
    others = effective_dimension.other_trainings(runs, device)
    readings, of_others = (
        [
            found
            for run in group
            for found in _of_network(run, cast(VAESpec, runs[0].spec), judges, train, experiment)
        ]
        for group in (runs, others)
    )
    evidence = _compared(readings)
    replaced = {
        network: _compared(other) for network, other in _replaced(readings, of_others).items()
    }
    shorter = shorter_trainings.readings(experiment)
    after_shorter = {"of shorter trainings": _compared(shorter)} if shorter else {}
    # A network's dimensions do not depend on the noise.
    of_runs, of_shorter = (group[:: len(NOISES)] for group in (readings, shorter))
    dimensions = effective_dimension.beside_printed(runs, of_runs, others, of_shorter, train)
    active_by_epoch = effective_dimension.by_epoch(runs, others)
    return Readings(
        experiment=experiment,
        device=device,
        numbers={
            "readings": readings,
            "of_other_trainings": of_others,
            **_plain(evidence),
            "replaced": {network: _plain(of) for network, of in replaced.items()},
            "of_shorter_trainings": shorter,
        },
        finding=readings_in_words.finding(experiment, readings + of_others, evidence, replaced),
        facts=pd.DataFrame(
            [fact[:4] for fact in FACTS], columns=["letter", "printed", "value", "criterion"]
        ),
        readings=reading_tables.readings(readings + of_others),
        classifiers=classifiers.table(readings + of_others, experiment.trials),
        judged=reading_tables.judged(readings + of_others),
        times=reading_tables.times(readings, experiment.p_grid),
        evidence=reading_tables.evidence({"of this page": evidence} | replaced | after_shorter),
        active_by_epoch=active_by_epoch,
        fall=effective_dimension.fall(active_by_epoch),
        by_length=reading_tables.judged(shorter_trainings.in_pairs(readings, shorter)),
        lengths=readings_in_words.lengths(readings, shorter, after_shorter),
        dimensions=dimensions,
        nearest=effective_dimension.nearest(dimensions),
        other_trainings=effective_dimension.told(dimensions),
        settings=agreement.settings(
            agreement.deviations(
                _STATED, experiment, {"grid_epochs": min(run.epoch for run in runs)}
            )
        ),
    )


def _of_network(
    run: TrainingRun,
    one: VAESpec,
    judges: list[TrainingRun],
    train: LabelledImages,
    experiment: Experiment,
) -> list[dict[str, Any]]:
    """The numbers of a network under each reading of the noise, and the facts that it meets.

    Args:
        run: the network.
        one: spec of one that is trained as those of the page are, for the name of this one.
        judges: the classifiers.
        train: the training set.
        experiment: as in :func:`run`.
    """
    model, spec = cast(VAE, run.model), cast(VAESpec, run.spec)
    network = effective_dimension.in_words(spec, one)
    device = next(model.parameters()).device
    memories = models.memories(model, train.images.to(device))
    own = {
        "epochs_trained": run.epoch,
        "test_negative_elbo": run.history[-1].test["negative_elbo"],
        **effective_dimension.measure(memories),
    }
    readings = []
    for noise in NOISES:
        noisy = dataclasses.replace(experiment, noise=noise)
        found = {
            "reading": f"{noise}, {network}",
            "noise": noise,
            "beta": spec.beta,
            "network": network,
            **own,
            **classifiers.judge(model, judges, train, noisy),
            **_approach(model, memories, train, noisy),
        }
        readings.append(found | {"met": met(found, experiment.trials)})
    return readings


def _approach(
    model: VAE, memories: torch.Tensor, train: LabelledImages, noisy: Experiment
) -> dict[str, Any]:
    """Times of closest approach to memory and concept, and approaching labels (facts E to G)."""
    closest = approach.closest_approach_by_noise(model, train, memories, noisy)
    memory, concept, _ = closest.step.mean(-1).tolist()
    concepts = geometry.concepts(memories, train.labels.to(memories.device))
    # Ten labels take ten times the work of one p.
    of_each = dataclasses.replace(noisy, trials=min(noisy.trials, noisy.trials_per_p))
    whole_chord, same_time = geometry.approach_of_means(
        *approach.to_concepts(model, train, concepts, of_each)
    )
    return {
        "memory_time": memory,
        "concept_time": concept,
        "share_of_p_with_concept_time_20_to_30": float(np.mean([20 <= t <= 30 for t in concept])),
        "rank_correlation_of_memory_time": agreement.rank_correlation(noisy.p_grid, memory),
        "labels_approaching_whole_chord": int(whole_chord.approaches.sum()),
        "labels_approaching_same_time": int(same_time.sum()),
    }


def _replaced(
    readings: list[dict[str, Any]], others: list[dict[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """The readings with those of another network in place of the page's with the same beta.

    A network that was trained for another number of epochs takes no place.

    Returns:
        the readings by the network that takes a place, in words.
    """
    epochs = {found["beta"]: found["epochs_trained"] for found in readings}
    as_long = [found for found in others if epochs.get(found["beta"]) == found["epochs_trained"]]
    return {
        network: [found for found in readings if found["beta"] != beta]
        + [found for found in as_long if found["network"] == network]
        for network, beta in {found["network"]: found["beta"] for found in as_long}.items()
    }


def _compared(readings: list[dict[str, Any]]) -> dict[str, Evidence]:
    return {part: compare(readings, part) for part in ("noise", "beta")}


def _plain(evidence: dict[str, Evidence]) -> dict[str, dict[str, Any]]:
    return {
        part: {
            "best": of.best,
            "margin": of.margin,
            "unsuggested": of.unsuggested,
            "evidence": of.verdict,
        }
        for part, of in evidence.items()
    }
