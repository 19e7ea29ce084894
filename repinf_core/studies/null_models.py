"""Null models: a linear VAE, which has no saddle, and a chain of samples (chapter 20)."""

from collections.abc import Iterable, Iterator

import pandas as pd
import torch

from repinf_core import geometry, models
from repinf_core.dynamics import rollout
from repinf_core.dynamics.sampling import sampled_chain
from repinf_core.models.linear import LinearVAE
from repinf_core.profiles import Experiment
from repinf_core.studies.saddles import Trials
from repinf_core.studies.study import Trained

_SYSTEMS = ("mean map", "sampled chain, mean of q", "sampled chain, sample", "linear VAE")


def null_models(
    network: Trained, experiment: Experiment, trials: Trials
) -> tuple[pd.DataFrame, LinearVAE]:
    """Count the labels that approach their concept under the mean map and under null models.

    Args:
        network: the trained one.
        experiment: uses ``steps``, ``n_z`` and ``trial_seed``.
        trials: noisy images of every label.

    Returns:
        the table ``systems`` of the study; the linear VAE of the training images, with as many
        latent variables as the network, but at most one fewer than there are pixels.
    """
    labels = network.train.labels
    own = labels[trials.rows]
    x0 = trials.x0.to(network.device)
    linear = LinearVAE(network.train.images, min(experiment.n_z, network.train.images.shape[1] - 1))
    linear_concepts = geometry.concepts(models.memories(linear, network.train.images), labels)
    generator = torch.Generator(network.device).manual_seed(experiment.trial_seed)
    chain = _chain(network, x0, experiment.steps, generator)
    paths = dict(
        zip(
            _SYSTEMS,
            (
                (_means(network.model, x0, experiment.steps), network.concepts),
                (chain[0], network.concepts),
                (chain[1], network.concepts),
                (_means(linear, trials.x0, experiment.steps), linear_concepts),
            ),
            strict=True,
        )
    )
    rows = [
        {"system": system, "target": target, **_readings(path, concepts[of_target])}
        for system, (path, concepts) in paths.items()
        for target, of_target in (("concept", own), ("wrong concept", (own + 1) % 10))
    ]
    return pd.DataFrame(rows), linear


def _means(model: models.Autoencoder, x0: torch.Tensor, steps: int) -> torch.Tensor:
    """z(0) ... z(T) of the mean map, ``[T+1, trials, N_z]`` on the CPU."""
    return rollout.rollout(model, x0, steps, {"z": rollout.latents}).observed["z"].cpu()


def _chain(
    network: Trained, x0: torch.Tensor, steps: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Means of q and samples of the sampled chain, ``[T+1, trials, N_z]`` each, on the CPU."""
    both: Iterable[tuple[torch.Tensor, ...]] = sampled_chain(network.model, x0, steps, generator)
    means, samples = zip(*_on_cpu(both), strict=True)
    return torch.stack(means), torch.stack(samples)


def _on_cpu(states: Iterable[tuple[torch.Tensor, ...]]) -> Iterator[tuple[torch.Tensor, ...]]:
    for state in states:
        yield tuple(one.cpu() for one in state)


def _readings(path: torch.Tensor, target: torch.Tensor) -> dict[str, float]:
    """The columns of the table ``systems`` for one system and one kind of target.

    Args:
        path: z(0) ... z(T), ``[T+1, trials, N_z]``, label by label.
        target: a target for each trial, ``[trials, N_z]``.
    """
    distances = geometry.distance(path, target)
    chords = geometry.chord_distances(path[0], path[-1], target, len(path) - 1)
    whole_chord, same_time = geometry.approach_of_means(
        *(of.unflatten(1, (10, -1)).movedim(1, 0) for of in (distances, chords))
    )
    return {
        "whole_chord": int(whole_chord.approaches.sum()),
        "same_time": int(same_time.sum()),
        "step": float(whole_chord.step.double().median()),
        "first": float(distances[0].mean()),
        "closest": float(whole_chord.minimum.mean()),
        "last": float(distances[-1].mean()),
    }
