"""How trajectories pass the saddle near their concept (chapter 20)."""

import pandas as pd
import torch

from repinf_core import geometry
from repinf_core.dynamics import approach, rollout
from repinf_core.dynamics.jacobian import jacobian
from repinf_core.profiles import Experiment
from repinf_core.studies.saddles import Trials
from repinf_core.studies.study import Trained

ESCAPE_STEPS = 10
"""How a trajectory leaves the saddle is measured over so many steps after its closest approach."""


def from_saddles(
    network: Trained, experiment: Experiment, trials: Trials, points: dict[int, torch.Tensor]
) -> pd.DataFrame:
    """How trajectories pass the saddle of their label, and what its spectrum predicts.

    Args:
        network: the trained one.
        experiment: uses ``steps``.
        trials: noisy images of every label.
        points: saddles, float64 ``[N_z]``, by label.

    Returns:
        the table ``escape`` of the study without the column ``radius``; empty if no label has a
        saddle.
    """
    each = len(trials.rows) // 10
    rows = []
    for label, point in points.items():
        own = slice(label * each, (label + 1) * each)
        distances = _distances(network, trials.x0[own], point, experiment.steps)
        linear = _linear(network, trials.z0[own], point, experiment.steps)
        rows.append(
            {
                "label": network.class_names[label],
                **_leaving(distances),
                "linear_growth": _leaving(linear)["growth"],
                "step": float(distances.argmin(0).double().median()),
                "linear_step": float(linear.argmin(0).double().median()),
                "closest": float(distances.min(0).values.median()),
            }
        )
    columns = ["label", "growth", "leaving", "linear_growth", "step", "linear_step", "closest"]
    return pd.DataFrame(rows, columns=columns)


def _distances(network: Trained, x0: torch.Tensor, point: torch.Tensor, steps: int) -> torch.Tensor:
    """Distances of z(t) to one point, ``[T+1, trials]``."""
    target = point.float().to(network.device).expand(len(x0), -1)
    observe = {"saddle": geometry.distance_to(target)}
    ran = rollout.rollout(network.model, x0.to(network.device), steps, observe)
    return approach.by_group(ran.observed["saddle"], 1)[0]


def _linear(network: Trained, z0: torch.Tensor, point: torch.Tensor, steps: int) -> torch.Tensor:
    """The same distances if the step map were linear around the point, ``[T+1, trials]``."""
    step = jacobian(network.model, point[None].to(network.device)).cpu()[0].T
    displaced = [z0.double() - point]
    for _ in range(steps):
        displaced.append(displaced[-1] @ step)
    return torch.stack(displaced).norm(dim=2)


def _leaving(distances: torch.Tensor) -> dict[str, float]:
    """The median factor per step by which trials recede from a point, and the share that do.

    A trial counts if its closest approach comes after z(0), and at least :data:`ESCAPE_STEPS`
    steps before the last one.

    Args:
        distances: distances of each trial to the point, ``[T+1, trials]``.
    """
    closest = distances.min(0)
    leaves = (closest.indices > 0) & (closest.indices + ESCAPE_STEPS < len(distances))
    later = (closest.indices + ESCAPE_STEPS).clamp_max(len(distances) - 1)
    factor = (distances.gather(0, later[None])[0] / closest.values)[leaves] ** (1 / ESCAPE_STEPS)
    return {
        "growth": float(factor.median()) if len(factor) else float("nan"),
        "leaving": float(leaves.double().mean()),
    }
