"""Figures of the latent space: trajectories of many trials in a plane."""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from repinf_core.figures.style import ABSTRACT, CONCEPT, CONTROL, LABELS, MEMORY, WIDTH


def _limits(points: np.ndarray) -> tuple[tuple[float, float], tuple[float, float]]:
    """x and y limits that hold points ``[..., 2]`` with a margin."""
    low, high = points.reshape(-1, 2).min(0), points.reshape(-1, 2).max(0)
    margin = 0.06 * (high - low) + 1e-6
    return tuple(zip(low - margin, high + margin, strict=True))


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
    rows = -(-len(times) // 2)
    figure = Figure(figsize=(WIDTH, 2.9 * rows + 0.6))
    grid = figure.subplots(rows, 2, squeeze=False)
    for axes, t in zip(grid.flat, times, strict=False):
        axes.scatter(*points[t].T, s=12, color=LABELS[label], alpha=0.7, label=f"'{name}', trials")
        axes.plot(*concept[t], "*", color="black", markersize=14, label="concept")
        axes.set_title(f"t = {t}", loc="left")
        axes.set(xticks=[], yticks=[])
    for axes in grid.flat[len(times) :]:
        axes.axis("off")
    figure.supxlabel("first principal component", fontsize=13)
    figure.supylabel("second principal component", fontsize=13)
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, fontsize=12)
    return figure


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
    cloud = axes.scatter(*points[0].T, s=14, color=LABELS[label], alpha=0.7)
    (star,) = axes.plot([], [], "*", color="black", markersize=16)
    xlim, ylim = _limits(np.concatenate([points, concept[:, None]], axis=1))
    axes.set(xlabel="first principal component", ylabel="second principal component")
    axes.set(xlim=xlim, ylim=ylim)
    counter = axes.set_title("", loc="left")
    for t, here in enumerate(points):
        cloud.set_offsets(here)
        star.set_data(concept[t, :1], concept[t, 1:])
        counter.set_text(f"'{name}', t = {t}; star: the concept")
        canvas.draw()
        yield np.array(canvas.buffer_rgba())[..., :3]


def schematic(
    memories: np.ndarray, trajectories: np.ndarray, concept: np.ndarray, abstract: np.ndarray
) -> Figure:
    """Fig. 6, measured: trajectories in a plane spanned by two directions of the latent space.

    Args:
        memories: memories of the label in the plane, ``[N, 2]``.
        trajectories: ``[T+1, trials, 2]``.
        concept: ``[2]``.
        abstract: ``[2]``.
    """
    figure = Figure(figsize=(WIDTH, 5.4))
    axes = figure.subplots()
    axes.scatter(*memories.T, s=5, color=MEMORY, alpha=0.25, linewidths=0, label="memories")
    for i, path in enumerate(np.asarray(trajectories).swapaxes(0, 1)):
        first = i == 0
        axes.plot(*path.T, color=CONTROL, linewidth=1, alpha=0.8, label="z(t)" if first else None)
        axes.plot(
            *path[0], "o", color="white", markeredgecolor="black", markersize=6,
            label="t = 0" if first else None,
        )  # fmt: skip
        axes.plot(*path[-1], "ks", markersize=5, label="t = T" if first else None)
    for point, marker, colour, name in (
        (concept, "*", CONCEPT, "concept"),
        (abstract, "^", ABSTRACT, "abstract concept"),
    ):
        axes.plot(
            *point, marker, color=colour, markeredgecolor="black", markersize=17, label=name,
            linestyle="none", zorder=5,
        )  # fmt: skip
    axes.set(xlabel="within the label's memories", ylabel="along the displacement by noise")
    legend = figure.legend(loc="outside upper center", ncols=3, fontsize=12)
    cloud = legend.legend_handles[0]
    cloud.set(alpha=1, sizes=[30])
    return figure


def embedding(
    panels: Sequence[tuple[str, np.ndarray, np.ndarray]], names: Sequence[str], at_most: int
) -> Figure:
    """Preprint Fig. A.1: memories in the plane of their two leading principal components.

    Args:
        panels: ``(title, points [n, 2], labels [n])`` each.
        names: of all labels; each stands at the mean of its points, or beside it in a crowd.
        at_most: points drawn in a panel, evenly spaced in the order given.
    """
    figure = Figure(figsize=(WIDTH, 4.7 * len(panels)))
    grid = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    for axes, (title, points, labels) in zip(grid, panels, strict=True):
        points, labels = np.asarray(points), np.asarray(labels)
        drawn = slice(None, None, -(-len(points) // at_most))
        colours = np.asarray(LABELS)[labels[drawn]]
        axes.scatter(*points[drawn].T, s=9, c=colours, alpha=0.6, linewidths=0, rasterized=True)
        present = np.unique(labels)
        means = np.array([points[labels == k].mean(0) for k in present])
        room = np.array([0.04 + 0.022 * max(len(names[k]) for k in present), 0.09])
        places = _apart(means, room * np.ptp(points, axis=0))
        for k, mean, place in zip(present, means, places, strict=True):
            axes.plot(*np.stack([mean, place]).T, "-", color="black", linewidth=1)
            axes.plot(*mean, "o", color=LABELS[k], markeredgecolor="black", markersize=6)
            axes.text(
                *place, names[k], ha="center", va="center", fontsize=14, fontweight="bold",
                bbox={"facecolor": "white", "edgecolor": LABELS[k], "linewidth": 2, "pad": 2.5},
            )  # fmt: skip
        axes.set_title(title, loc="left")
        axes.set(xlabel="first principal component", ylabel="second principal component")
    return figure


def _apart(points: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Points ``[n, 2]`` pushed from one another until each has an ellipse of ``room`` ``[2]``."""
    places = points / room
    for _ in range(200):
        gaps = places[:, None] - places
        distances = np.linalg.norm(gaps, axis=-1) + np.eye(len(places))
        lacking = np.maximum(1 - distances, 0)
        places = places + 0.5 * (gaps * (lacking / distances)[..., None]).sum(1)
    return places * room
