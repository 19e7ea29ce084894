"""Figures of the latent space: trajectories of many trials in a plane."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg

from repinf_core.figures.style import (
    ABSTRACT,
    CONCEPT,
    CONTROL,
    LABELS,
    MEMORY,
    WIDTH,
    Figure,
    leave_empty,
    styled,
)

# windowed_pca turns the two components within their plane, so that neither axis is one of them.
_AXES = ("axis 1 of the plane of the two leading components", "axis 2 of the plane")
_EDGE = {"edgecolors": "#222222", "linewidths": 0.5}  # the palest label is seen by its edge
_STAR = {"color": "black", "markeredgecolor": "white", "markeredgewidth": 1.2, "markersize": 21}


def _same_scale(axes: Axes, points: np.ndarray, height: float) -> None:
    """A box ``height`` times as high as wide, one scale for x and y, that holds ``[..., 2]``."""
    low, high = points.reshape(-1, 2).min(0), points.reshape(-1, 2).max(0)
    span = 1.12 * ((high - low) / (1, height)).max() + 1e-6
    half = span * np.array([1, height]) / 2
    xlim, ylim = zip((low + high) / 2 - half, (low + high) / 2 + half, strict=True)
    axes.set(xlim=xlim, ylim=ylim, aspect="equal")


@styled
def collective(
    points: np.ndarray, concept: np.ndarray, times: Sequence[int], label: int, name: str
) -> Figure:
    """Fig. 2: where all trials are at several times, in the plane of the time-windowed PCA.

    Args:
        points: ``[T+1, trials, 2]``.
        concept: the concept of the label in the same planes, ``[T+1, 2]``.
        times: t of each panel.
        label: 0 to 9, gives the colour.
        name: of the label.
    """
    points, concept, shown = np.asarray(points), np.asarray(concept), list(times)
    rows = -(-len(shown) // 2)
    figure = Figure(figsize=(WIDTH, 2.8 * rows + 0.9))
    grid = figure.subplots(rows, 2, sharex=True, sharey=True, squeeze=False)
    for axes, t in zip(grid.flat, shown, strict=False):
        axes.scatter(*points[t].T, s=14, color=LABELS[label], label=f"'{name}', trials", **_EDGE)
        axes.plot(*concept[t], "*", label="concept", **_STAR)
        axes.set_title(f"t = {t}", loc="left")
        _same_scale(axes, np.concatenate([points[shown], concept[shown, None]], axis=1), 0.85)
    leave_empty(grid, len(shown))
    figure.supxlabel(_AXES[0], fontsize=13)
    figure.supylabel(_AXES[1], fontsize=13)
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, fontsize=12)
    return figure


@styled
def collective_frames(
    points: np.ndarray, concept: np.ndarray, label: int, name: str
) -> Iterator[np.ndarray]:
    """Movies S1-S10: the same, a frame per step, ``[height, width, 3]`` uint8.

    Args:
        points: ``[T+1, trials, 2]``.
        concept: ``[T+1, 2]``.
        label: 0 to 9, gives the colour.
        name: of the label.
    """
    figure = Figure(figsize=(WIDTH, 5.0), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    cloud = axes.scatter(*points[0].T, s=16, color=LABELS[label], **_EDGE)
    (star,) = axes.plot([], [], "*", **_STAR)
    axes.set(xlabel=_AXES[0], ylabel=_AXES[1])
    _same_scale(axes, np.concatenate([points, concept[:, None]], axis=1), 0.75)
    counter = axes.set_title("", loc="left")
    for t, here in enumerate(points):
        cloud.set_offsets(here)
        star.set_data(concept[t, :1], concept[t, 1:])
        counter.set_text(f"'{name}', t = {t}; star: the concept")
        canvas.draw()
        yield np.array(canvas.buffer_rgba())[..., :3]


@styled
def schematic(
    memories: np.ndarray,
    own_memories: np.ndarray,
    trajectories: np.ndarray,
    concept: np.ndarray,
    abstract: np.ndarray,
) -> Figure:
    """Fig. 6, measured: trajectories in a plane spanned by two directions of the latent space.

    Args:
        memories: memories of the label in the plane, ``[N, 2]``.
        own_memories: that of each trial, ``[trials, 2]``.
        trajectories: ``[T+1, trials, 2]``; more than six trials are hard to follow.
        concept: ``[2]``.
        abstract: ``[2]``.
    """
    points = (memories, own_memories, trajectories, concept, abstract)
    memories, own_memories, paths, concept, abstract = map(np.asarray, points)
    figure = Figure(figsize=(WIDTH, 6.2))
    axes = figure.subplots()
    axes.scatter(*memories.T, s=5, color=MEMORY, alpha=0.25, linewidths=0, label="memories")
    displaced = np.stack([own_memories, paths[0]])
    for lines, style, colour, name in (
        (displaced, ":", "black", "displaced by noise"),
        (paths, "-", CONTROL, "z(t)"),
    ):
        first, *_ = axes.plot(*np.moveaxis(lines, 2, 0), style, color=colour, linewidth=1.5)
        first.set_label(name)
    for path in paths.swapaxes(0, 1):
        _arrowheads(axes, path)
    for place, marker, colour, size, name in (
        (own_memories, "s", MEMORY, 7, "own memory"),
        (paths[0], "o", "white", 7, "t = 0"),
        (paths[-1], "s", "black", 6, "t = T"),
        (concept, "*", CONCEPT, 17, "concept"),
        (abstract, "^", ABSTRACT, 10, "abstract concept"),
    ):
        axes.plot(
            *place.T, marker, color=colour, markeredgecolor="black", markersize=size, label=name,
            linestyle="none", zorder=4,
        )  # fmt: skip
    shown = [part.reshape(-1, 2) for part in (memories, own_memories, paths, concept, abstract)]
    _same_scale(axes, np.concatenate(shown), 0.8)
    axes.set(xlabel="within the label's memories", ylabel="along the displacement by noise")
    legend = figure.legend(loc="outside upper center", ncols=3, fontsize=12)
    legend.legend_handles[0].set(alpha=1, sizes=[30])
    return figure


def _arrowheads(axes: Axes, path: np.ndarray) -> None:
    """Two on a path ``[T+1, 2]``, at a third and at two thirds of its length."""
    length = np.linalg.norm(np.diff(path, axis=0), axis=1).cumsum()
    if length[-1] == 0:  # it stays where it is
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
        points: of :class:`repinf_core.studies.latent_dimension.LatentDimension`.
        means: likewise; the name of each label stands beside its mean, tied to it by a line.
        planes: likewise; the share of the variance stands in the title.
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
        _same_scale(axes, np.concatenate([drawn, places]), 0.8)
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
    """A dot for each mean, and its label beside it; the places of the names ``[labels, 2]``."""
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
    """Places ``[n, 2]`` for names, near their points ``[n, 2]`` but off every name and point.

    Each has an ellipse of ``room`` ``[2]`` to itself; they start outwards of their points.
    """
    points = points / room
    outwards = points - points.mean(0) + (0, 1e-6)  # of a single point: upwards
    places = points + 0.6 * outwards / np.linalg.norm(outwards, axis=1, keepdims=True)
    for _ in range(200):
        places = places + _push(places, places, 1) + _push(places, points, 0.9)
    return places * room


def _push(places: np.ndarray, others: np.ndarray, apart: float) -> np.ndarray:
    """Half of what each of ``[n, 2]`` lacks to be ``apart`` from ``[m, 2]``, summed: ``[n, 2]``."""
    gaps = places[:, None] - others
    distances = np.maximum(np.linalg.norm(gaps, axis=-1), 1e-9)  # from itself: no gap, no push
    lacking = np.maximum(apart - distances, 0)
    return 0.5 * (gaps * (lacking / distances)[..., None]).sum(1)
