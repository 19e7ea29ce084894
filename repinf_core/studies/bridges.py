"""Repeated inference in the terms of score-based and diffusion models (chapter 20).

The step f(z) - z against the score of the aggregate posterior, and the label that survives noise of
a given strength, as in noise-then-denoise experiments (Sclocchi et al., arXiv:2402.16991).
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch

from repinf_core import geometry
from repinf_core.dynamics import fixed_points, rollout, settling
from repinf_core.models.mlp import VAE
from repinf_core.noise import noisy_trials
from repinf_core.profiles import Experiment
from repinf_core.streams import Stream, generator
from repinf_core.studies.saddles import Trials
from repinf_core.studies.study import Trained

IMAGES = 5000
"""At most this many training images make up the aggregate posterior."""
TIMES = (0, 5, 20)
"""The score is taken at these steps of trajectories, and at the last."""
_POINTS = 100  # random memories, points of the prior, and trajectories (10 for each label)


def step_and_score(network: Trained, experiment: Experiment, trials: Trials) -> pd.DataFrame:
    """Compare the direction of a step with the direction of the score, at points of several kinds.

    The score is the gradient of log q(z), with q(z) the mean of q(z|x) over training images.  The
    cosine is taken over the active latent variables: an inactive one holds no information, and
    there both vectors only lead back to zero.  Where a trajectory rests it has no direction, and
    the cosine is missing.

    Args:
        network: the trained one.
        experiment: uses ``steps`` and ``trial_seed``.
        trials: noisy images of every label.

    Returns:
        the table ``score`` of the study.
    """
    drawing = generator(experiment.trial_seed, Stream.SCORE)
    means, log_variances = _posteriors(network, drawing)
    model, active = fixed_points.in_float64(network.model), _active(network)
    tables = []
    for where, z in _places(network, experiment, trials, drawing):
        step = fixed_points.displacement(model, z.to(network.device)).cpu()
        step[step.norm(dim=1) < settling.AT_REST] = 0
        score = mixture_score(z, means, log_variances)
        tables.append(
            pd.DataFrame(
                {
                    "where": where,
                    "step": step.norm(dim=1).numpy(),
                    "score": score.norm(dim=1).numpy(),
                    "cosine": _cosine(step[:, active], score[:, active]),
                    "elsewhere": _cosine(step[:, active], score.roll(1, 0)[:, active]),
                    "all_variables": _cosine(step, score),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def _posteriors(network: Trained, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """mu and log sigma^2 of random training images, float64 ``[M, N_z]`` each, on the CPU."""
    rows = torch.randperm(len(network.train.images), generator=generator)[:IMAGES]
    model = fixed_points.in_float64(network.model)
    assert isinstance(model, VAE)
    with torch.no_grad():
        parts = [
            model.encode(part.double().to(network.device))
            for part in network.train.images[rows].split(1000)
        ]
    mu, log_variance = (torch.cat(both).cpu() for both in zip(*parts, strict=True))
    return mu, log_variance


def _active(network: Trained) -> torch.Tensor:
    return geometry.active_latents(network.memories)


def _places(
    network: Trained, experiment: Experiment, trials: Trials, generator: torch.Generator
) -> Iterator[tuple[str, torch.Tensor]]:
    """Points of each kind in random order, float64 ``[n, N_z]``."""
    rows = torch.randint(len(network.memories), (_POINTS,), generator=generator)
    yield "memory", network.memories[rows].double()
    yield "concept", network.concepts.double()
    n_z = network.concepts.shape[1]
    yield "prior point", torch.randn(_POINTS, n_z, generator=generator, dtype=torch.float64)
    x0 = trials.x0.unflatten(0, (10, -1))[:, : _POINTS // 10].flatten(0, 1)
    x0 = x0[torch.randperm(len(x0), generator=generator)].to(network.device)
    at = sorted({t for t in TIMES if t < experiment.steps} | {experiment.steps})
    path = rollout.rollout(network.model, x0, experiment.steps, {"z": rollout.latents}, at)
    for t, z in zip(at, path.observed["z"], strict=True):
        yield f"trajectory, t = {t}", z.double().cpu()


def mixture_score(
    z: torch.Tensor, means: torch.Tensor, log_variances: torch.Tensor
) -> torch.Tensor:
    """The gradient of log q at each point, for q the mean of M diagonal Gaussians.

    Each Gaussian pulls towards its mean, (mu - z) / sigma^2, in proportion to its share of q(z).

    Args:
        z: points, ``[n, N_z]``.
        means: mu, ``[M, N_z]``.
        log_variances: log sigma^2, ``[M, N_z]``.

    Returns:
        ``[n, N_z]``.
    """
    precisions = torch.exp(-log_variances)
    pulls = means * precisions
    # Summed out, so that no array of [n, M, N_z] is needed.
    squares = z.square() @ precisions.T - 2 * z @ pulls.T + (means * pulls).sum(1)
    shares = (-0.5 * (squares + log_variances.sum(1))).softmax(1)
    return shares @ pulls - z * (shares @ precisions)


def _cosine(a: torch.Tensor, b: torch.Tensor) -> np.ndarray:
    """Cosine of each pair of rows, ``[n]``; missing if one of them has no length."""
    return ((a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))).numpy()


def label_kept(network: Trained, experiment: Experiment) -> pd.DataFrame:
    """How often the label of the nearest concept is the image's own, against the noise.

    No classifier is needed: the concept nearest to z(t) gives the label.

    Args:
        network: the trained one.
        experiment: uses ``p_grid``, ``classified_trials`` (images for each p, in equal numbers of
            every label), ``final_step``, ``noise`` and ``trial_seed``.

    Returns:
        the table ``kept`` of the study.
    """
    each = max(1, experiment.classified_trials // 10)
    drawn = [
        noisy_trials(network.train, range(10), each, p, experiment.noise, experiment.trial_seed)
        for p in experiment.p_grid
    ]
    concepts = network.concepts.to(network.device)

    def nearest(x: torch.Tensor, z: torch.Tensor, trials: slice) -> torch.Tensor:
        return torch.cdist(z, concepts).argmin(1)

    x0 = torch.cat([x0 for _, x0 in drawn]).to(network.device)
    at = [0, experiment.final_step]
    named = rollout.rollout(network.model, x0, at[-1], {"label": nearest}, at).observed["label"]
    own = network.train.labels[torch.cat([rows for rows, _ in drawn])]
    kept = (named.cpu() == own).double().unflatten(1, (len(drawn), -1)).mean(2)
    return pd.DataFrame(
        {"p": p, "t": t, "kept": share, "trials": 10 * each}
        for t, shares in zip(at, kept.tolist(), strict=True)
        for p, share in zip(experiment.p_grid, shares, strict=True)
    )
