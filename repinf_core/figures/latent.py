"""Figures of the latent space in one plane: Fig. 6, and preprint Fig. A.1."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from repinf_core.figures.style import (
    ABSTRACT,
    CONCEPT,
    CONTROL,
    LABELS,
    MEMORY,
    WIDTH,
    Figure,
    same_scale,
    styled,
)


@styled
def schematic(plane: pd.DataFrame) -> Figure:
    """Fig. 6 as measured: trajectories in a plane that two directions of the latent space span.

    Args:
        plane: table of :class:`repinf_core.studies.noise_and_hierarchy.NoiseAndHierarchy`; without
            rows, the figure says that there is no plane.
    """
    figure = Figure(figsize=(WIDTH, 6.2 if len(plane) else 1.6))
    axes = figure.subplots()
    if plane.empty:
        axes.text(0.5, 0.5, "No plane: no noise, or one latent variable.", ha="center", va="center")
        axes.axis("off")
        return figure
    groups = dict(tuple(plane.groupby("what")))
    paths, own = groups["trajectory"], groups["own memory"]
    start, end = paths[paths.t == 0], paths[paths.t == paths.t.max()]
    sns.scatterplot(
        groups["memory of the label"], x="right", y="up", ax=axes, s=5, color=MEMORY, alpha=0.25,
        linewidth=0, label="memories", legend=False,
    )  # fmt: skip
    for lines, style, colour, name in (
        (pd.concat([own, start]), ":", "black", "displaced by noise"),
        (paths, "-", CONTROL, "z(t)"),
    ):
        first = len(axes.lines)
        sns.lineplot(
            lines, x="right", y="up", units="trial", estimator=None, sort=False, ax=axes,
            color=colour, linestyle=style, linewidth=1.5, legend=False,
        )  # fmt: skip
        axes.lines[first].set_label(name)  # each trial has a line; the first names all
    for _, path in paths.groupby("trial"):
        _arrowheads(axes, path[["right", "up"]].to_numpy())
    for place, marker, colour, size, name in (
        (own, "s", MEMORY, 7, "own memory"),
        (start, "o", "white", 7, "t = 0"),
        (end, "s", "black", 6, "t = T"),
        (groups["concept"], "*", CONCEPT, 17, "concept"),
        (groups["abstract concept"], "^", ABSTRACT, 10, "abstract concept"),
    ):
        axes.plot(
            place.right, place.up, marker, color=colour, markeredgecolor="black", markersize=size,
            label=name, linestyle="none", zorder=4,
        )  # fmt: skip
    same_scale(axes, plane[["right", "up"]].to_numpy(), 0.8)
    axes.set(xlabel="within the label's memories", ylabel="along the displacement by noise")
    legend = figure.legend(loc="outside upper center", ncols=3, fontsize=12)
    legend.legend_handles[0].set(alpha=1, sizes=[30])
    return figure


def _arrowheads(axes: Axes, path: np.ndarray) -> None:
    """Draw two arrowheads on a path ``[T+1, 2]``, at one third and two thirds of its length."""
    length = np.linalg.norm(np.diff(path, axis=0), axis=1).cumsum()
    if length[-1] == 0:  # the trajectory does not move
        return
    for step in np.searchsorted(length, length[-1] * np.array([1, 2]) / 3):
        axes.annotate(
            "", path[step + 1], path[step],
            arrowprops={
                "arrowstyle": "-|>", "color": "black", "linewidth": 0, "mutation_scale": 17,
                "shrinkA": 0, "shrinkB": 0,
            },
        )  # fmt: skip


@styled
def embedding(points: pd.DataFrame, means: pd.DataFrame, planes: pd.DataFrame) -> Figure:
    """Preprint Fig. A.1: memories in the plane of their two leading principal components.

    Args:
        points: table of :class:`repinf_core.studies.latent_dimension.LatentDimension`.
        means: likewise; a line connects the name of each label to its mean.
        planes: likewise; the title gives the share of the variance.
    """
    if points.empty:
        return _no_plane()
    colours = dict(zip(means.label.unique(), LABELS, strict=True))
    shares = planes.set_index("space").share_of_variance
    figure = Figure(figsize=(WIDTH, 5.4 * points.space.nunique()))
    grid = figure.subplots(points.space.nunique(), 1, squeeze=False)[:, 0]
    panels = zip(
        points.groupby("space", sort=False), means.groupby("space", sort=False), strict=True
    )
    for letter, axes, ((space, cloud), (_, of_labels)) in zip("ab", grid, panels, strict=False):
        sns.scatterplot(
            cloud, x="first", y="second", hue="label", palette=colours, s=9, alpha=0.6,
            linewidth=0, legend=False, rasterized=True, ax=axes,
        )  # fmt: skip
        places = _name_means(axes, cloud, of_labels, colours)
        drawn = cloud[["first", "second"]].to_numpy()
        same_scale(axes, np.concatenate([drawn, places]), 0.8)
        axes.set_title(f"({letter}) {space}: {shares[space]:.0%} of the variance", loc="left")
        axes.set(xlabel="first principal component", ylabel="second principal component")
    return figure


def _no_plane() -> Figure:
    figure = Figure(figsize=(WIDTH, 0.6))
    figure.text(0.5, 0.5, "One latent variable: there is no plane.", ha="center", va="center")
    return figure


def _name_means(
    axes: Axes, cloud: pd.DataFrame, means: pd.DataFrame, colours: Mapping[str, str]
) -> np.ndarray:
    """Draw a dot and a name for each mean; returns the places of the names, ``[labels, 2]``."""
    centres = means[["first", "second"]].to_numpy()
    room = np.array([0.05 + 0.022 * means.label.str.len().max(), 0.09])
    places = _beside(centres, room * np.ptp(cloud[["first", "second"]], axis=0).max())
    for name, centre, place in zip(means.label, centres, places, strict=True):
        axes.plot(*np.stack([centre, place]).T, "-", color="black", linewidth=1)
        axes.plot(
            *centre, "o", color=colours[name], markeredgecolor="black", markersize=8, zorder=4
        )  # fmt: skip
        axes.text(
            *place, name, ha="center", va="center", fontsize=14, fontweight="bold",
            bbox={"facecolor": "white", "edgecolor": colours[name], "linewidth": 2, "pad": 2.5},
        )  # fmt: skip
    return places


def _beside(points: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Places ``[n, 2]`` for names, near their points ``[n, 2]`` without touching names or points.

    Each name keeps an ellipse of size ``room`` ``[2]`` free.  Names start outwards from their
    points.
    """
    points = points / room
    outwards = points - points.mean(0) + (0, 1e-6)  # a single point: upwards
    places = points + 0.6 * outwards / np.linalg.norm(outwards, axis=1, keepdims=True)
    for _ in range(200):
        places = places + _push(places, places, 1) + _push(places, points, 0.9)
    return places * room


def _push(places: np.ndarray, others: np.ndarray, apart: float) -> np.ndarray:
    """Half of the distance by which ``[n, 2]`` are closer than ``apart`` to ``[m, 2]``, summed."""
    gaps = places[:, None] - others
    distances = np.maximum(np.linalg.norm(gaps, axis=-1), 1e-9)  # no gap to itself, so no push
    lacking = np.maximum(apart - distances, 0)
    return 0.5 * (gaps * (lacking / distances)[..., None]).sum(1)
