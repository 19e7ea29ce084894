"""The census of chapter 20: where trajectories end, and how far from memories and concepts."""

from typing import Any, NamedTuple

import pandas as pd
import torch

from repinf_core import geometry, models
from repinf_core.dynamics import fixed_points, settling
from repinf_core.noise import noisy_trials
from repinf_core.profiles import Experiment
from repinf_core.streams import Stream, generator
from repinf_core.studies.study import Trained

TIMES = (20, 100, 300, 1000, 3000, 10_000)
"""Trajectories that still move are counted at these steps."""
ONE_END = 1e-2
"""End points nearer to each other than this are one, until Newton's method refines it."""
NEAR_END = 0.1
"""If Newton's method ends farther away than this, it has found another fixed point."""
ORBIT_STEPS = 1000
"""Trajectories that do not come to rest are followed for so many further steps."""
IN_FLOAT64 = 10
"""So many noisy and clean trajectories of each label, at most, are followed in float64 as well."""
CLOSED = 0.05
"""An orbit is closed if it comes back to within this share of its size."""


class Census(NamedTuple):
    """Where trajectories end.

    Attributes:
        settling: the study's table of this name.
        ends: likewise.
        fixed_points: likewise, without the columns on the spectrum.
        points: the fixed points, the largest basin first, float64 ``[n, N_z]``.
        in_float64: the number of trajectories that were followed in float64 as well, and of those
            among them that end alike, by :func:`alike`.
    """

    settling: pd.DataFrame
    ends: pd.DataFrame
    fixed_points: pd.DataFrame
    points: torch.Tensor
    in_float64: dict[str, int]


def census(network: Trained, experiment: Experiment) -> Census:
    """Follow trajectories from noisy and clean images of every label, and refine their ends.

    Args:
        network: the trained one.
        experiment: uses ``census_trials`` per label, ``settling_steps``, ``p``, ``noise`` and
            ``trial_seed``.
    """
    rows, x0 = noisy_trials(
        network.train, range(10), experiment.census_trials, experiment.p, experiment.noise,
        experiment.trial_seed,
    )  # fmt: skip
    starts = {
        "noisy": models.memories(network.model, x0.to(network.device)),
        "clean": network.memories[rows].to(network.device),
    }
    z0 = torch.cat([*starts.values()])
    settled = settling.settle(
        network.model, z0, experiment.settling_steps, times(experiment.settling_steps)
    )
    some = first_of_each(len(z0))
    exact = settling.settle(
        fixed_points.in_float64(network.model),
        z0[some.to(z0.device)].double(),
        experiment.settling_steps,
    )
    number, points = distinct_ends(network.model, settled, network.device)
    rows = rows.repeat(2)
    ends = pd.DataFrame(
        {
            "label": network.train.labels[rows].numpy(),
            "start": [start for start, z in starts.items() for _ in z],
            "outcome": _outcomes(network, settled, number),
            "steps": settled.steps.numpy(),
            "fixed_point": pd.array(number.tolist(), dtype="Int64"),
        }
    )
    ends.loc[ends.fixed_point < 0, "fixed_point"] = pd.NA
    ends = ends.assign(**_distances(network, settled.z, rows, experiment.trial_seed))
    shares = pd.DataFrame({"t": times(experiment.settling_steps), "moving": settled.moving.numpy()})
    same = int(alike(settled, exact, some).sum())
    return Census(
        shares,
        ends,
        _fixed_points(network, ends, points),
        points,
        {"trajectories": len(some), "alike": same},
    )


def first_of_each(trajectories: int) -> torch.Tensor:
    """The numbers of the first :data:`IN_FLOAT64` noisy and clean trajectories of each label."""
    return torch.arange(trajectories).unflatten(0, (2, 10, -1))[:, :, :IN_FLOAT64].flatten()


def alike(settled: settling.Settled, exact: settling.Settled, some: torch.Tensor) -> torch.Tensor:
    """Whether trajectories end alike in float32 and in float64, bool ``[len(some)]``.

    They do if they come to rest within :data:`ONE_END` of each other, or if neither comes to rest.

    Args:
        settled: how all trajectories ended in float32.
        exact: how some ended in float64.
        some: the numbers of these.
    """
    rests, exactly = settled.period[some] == 1, exact.period == 1
    near = geometry.distance(settled.z[some].double(), exact.z) < ONE_END
    return (rests & exactly & near) | ~(rests | exactly)


def times(steps: int) -> list[int]:
    """The steps of :data:`TIMES` before the last one, and the last one."""
    return sorted({t for t in TIMES if t < steps} | {steps})


def distinct_ends(
    model: models.Autoencoder, settled: settling.Settled, device: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """The fixed points at which trajectories come to rest, refined in float64.

    Args:
        model: encoder and decoder means.
        settled: how the trajectories ended.
        device: device of the model.

    Returns:
        the number of each trajectory's fixed point, ``[n]``, where 0 has the largest basin and -1
        marks a trajectory that does not rest or whose end Newton's method does not refine; the
        fixed points, float64 ``[points, N_z]``.
    """
    number = torch.full((len(settled.z),), -1)
    resting = (settled.period == 1).nonzero()[:, 0]
    if not len(resting):
        return number, settled.z.double()[:0]
    ends = fixed_points.distinct(settled.z[resting], ONE_END)
    first = torch.stack([(ends == end).nonzero()[0, 0] for end in range(int(ends.max()) + 1)])
    representatives = settled.z[resting[first]]
    refined = fixed_points.refine(model, representatives.to(device))
    sound = refined.converged & ((refined.z - representatives).norm(dim=1) < NEAR_END)
    of_end = torch.full((len(first),), -1)
    of_end[sound] = fixed_points.distinct(refined.z[sound])
    number[resting] = of_end[ends]
    basins = torch.bincount(number[number >= 0])
    order = basins.argsort(descending=True, stable=True)
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order))
    number[number >= 0] = place[number[number >= 0]]
    firsts = [int((of_end == one).nonzero()[0, 0]) for one in order.tolist()]
    return number, refined.z[firsts]


