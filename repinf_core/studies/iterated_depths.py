"""How deeply mean trajectories approach, and how surely the VAEs do so more deeply than others.

Whether the trials would tell the same if others were drawn is seen by a bootstrap over them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from repinf_core import bootstrap, geometry
from repinf_core.streams import Stream, generator

VAES = ("paper's VAE", "conv VAE")
OTHERS = ("CAE", "DAE")


def depths(mean: torch.Tensor, chord: torch.Tensor) -> torch.Tensor:
    """How far the minimum of each mean curve lies below the chord at the same time.

    Args:
        mean: mean distances of trajectories, ``[T+1, n]``.
        chord: mean distances of their chords, ``[T+1, n]``.

    Returns:
        ``[n]``, in the unit of the distances; 0 where the curve does not approach.
    """
    beside = chord.gather(0, mean.argmin(0)[None])[0]
    found = geometry.approach(mean, beside)
    return torch.where(found.approaches, beside - found.minimum, 0.0)


def draws(labels: int, trials: int, seed: int) -> torch.Tensor:
    """How much each trial weighs in each resample, float64 ``[labels, RESAMPLES, trials]``.

    Every label draws its own trials; all networks are to use the same draws.
    """
    drawing = generator(seed, Stream.BOOTSTRAP)
    return torch.stack([bootstrap.counts(trials, drawing) for _ in range(labels)]) / trials


def resampled(distances: torch.Tensor, chords: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The :func:`depths` with the trials drawn anew.

    Args:
        distances: of the trajectories, ``[labels, T+1, trials]``.
        chords: of their chords, likewise.
        weights: of :func:`draws`.

    Returns:
        float64 ``[RESAMPLES, labels]``.
    """
    of_labels = zip(distances.to(weights), chords.to(weights), weights, strict=True)
    return torch.stack([depths(one @ drawn.T, line @ drawn.T) for one, line, drawn in of_labels], 1)


def margin(excess: Mapping[str, Any], vaes: Sequence[str] = VAES) -> np.ndarray:
    """By how much these VAEs, all of them, are above 0 and deeper than CAE and DAE.

    Args:
        excess: depth beyond that at a wrong concept, by network ``[..., labels]``.
        vaes: names of the VAEs.

    Returns:
        ``[..., labels]``, above 0 where they are.
    """
    shallowest = np.min([excess[name] for name in vaes], axis=0)
    deepest = np.max([excess[name] for name in OTHERS], axis=0)
    return shallowest - np.maximum(deepest, 0)


def margins(
    excess: Mapping[str, Any], anew: Mapping[str, torch.Tensor], names: Sequence[str]
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The :func:`margin` of every label, and what the bootstrap says of it.

    Args:
        excess: depth beyond that at a wrong concept, by network ``[labels]``.
        anew: the same of each resample, ``[RESAMPLES, labels]``.
        names: of the labels.

    Returns:
        a row for each ``label``: ``margin``, its interval from ``low`` to ``high`` (95%), and the
        share of ``resamples`` in which it is above 0; and in plain numbers the row of the ``least``
        margin, the share of resamples in which ``all`` labels are above 0, and the interval of the
        number of ``labels`` that are.
    """
    found = torch.from_numpy(margin({name: of.numpy() for name, of in anew.items()}))
    low, high = bootstrap.interval(found)
    above = found > 0
    table = pd.DataFrame(
        {
            "label": names,
            "margin": margin(excess),
            "low": low.numpy(),
            "high": high.numpy(),
            "resamples": above.double().mean(0).numpy(),
        }
    )
    fewest, most = bootstrap.interval(above.sum(1).double())
    return table, {
        "least": table.loc[table.margin.idxmin()].to_dict(),
        "all": float(above.all(1).double().mean()),
        "labels": [round(float(fewest)), round(float(most))],
    }
