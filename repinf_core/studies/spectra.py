"""How a step acts at fixed points, memories, concepts and elsewhere: spectra of J (chapter 20)."""

import itertools

import pandas as pd
import torch

from repinf_core.dynamics import fixed_points
from repinf_core.dynamics.jacobian import jacobian
from repinf_core.streams import Stream, generator
from repinf_core.studies.study import Trained

_POINTS = 100  # random memories, and points of the prior


def at_points(network: Trained, attractors: torch.Tensor, seed: int) -> pd.DataFrame:
    """The study's table ``spectra``: at the attractors, and at points that need not be fixed.

    Args:
        network: the trained one.
        attractors: fixed points, ``[n, N_z]``; n may be 0.
        seed: of the memories and of the points of the prior.
    """
    drawing = generator(seed, Stream.SPECTRA)
    rows = torch.randint(len(network.memories), (_POINTS,), generator=drawing)
    concepts = network.concepts.double()
    pairs = [concepts[[i, j]].mean(0) for i, j in itertools.combinations(range(10), 2)]
    points = {
        "attractor": attractors,
        "memory": network.memories[rows].double(),
        "concept": concepts,
        "midpoint": torch.stack(pairs),
        "prior point": torch.randn(
            _POINTS, concepts.shape[1], generator=drawing, dtype=torch.float64
        ),
    }
    model = fixed_points.in_float64(network.model)
    tables = []
    for where, z in points.items():
        if not len(z):
            continue
        maps = jacobian(model, z.to(network.device)).cpu()
        spectrum = fixed_points.spectrum(maps)
        step = fixed_points.displacement(model, z.to(network.device)).norm(dim=1).cpu()
        tables.append(
            pd.DataFrame(
                {
                    "where": where,
                    "step": step.numpy(),
                    "radius": spectrum.radius.numpy(),
                    "index": spectrum.unstable.numpy(),
                    "stretch": spectrum.stretch.numpy(),
                    "symmetric": symmetric_share(maps).numpy(),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def symmetric_share(maps: torch.Tensor) -> torch.Tensor:
    """(||(J + J^T) / 2|| / ||J||)^2 in the Frobenius norm, of matrices ``[n, N, N]``: ``[n]``.

    Of a matrix of independent random numbers it is (N + 1) / 2N in the mean.
    """
    symmetric = torch.linalg.matrix_norm((maps + maps.mT) / 2)
    return (symmetric / torch.linalg.matrix_norm(maps)).square()


def by_kind(spectra: pd.DataFrame) -> pd.DataFrame:
    """The study's table ``kinds``: medians of the columns of ``spectra`` for each ``where``."""
    by = spectra.groupby("where", sort=False)
    return by.median().assign(points=by.size()).reset_index()
