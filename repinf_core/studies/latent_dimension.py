"""How many latent variables does a network use, and how do its concepts lie?  Fig. 7.

:mod:`repinf_core.studies.dimension_grid` measures the networks with other N_z.
"""

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch

from repinf_core import data, geometry
from repinf_core.profiles import Experiment
from repinf_core.studies import dimension_grid
from repinf_core.studies.dimension_grid import DimensionGrid, cosine_table
from repinf_core.studies.study import Study, Trained, network_in_words, trained

_DRAWN = 3000
"""Number of memories of a plane that its figure shows; the plane uses the whole training set."""


@dataclass(frozen=True)
class LatentDimension(Study):
    """The tables of Fig. 7 and preprint Fig. A.1, and the grid of N_z of Fig. 8.

    Attributes:
        latents: a row for each latent variable: its ``latent`` index, the ``variance`` of the
            memories along it, whether it is ``active``.
        concepts: a row for each ``label`` and ``latent``: the ``concept``, the mean of mu.
        components: a row for each principal ``component`` of the memories, from 1 on, largest
            first: its share of the variance (``ratio``), and the sum of the shares up to it
            (``cumulative``).
        network: a row for each ``quantity`` of the network as a whole, with its ``value`` (missing
            for random directions if no latent is active).
        cosines: a row for each ``label`` and ``other`` label: the ``cosine`` of their concepts.
        planes: a row for the whole latent space and for each principal plane (``space``): the
            number of ``labels`` in it, its ``share_of_variance``, and ``nearest_own``, the share
            of memories that are nearest to the mean of their own label.
        points: a row for each memory drawn in a plane (``space``): its ``label``, and its place
            along the ``first`` and ``second`` principal component; no rows if N_z = 1.
        means: a row for each plane and label, likewise: the mean of all memories of the label.
        grid: the study of networks with other N_z.
    """

    latents: pd.DataFrame
    concepts: pd.DataFrame
    components: pd.DataFrame
    network: pd.DataFrame
    cosines: pd.DataFrame
    planes: pd.DataFrame
    points: pd.DataFrame
    means: pd.DataFrame
    grid: DimensionGrid

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables of the study and of its grid, by name."""
        return super().tables | self.grid.tables


def run(experiment: Experiment, device: str | None = None) -> LatentDimension:
    """Measure the experiment's own network, then one for each N_z of the grid.

    Args:
        experiment: uses the parameters of the network, and the attributes that
            :func:`repinf_core.studies.dimension_grid.run` uses.
        device: as in :func:`repinf_core.studies.study.trained`.

    Raises:
        DataError, StoreError, CheckpointError, TrainingDiverged, BelowFloor, SweepError: as
            :func:`repinf_core.studies.study.trained` and
            :func:`repinf_core.studies.dimension_grid.run`.
    """
    network = trained(experiment, device)
    latents = _latents(network.memories)
    components = _components(network.memories)
    cosines = geometry.cosine_matrix(network.concepts)
    planes, points, means = _planes(network)
    own = {
        "epochs_trained": network.run.epoch,
        **_dimension(network.memories, latents, components),
        **_orthogonality(network.concepts, cosines),
    }
    grid = dimension_grid.run(experiment, network.device)
    return LatentDimension(
        experiment=experiment,
        device=network.device,
        numbers=own | _of_planes(components, planes) | grid.numbers,
        finding=_finding(experiment, own, grid),
        latents=latents,
        concepts=_concepts(network),
        components=components,
        network=_network(own),
        cosines=cosine_table(cosines, network.class_names),
        planes=planes,
        points=points,
        means=means,
        grid=grid,
    )


def _latents(memories: torch.Tensor) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "latent": range(memories.shape[1]),
            "variance": memories.var(0, correction=0),
            "active": geometry.active_latents(memories),
        }
    )


def _concepts(network: Trained) -> pd.DataFrame:
    n_z = network.concepts.shape[1]
    return pd.DataFrame(
        {
            "label": [name for name in network.class_names for _ in range(n_z)],
            "latent": [*range(n_z)] * len(network.class_names),
            "concept": network.concepts.flatten(),
        }
    )


def _components(memories: torch.Tensor) -> pd.DataFrame:
    ratios = geometry.contribution_ratios(memories)
    return pd.DataFrame(
        {"component": range(1, len(ratios) + 1), "ratio": ratios, "cumulative": ratios.cumsum(0)}
    )


def _dimension(
    memories: torch.Tensor, latents: pd.DataFrame, components: pd.DataFrame
) -> dict[str, Any]:
    active = int(latents.active.sum())
    return {
        "active_latents": active,
        "components_for_70_percent": geometry.components(memories, 0.7),
        "components_for_99_percent": geometry.components(memories, 0.99),
        "components_for_99.9_percent": geometry.components(memories, 0.999),
        "share_of_as_many_components_as_active_latents": (
            float(components.cumulative[active - 1]) if active else 0.0
        ),
    }


def _orthogonality(concepts: torch.Tensor, cosines: torch.Tensor) -> dict[str, Any]:
    departure = geometry.orthogonality_error(concepts)
    mean = geometry.mean_over_pairs(cosines.abs())
    return {
        "mean_absolute_cosine": mean,
        "mean_cosine": geometry.mean_over_pairs(cosines),
        "largest_absolute_cosine": float(cosines.abs().triu(1).max()),
        "orthogonality_sum_of_squares": departure.sum_of_squares,
        "orthogonality_root": departure.root,
        "off_centre": float(concepts.mean(0).norm() / concepts.norm(dim=1).mean()),
    }


def _network(own: dict[str, Any]) -> pd.DataFrame:
    active = own["active_latents"]
    at_random = geometry.random_cosine(active) if active else math.nan
    values = {
        "epochs": own["epochs_trained"],
        "active latents": active,
        "components for 70% of the variance": own["components_for_70_percent"],
        "components for 99%": own["components_for_99_percent"],
        "components for 99.9%": own["components_for_99.9_percent"],
        "share of the variance in as many components as active latents": own[
            "share_of_as_many_components_as_active_latents"
        ],
        "mean |C_ij| of different labels": own["mean_absolute_cosine"],
        "mean |C_ij| of random directions in the active latents": at_random,
        "least mean |C_ij| of ten concepts of one length around the origin": (
            geometry.least_cosine(10)
        ),
        "largest |C_ij|": own["largest_absolute_cosine"],
        "mean C_ij": own["mean_cosine"],
        "‖C − I‖²": own["orthogonality_sum_of_squares"],
        "‖C − I‖": own["orthogonality_root"],
        "length of the concepts' mean / mean length of the concepts": own["off_centre"],
    }
    return pd.DataFrame({"quantity": values.keys(), "value": [*map(float, values.values())]})


def _planes(network: Trained) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The memories in all latents, and in the principal planes of all labels and of three."""
    memories, labels = network.memories.double(), network.train.labels
    planes: list[tuple] = [("all latent variables", 10, 1.0, _nearest_own(memories, labels))]
    points, means = [], []
    for n_labels in (10, 3) if memories.shape[1] > 1 else ():
        chosen = labels < n_labels
        cloud, own = memories[chosen], labels[chosen]
        projected = (cloud - cloud.mean(0)) @ geometry.principal_axes(cloud)[1][:, :2]
        share = float(geometry.contribution_ratios(cloud)[:2].sum())
        space = f"plane of {n_labels} labels"
        planes.append((space, n_labels, share, _nearest_own(projected, own)))
        apart = -(-len(projected) // _DRAWN)  # evenly spaced in the training set
        drawn, of_labels = projected[::apart], geometry.concepts(projected, own)
        points += _in_plane(space, drawn, own[::apart], network.class_names)
        means += _in_plane(space, of_labels, torch.arange(n_labels), network.class_names)
    place = ["space", "label", "first", "second"]
    return (
        pd.DataFrame(planes, columns=["space", "labels", "share_of_variance", "nearest_own"]),
        pd.DataFrame(points, columns=place),
        pd.DataFrame(means, columns=place),
    )


def _nearest_own(points: torch.Tensor, labels: torch.Tensor) -> float:
    """Share of the points ``[N, d]`` that are nearest to the mean of their own label."""
    means = geometry.concepts(points, labels)
    return float((torch.cdist(points, means).argmin(1) == labels).double().mean())


def _in_plane(
    space: str, points: torch.Tensor, labels: torch.Tensor, names: tuple[str, ...]
) -> list[tuple[str, str, float, float]]:
    pairs = zip(points.tolist(), labels.tolist(), strict=True)
    return [(space, names[label], first, second) for (first, second), label in pairs]


def _of_planes(components: pd.DataFrame, planes: pd.DataFrame) -> dict[str, Any]:
    everywhere, *in_plane = planes.nearest_own.tolist()
    return {
        "contribution_ratios": components.ratio.tolist(),
        "share_of_memories_nearest_own_concept": everywhere,
        "share_nearest_own_mean_in_the_planes": in_plane,
    }


def _finding(experiment: Experiment, own: dict[str, Any], grid: DimensionGrid) -> str:
    title, active = data.DATASETS[experiment.dataset].title, own["active_latents"]
    variables = "variable is" if active == 1 else "variables are"
    return (
        f"On {title} with {network_in_words(experiment)}, {active} latent {variables} active. "
        f"{grid.finding}"
    )
