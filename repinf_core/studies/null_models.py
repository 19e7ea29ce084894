"""Null models: a linear VAE, which has no saddle, and a chain of samples (chapter 20)."""

from collections.abc import Iterable, Iterator

import pandas as pd
import torch

from repinf_core import geometry, models
from repinf_core.dynamics import rollout
from repinf_core.dynamics.sampling import sampled_chain
from repinf_core.models.linear import LinearVAE
from repinf_core.profiles import Experiment
from repinf_core.streams import Stream, generator
from repinf_core.studies.saddles import Trials
from repinf_core.studies.study import Trained

MEAN_MAP, LINEAR = "mean map", "linear VAE"
CHAINS = ("sampled chain, mean of q", "sampled chain, sample")
"""Names of the systems in the table."""
READINGS = ("whole_chord", "same_time")
"""The two readings of an approach, columns of the table."""


def null_models(
    network: Trained, experiment: Experiment, trials: Trials
) -> tuple[pd.DataFrame, LinearVAE]:
    """Count the labels that approach their concept under the mean map and under null models.

    The linear VAE is followed for T steps, as the network is, and for as many as the census takes:
    its slow variables need them.

    Args:
        network: the trained one.
        experiment: uses ``steps``, ``settling_steps``, ``n_z`` and ``trial_seed``.
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
    linear_z0 = linear.encode_mean(trials.x0)
    drawing = generator(experiment.trial_seed, Stream.SAMPLED_CHAIN, network.device)
    chain = _chain(network, x0, experiment.steps, drawing)
    paths = {
        MEAN_MAP: _means(network.model, x0, experiment.steps),
        **dict(zip(CHAINS, chain, strict=True)),
    }
    rows = []
    for target, of_target in (("concept", own), ("wrong concept", (own + 1) % 10)):
        goal, linear_goal = network.concepts[of_target], linear_concepts[of_target]
        for system, path in paths.items():
            distances = geometry.distance(path, goal)
            chord = geometry.chord_distances(path[0], path[-1], goal, experiment.steps)
            rows.append({"system": system, "target": target, **_readings(distances, chord)})
        for steps in dict.fromkeys((experiment.steps, experiment.settling_steps)):
            distances = _decaying(linear.factors, linear_z0, linear_goal, steps)
            last = linear.factors**steps * linear_z0
            chord = geometry.chord_distances(linear_z0, last, linear_goal, steps)
            rows.append({"system": LINEAR, "target": target, **_readings(distances, chord)})
    order = [*paths, LINEAR]
    return (
        pd.DataFrame(rows).sort_values(
            ["system", "steps"],
            key=lambda column: column.map(order.index) if column.name == "system" else column,
            kind="stable",
            ignore_index=True,
        ),
        linear,
    )


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


def _decaying(
    factors: torch.Tensor, z0: torch.Tensor, target: torch.Tensor, steps: int
) -> torch.Tensor:
    """Distances from factors^t z(0) to the targets, t = 0 ... T, ``[T+1, trials]``.

    Multiplied out, so that no path is kept: T may be 10,000.
    """
    decay = factors ** torch.arange(steps + 1)[:, None]
    products = decay.square() @ z0.square().T - 2 * decay @ (z0 * target).T
    return (products + target.square().sum(1)).clamp_min(0).sqrt()


def _readings(distances: torch.Tensor, chords: torch.Tensor) -> dict[str, float]:
    """The columns of the table ``systems`` for one system and one kind of target.

    Args:
        distances: of the trajectories, ``[T+1, trials]``, label by label.
        chords: of their chords, likewise.
    """
    whole_chord, same_time = geometry.approach_of_means(
        *(of.unflatten(1, (10, -1)).movedim(1, 0) for of in (distances, chords))
    )
    return {
        "steps": len(distances) - 1,
        "whole_chord": int(whole_chord.approaches.sum()),
        "same_time": int(same_time.sum()),
        "step": float(whole_chord.step.double().median()),
        "first": float(distances[0].mean()),
        "closest": float(whole_chord.minimum.mean()),
        "last": float(distances[-1].mean()),
    }
