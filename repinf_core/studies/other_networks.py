"""How the ends of trajectories and the saddles move with beta and N_z (chapter 20)."""

import dataclasses
from typing import Any, cast

import pandas as pd
import torch

from repinf_core import geometry, models
from repinf_core.dynamics import fixed_points, settling
from repinf_core.dynamics.jacobian import jacobian
from repinf_core.models import Spec
from repinf_core.models.mlp import VAE, VAESpec
from repinf_core.profiles import Experiment
from repinf_core.studies import end_points, saddles
from repinf_core.studies.study import Trained
from repinf_core.training import progress, shipped, sweep
from repinf_core.training.run import TrainingRun

_TRIALS = 20  # images per label, at most
_STEPS = 1000  # at most


def networks(network: Trained, experiment: Experiment) -> pd.DataFrame:
    """Compare networks of other beta at the experiment's N_z, and of other N_z at its beta.

    If the experiment's own network ships with the package, only networks that ship are compared,
    so that no row costs hours of training.

    Args:
        network: the experiment's own, with its training set.
        experiment: uses ``beta_grid``, ``n_z_grid``, ``grid_epochs``, ``settling_steps``, and the
            parameters of the trials.

    Returns:
        the table ``networks`` of the study.

    Raises:
        StoreError, SweepError: as :func:`repinf_core.training.sweep.load_or_train`.
    """
    specs = grid(experiment)
    print(progress.estimate_runtime(specs, network.device, len(network.train.images)))
    runs = sweep.load_or_train(specs, network.device)
    return pd.DataFrame([_network(network, run, experiment) for run in runs])


def grid(experiment: Experiment) -> list[Spec]:
    """The networks of the table, each once, the experiment's own first."""
    own = VAESpec.of(experiment)
    one = dataclasses.replace(own, epochs=experiment.grid_epochs)
    specs: dict[Spec, None] = dict.fromkeys(
        [
            own,
            *sweep.product(one, beta=experiment.beta_grid),
            *sweep.product(one, n_z=experiment.n_z_grid),
        ]
    )
    ships = shipped.manifest()
    return [spec for spec in specs if own.name not in ships or spec.name in ships]


def _network(own: Trained, run: TrainingRun, experiment: Experiment) -> dict[str, Any]:
    """A row of the table: the same images, but fewer trajectories and steps than in the census."""
    model, spec = cast(VAE, run.model), cast(VAESpec, run.spec)
    memories = models.memories(model, own.train.images.to(own.device)).cpu()
    network = own._replace(
        run=run,
        model=model,
        memories=memories,
        concepts=geometry.concepts(memories, own.train.labels),
    )
    trials = saddles.draw(network, experiment, min(_TRIALS, experiment.trials))
    steps = min(_STEPS, experiment.settling_steps)
    settled = settling.settle(
        model, trials.z0.to(own.device), steps, sorted({min(100, steps), steps})
    )
    _, points = end_points.distinct_ends(model, settled, own.device)
    labels = own.train.labels
    to_memory = torch.cdist(settled.z, memories).argmin(1)
    to_concept = torch.cdist(settled.z, network.concepts).argmin(1)
    near = saddles.search(network, experiment, trials, ("concept", "random memory")).saddles
    return {
        "beta": spec.beta,
        "n_z": spec.n_z,
        "epochs": run.epoch,
        "active": int(geometry.active_latents(memories).sum()),
        "moving_100": float(settled.moving[0]),
        "moving": float(settled.moving[-1]),
        "at_rest": float((settled.period == 1).double().mean()),
        "own_memory": float((to_memory == trials.rows).double().mean()),
        "own_concept": float((to_concept == labels[trials.rows]).double().mean()),
        "fixed_points": len(points),
        "radius": _radius(network, points),
        "concept_radius": _radius(network, network.concepts),
        "saddles": int(near["concept"].sum()),
        "near_memories": int(near["random memory"].sum()),
    }


def _radius(network: Trained, z: torch.Tensor) -> float:
    """The median spectral radius of the step map at some points ``[n, N_z]``; NaN at none."""
    maps = jacobian(network.model, z.double().to(network.device))
    return float(fixed_points.spectrum(maps).radius.quantile(0.5)) if len(z) else float("nan")
