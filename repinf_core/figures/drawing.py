"""The paper's schematic as a drawing (Fig. 6), without data."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse, FancyArrowPatch, PathPatch
from matplotlib.path import Path

from repinf_core.figures.style import ABSTRACT, CONCEPT, CONTROL, MEMORY, WIDTH, Figure, styled

# Places in units of the drawing, x from 0 to 10, y from 0 to 6.5.
_CONCEPTS = np.array([(2.85, 1.65), (7.1, 1.6), (6.3, 3.1)])  # first the concept of the own label
_RADII = np.array([1.4, 0.68])  # of a cluster
_OWN_MEMORY = np.array([1.75, 1.5])
# The path of each stage as a cubic Bezier curve: start, two control points, end.
_PATHS = {
    "I": np.array([(1.75, 2.8), (2.15, 1.9), (1.5, 1.1), (2.15, 1.3)]),
    "II": np.array([(1.75, 4.3), (2.05, 2.3), (2.2, 1.55), (3.45, 1.5)]),
    "III": np.array([(1.75, 5.8), (3.7, 3.6), (4.7, 1.5), (6.5, 1.45)]),
}
_NEAREST = {"I": "its own memory", "II": "the concept", "III": "the abstract concept"}
_TIMES = 1 - np.exp(-np.arange(1, 10) / 2.2)  # shares of a path, which slows down


@styled
def drawn_schematic() -> Figure:
    """Fig. 6: how inference leads from noisy images through latent space, according to the paper.

    The symbols are the same as in :func:`repinf_core.figures.schematic`, which shows measured
    trajectories.  Small dots on a path mark equal time intervals: the motion is fast at first, then
    slow.
    """
    figure = Figure(figsize=(WIDTH, 5.2))
    axes = figure.add_subplot(xlim=(0, 10), ylim=(0.1, 6.4), aspect="equal")
    axes.axis("off")
    _space_of_the_data(axes)
    _memories(axes)
    _noise(axes)
    for path in _PATHS.values():
        _inference(axes, path)
    ends_of_paths = np.array([*_PATHS.values()])
    for places, marker, colour, size, name in (
        (_OWN_MEMORY[None], "s", MEMORY, 7, "own memory"),
        (ends_of_paths[:, 0], "o", "white", 7, "t = 0"),
        (ends_of_paths[:, -1], "s", "black", 6, "t = T"),
        (_CONCEPTS, "*", CONCEPT, 17, "concept"),
        (_CONCEPTS.mean(0, keepdims=True), "^", ABSTRACT, 10, "abstract concept"),
    ):
        axes.plot(
            *places.T, marker, color=colour, markeredgecolor="black", markersize=size,
            label=name, linestyle="none", zorder=4,
        )  # fmt: skip
    handles, names = axes.get_legend_handles_labels()
    once = dict(zip(names, handles, strict=True))
    legend = figure.legend(
        once.values(), once.keys(), loc="outside upper center", ncols=3, fontsize=12
    )
    legend.legend_handles[0].set(alpha=1, sizes=[30])
    return figure


def _space_of_the_data(axes: Axes) -> None:
    """Draw a bent sheet, which the paper calls numeric space."""
    front = [(0.2, 0.5), (2.6, 0.0), (5.6, 0.95), (8.5, 0.35)]
    back = [(9.9, 3.8), (7.7, 4.4), (4.6, 3.5), (1.4, 4.0)]
    curve = [Path.CURVE4] * 3
    sheet = Path(
        [*front, *back, front[0]], [Path.MOVETO, *curve, Path.LINETO, *curve, Path.CLOSEPOLY]
    )
    axes.add_patch(PathPatch(sheet, facecolor="#F3F3F3", edgecolor="#A0A0A0", linewidth=1))
    axes.text(9.9, 4.2, "space of the data", ha="right", style="italic")


def _memories(axes: Axes) -> None:
    """Draw a cluster of dots for each label, denser near its concept."""
    count = 90
    turn = np.pi * (3 - 5**0.5) * np.arange(count)  # golden angle: all directions differ
    radius = (np.arange(count) / count) ** 0.75
    disc = 0.94 * radius[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    for concept in _CONCEPTS:
        axes.scatter(
            *(concept + _RADII * disc).T, s=6, color=MEMORY, alpha=0.45, linewidth=0,
            label="memories",
        )  # fmt: skip
        axes.add_patch(
            Ellipse(concept, *2 * _RADII, fill=False, edgecolor=MEMORY, linestyle="--", linewidth=1)
        )
    x, y = _CONCEPTS[0] - (0, _RADII[1] + 0.1)
    axes.text(x, y, "cluster of its label", ha="center", va="top", fontsize=12)


def _noise(axes: Axes) -> None:
    """Draw the displacement from the own memory out of the space of the data, and the stages."""
    x, top = _PATHS["III"][0]
    axes.plot(
        [x, x], [_OWN_MEMORY[1], top], ":", color="black", linewidth=1.5, label="displaced by noise"
    )
    _arrow(axes, (0.5, 2.4), (0.5, top + 0.4), linewidth=1.5)
    axes.text(0.3, 4.1, "more noise", rotation="vertical", ha="right", va="center")
    for stage, path in _PATHS.items():
        axes.text(*path[0] - (0.3, 0), stage, ha="right", va="center", fontweight="bold")
    axes.text(4.6, 6.35, "Comes closest to", va="top")
    for line, (stage, centre) in enumerate(_NEAREST.items(), start=1):
        y = 6.35 - 0.46 * line
        axes.text(5.1, y, stage, ha="right", va="top", fontweight="bold")
        axes.text(5.3, y, centre, va="top")


def _inference(axes: Axes, path: np.ndarray) -> None:
    """Draw a path from the points ``[4, 2]`` of its curve, with dots at equal times."""

    def at(share: np.ndarray) -> np.ndarray:
        s = share[:, None]
        return np.hstack([(1 - s) ** 3, 3 * s * (1 - s) ** 2, 3 * s**2 * (1 - s), s**3]) @ path

    axes.plot(*at(np.linspace(0, 1, 100)).T, color=CONTROL, linewidth=1.5, label="z(t)")
    axes.plot(*at(_TIMES).T, "o", color=CONTROL, markersize=3.5)
    _arrow(axes, *at(np.array([0.18, 0.22])), linewidth=0)


def _arrow(axes: Axes, tail: np.ndarray, head: np.ndarray, linewidth: float) -> None:
    axes.add_patch(
        FancyArrowPatch(
            tail, head, arrowstyle="-|>", mutation_scale=17, linewidth=linewidth, color="black",
            shrinkA=0, shrinkB=0, zorder=3,
        )
    )  # fmt: skip
