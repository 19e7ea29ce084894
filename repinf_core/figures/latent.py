"""Figures of the latent space: trajectories of many trials in a plane."""

from collections.abc import Iterator, Sequence

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
def schematic(plane: pd.DataFrame) -> Figure:
    """Fig. 6, measured: trajectories in a plane spanned by two directions of the latent space.

    Args:
        plane: of :class:`repinf_core.studies.noise_and_hierarchy.NoiseAndHierarchy`; without
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
        axes.lines[first].set_label(name)  # of one line for each trial
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
    _same_scale(axes, plane[["right", "up"]].to_numpy(), 0.8)
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
def embedding(
    panels: Sequence[tuple[str, np.ndarray, np.ndarray]], names: Sequence[str], at_most: int
) -> Figure:
    """Preprint Fig. A.1: memories in the plane of their two leading principal components.

    Args:
        panels: ``(title, points [n, 2], labels [n])`` each.
        names: of all labels; each stands beside the mean of its points, tied to it by a line.
        at_most: points drawn in a panel, evenly spaced in the order given.
    """
    figure = Figure(figsize=(WIDTH, 5.4 * len(panels)))
    grid = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    for axes, (title, points, labels) in zip(grid, panels, strict=True):
        points, labels = np.asarray(points), np.asarray(labels)
        drawn = slice(None, None, -(-len(points) // at_most))
        colours = np.asarray(LABELS)[labels[drawn]]
        axes.scatter(*points[drawn].T, s=9, c=colours, alpha=0.6, linewidths=0, rasterized=True)
        present = np.unique(labels)
        means = np.array([points[labels == k].mean(0) for k in present])
        room = np.array([0.05 + 0.022 * max(len(names[k]) for k in present), 0.09])
        places = _beside(means, room * np.ptp(points, axis=0).max())
        for k, mean, place in zip(present, means, places, strict=True):
            axes.plot(*np.stack([mean, place]).T, "-", color="black", linewidth=1)
            axes.plot(
                *mean, "o", color=LABELS[k], markeredgecolor="black", markersize=8, zorder=4
            )  # fmt: skip
            axes.text(
                *place, names[k], ha="center", va="center", fontsize=14, fontweight="bold",
                bbox={"facecolor": "white", "edgecolor": LABELS[k], "linewidth": 2, "pad": 2.5},
            )  # fmt: skip
        _same_scale(axes, np.concatenate([points[drawn], places]), 0.8)
        axes.set_title(title, loc="left")
        axes.set(xlabel="first principal component", ylabel="second principal component")
    return figure


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