def _outcomes(network: Trained, settled: settling.Settled, number: torch.Tensor) -> list[str]:
    """The outcome of each trajectory, as in the table ``ends``."""
    outcome = ["fixed point" if one >= 0 else "unrefined" for one in number.tolist()]
    going = (settled.period != 1).nonzero()[:, 0]
    if len(going):
        z = settled.z[going].to(network.device)
        orbits = settling.orbits(network.model, z, ORBIT_STEPS)
        closed = (orbits.size > settling.MOVING) & (orbits.back < CLOSED * orbits.size)
        for trial, period, returns in zip(
            going.tolist(), settled.period[going].tolist(), closed.tolist(), strict=True
        ):
            outcome[trial] = "cycle" if period else "closed curve" if returns else "still moving"
    return outcome


def _distances(
    network: Trained, z: torch.Tensor, rows: torch.Tensor, seed: int
) -> dict[str, list[float]]:
    """Distances from the end points ``[n, N_z]`` of the images ``rows``, and nearest labels."""
    labels = network.train.labels
    drawing = generator(seed, Stream.END_POINTS)
    same = torch.stack([_another(labels, int(row), drawing) for row in rows])
    wrong = (labels[rows] + torch.randint(1, 10, (len(rows),), generator=drawing)) % 10
    to_concepts = torch.cdist(z, network.concepts)
    distances, nearest = nearest_memories(z, network.memories, 1)
    between, _ = nearest_memories(network.memories[rows], network.memories, 2)
    found = {
        "own_memory": geometry.distance(z, network.memories[rows]),
        "nearest_memory": distances[:, 0],
        "random_memory": geometry.distance(z, network.memories[same]),
        "own_concept": to_concepts.gather(1, labels[rows, None])[:, 0],
        "nearest_concept": to_concepts.min(1).values,
        "random_concept": to_concepts.gather(1, wrong[:, None])[:, 0],
        "concept_label": to_concepts.argmin(1),
        "memory_label": labels[nearest[:, 0]],
        "memory_to_next": between[:, 1],
    }
    return {name: values.tolist() for name, values in found.items()}


def _another(labels: torch.Tensor, row: int, generator: torch.Generator) -> torch.Tensor:
    """The row of a random other image of the same label."""
    of_label = (labels == labels[row]).nonzero()[:, 0]
    of_label = of_label[of_label != row]
    return of_label[torch.randint(len(of_label), (), generator=generator)]


def nearest_memories(
    z: torch.Tensor, memories: torch.Tensor, k: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Distances to and rows of the ``k`` nearest memories, nearest first: ``[n, k]`` each."""
    parts = [torch.cdist(part, memories).topk(k, largest=False) for part in z.split(256)]
    return torch.cat([part.values for part in parts]), torch.cat([part.indices for part in parts])


def _fixed_points(network: Trained, ends: pd.DataFrame, points: torch.Tensor) -> pd.DataFrame:
    to_concepts = torch.cdist(points, network.concepts.double())
    memory, _ = nearest_memories(points.float(), network.memories, 1)
    at_rest = ends[ends.fixed_point.notna()]
    basin = at_rest.groupby("fixed_point").size()
    label = to_concepts.argmin(1)
    own = at_rest.label == label.numpy()[at_rest.fixed_point.astype(int)]
    return pd.DataFrame(
        {
            "fixed_point": range(len(points)),
            "label": [network.class_names[k] for k in label.tolist()],
            "trajectories": basin.to_numpy(dtype=int),
            "share": basin.to_numpy(dtype=float) / max(1, len(ends)),
            "own_label": own.groupby(at_rest.fixed_point).mean().to_numpy(dtype=float),
            "concept": [float(row.min()) for row in to_concepts],
            "memory": memory[:, 0].numpy(),
        }
    )


def outcomes(ends: pd.DataFrame) -> pd.DataFrame:
    """The study's table ``outcomes``, from its table ``ends``."""
    counts = ends.outcome.value_counts()
    return pd.DataFrame(
        {
            "outcome": counts.index,
            "trajectories": counts.to_numpy(),
            "share": counts.to_numpy() / len(ends),
        }
    )


def memories_and_concepts(ends: pd.DataFrame) -> dict[str, Any]:
    """Median distances, and how often an image's own memory or concept is the nearest.

    Args:
        ends: the study's table of this name.
    """
    # Different formulas compute the two distances in float32.
    own_is_nearest = ends.own_memory <= ends.nearest_memory + ONE_END
    own_concept = ends.concept_label == ends.label
    distances = [
        "own_memory", "nearest_memory", "random_memory", "memory_to_next", "own_concept",
        "nearest_concept", "random_concept",
    ]  # fmt: skip
    return {
        "median_distances": ends[distances].median().to_dict(),
        "share_own_memory_nearest": float(own_is_nearest.mean()),
        "share_own_concept_nearest": own_concept.groupby(ends.start).mean().to_dict(),
        "share_label_of_nearest_memory": float((ends.memory_label == ends.label).mean()),
    }
