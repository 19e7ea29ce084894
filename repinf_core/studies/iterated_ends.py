"""Where trajectories of one network end, and how a step acts there and at the concepts."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy.sparse.csgraph import connected_components

from repinf_core.dynamics import fixed_points, matrix_free, settling
from repinf_core.models import Autoencoder
from repinf_core.studies.iterated_networks import Clusters
from repinf_core.studies.study import stacked

PER_LABEL = 2
"""Trajectories of each label that are followed until they rest."""
SAME = 0.01
"""Distance, in units of the mean spread, up to which two end points count as one.  A trajectory
that rests may still be some hundred of its last steps away from its fixed point."""


class Ends(NamedTuple):
    """How trajectories end, and how a step acts.  Lengths are in units of the label's spread.

    Attributes:
        ends: a row for each trajectory: ``label``, ``outcome`` (at rest, cycle, not at rest),
            ``steps`` taken, length of the ``last_step``, distance from the end to its own
            ``concept``, whether this is the ``nearest_own``, and the number of the ``end_point``,
            counted from 0 (missing unless at rest).
        spectra: a row for each label and place ``where`` (concept; end point, of the label's first
            trajectory): length of the ``step`` taken from there, spectral ``radius`` and largest
            singular value ``stretch`` of its Jacobian (missing if ARPACK did not converge).
    """

    ends: pd.DataFrame
    spectra: pd.DataFrame


@torch.no_grad()
def ends(
    model: Autoencoder, found: Clusters, x0: torch.Tensor, names: tuple[str, ...], steps: int
) -> Ends:
    """Follow some trials of every label in float64 until they rest, or for ``steps`` steps.

    A trajectory is at rest if its step is shorter than 1e-5 of the mean spread.

    Args:
        model: the network.
        found: its clusters, on its device.
        x0: noisy images of the trials, label by label, ``[labels * trials, 784]``.
        names: of the labels.
        steps: the largest number of steps.
    """
    model, concepts = fixed_points.in_float64(model), found.concepts.double()
    spread = found.spread.double().cpu()
    starts = x0.unflatten(0, (len(names), -1))[:, :PER_LABEL]
    per_label = starts.shape[1]
    own = torch.arange(len(names)).repeat_interleave(per_label)
    settled = settling.settle(
        model,
        model.encode_mean(starts.flatten(0, 1).to(concepts)),
        steps,
        rest=settling.AT_REST * float(spread.mean()),
    )
    period, z = settled.period.numpy(), settled.z.to(concepts)
    last_step = fixed_points.displacement(model, z).norm(dim=1).cpu() / spread[own]
    away = torch.cdist(z, concepts).cpu()
    resting = period == 1
    end_point = np.full(len(z), np.nan)
    end_point[resting] = points(z[torch.from_numpy(resting)].cpu(), SAME * float(spread.mean()))
    table = pd.DataFrame(
        {
            "label": np.repeat(names, per_label),
            "outcome": np.select([resting, period > 1], ["at rest", "cycle"], "not at rest"),
            "steps": settled.steps.numpy(),
            "last_step": last_step.numpy(),
            "concept": (away.gather(1, own[:, None])[:, 0] / spread[own]).numpy(),
            "nearest_own": (away.argmin(1) == own).numpy(),
            "end_point": end_point,
        }
    )
    places = {"concept": concepts, "end point": z[::per_label]}
    spectra = {where: _spectra(model, at, spread, names) for where, at in places.items()}
    return Ends(table, stacked(spectra, "where"))


def points(z: torch.Tensor, within: float) -> np.ndarray:
    """Number, from 0, of the point at which each of ``z`` ``[n, N_z]`` lies, ``[n]``.

    Two lie at one point if a chain joins them whose links are ``within`` this distance.
    """
    joined = np.linalg.norm(z[:, None] - z[None], axis=2) <= within
    return connected_components(joined, directed=False)[1]


def _spectra(
    model: Autoencoder, at: torch.Tensor, spread: torch.Tensor, names: tuple[str, ...]
) -> pd.DataFrame:
    with torch.enable_grad():
        factors = matrix_free.leading(model, at)
    step = fixed_points.displacement(model, at).norm(dim=1).cpu() / spread
    return pd.DataFrame(
        {
            "label": names,
            "step": step.numpy(),
            "radius": factors.radius.numpy(),
            "stretch": factors.stretch.numpy(),
        }
    )
