"""Figures of what the judge says: the label over time and noise, and of the final states."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from scipy import ndimage

from repinf_core.figures.style import CONCEPT, CONTROL, LABELS, WIDTH

_CLASSES = len(LABELS)
_LETTER, _LINE = 7.0, 11.0  # width and height of a letter in points, with some air
_HALO = [withStroke(linewidth=3, foreground="white")]


def label_map(
    p: Sequence[float],
    panels: Sequence[tuple[int, np.ndarray, np.ndarray]],
    names: Sequence[str],
) -> Figure:
    """Fig. 5: the label that most trials are given, over time and noise fraction.

    A region carries its label's name and colour; it is the paler, the fewer trials agree.  The
    own label's region is outlined more strongly.

    Args:
        p: noise fractions ``[P]``.
        panels: ``(own label, modal label [P, T+1], share of the trials [P, T+1])`` each.
        names: of the ten labels.
    """
    figure = Figure(figsize=(WIDTH, 3.1 * len(panels) + 0.9))
    rows = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (own, modal, share) in zip(rows, panels, strict=True):
        modal, share = np.asarray(modal), np.asarray(share)
        colours = np.array([to_rgb(colour) for colour in LABELS])[modal]
        strength = _strength(share)[..., None]
        axes.pcolormesh(
            np.arange(modal.shape[1]), p, 1 - strength * (1 - colours), shading="nearest"
        )
        x, y = _edges(np.arange(modal.shape[1])), _edges(np.asarray(p, float))
        _draw_borders(axes, modal, x, y, linewidth=0.7)
        _draw_borders(axes, modal == own, x, y, linewidth=2.6)
        _write_names(axes, modal, x, y, names, own)
        axes.set_title(f"from '{names[own]}'", loc="left", fontweight="bold")
        axes.set(ylabel="noise fraction p", xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    rows[-1].set_xlabel("t (steps)")
    shares = np.linspace(1 / _CLASSES, 1, 64)
    greys = 1 - _strength(shares)[:, None] * (1 - np.array(to_rgb(CONTROL)))
    figure.colorbar(
        ScalarMappable(Normalize(shares[0], 1), LinearSegmentedColormap.from_list("", greys)),
        ax=list(rows), location="bottom", aspect=40, ticks=[0.1, 0.25, 0.5, 0.75, 1], format="%g",
        label="share of the trials that are given this label",
    )  # fmt: skip
    return figure


def _strength(share: np.ndarray) -> np.ndarray:
    """How much of a label's colour is left: 0.15 where the vote is a draw of ten, 1 for all."""
    return 0.15 + 0.85 * np.clip((share - 1 / _CLASSES) / (1 - 1 / _CLASSES), 0, 1)


def _edges(centres: np.ndarray) -> np.ndarray:
    """Edges ``[n + 1]`` of the cells around centres ``[n]``, halfway between them."""
    between = (centres[1:] + centres[:-1]) / 2
    return np.r_[2 * centres[0] - between[0], between, 2 * centres[-1] - between[-1]]


def _draw_borders(
    axes: mpl.axes.Axes, values: np.ndarray, x: np.ndarray, y: np.ndarray, linewidth: float
) -> None:
    """Black lines along the cell edges between unequal neighbours."""
    upright = [((x[j + 1], y[i]), (x[j + 1], y[i + 1])) for i, j in _changes(values)]
    level = [((x[j], y[i + 1]), (x[j + 1], y[i + 1])) for j, i in _changes(values.T)]
    axes.add_collection(
        LineCollection(upright + level, colors="black", linewidths=linewidth, capstyle="round")
    )


def _changes(values: np.ndarray) -> list[list[int]]:
    """``[row, column]`` of each entry whose right neighbour differs."""
    return np.argwhere(values[:, 1:] != values[:, :-1]).tolist()


def _write_names(
    axes: mpl.axes.Axes,
    modal: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    names: Sequence[str],
    own: int,
) -> None:
    """Each connected region's name where it has most room, if it has enough."""
    cell = np.array([2.4 * 72 / modal.shape[0], 5.4 * 72 / modal.shape[1]])  # points
    for label in np.unique(modal):
        text = np.array([_LINE, _LETTER * len(names[label])])
        regions, count = ndimage.label(modal == label)
        for region in range(1, count + 1):
            inside = np.pad(regions == region, 1)
            # How far the border is from each cell, in heights and widths of the text.
            room = ndimage.distance_transform_edt(inside, sampling=cell / text)[1:-1, 1:-1]
            if room.max() < 0.6:
                continue
            roomiest = np.argwhere(room == room.max())
            i, j = roomiest[len(roomiest) // 2]
            axes.text(
                (x[j] + x[j + 1]) / 2, (y[i] + y[i + 1]) / 2, names[label],
                ha="center", va="center", fontsize=13, path_effects=_HALO,
                fontweight="bold" if label == own else "normal",
            )  # fmt: skip


def final_probabilities(probabilities: np.ndarray, names: Sequence[str]) -> Figure:
    """Suppl. F, preprint Fig. B.2a: the class probabilities of every trial's final image.

    Args:
        probabilities: ``[trials, 10]``; shown in the order of the named class, and within it of
            its probability.
        names: of the ten labels.
    """
    probabilities = np.asarray(probabilities)
    judged = probabilities.argmax(1)
    order = np.lexsort((-probabilities.max(1), judged))
    figure = Figure(figsize=(WIDTH, 4.6))
    axes = figure.subplots()
    image = axes.imshow(
        probabilities[order].T,
        cmap="gray_r",
        vmin=0,
        vmax=1,
        aspect="auto",
        interpolation="nearest",
    )
    axes.set_yticks(range(_CLASSES), names)
    axes.set_yticks(np.arange(_CLASSES - 1) + 0.5, minor=True)
    axes.grid(axis="y", which="minor", color="#C8C8C8", linewidth=0.6)
    axes.tick_params(which="minor", length=0)
    axes.set(xlabel="trials, in order of the label they are given", ylabel="label")
    counts = axes.secondary_yaxis("right")
    counts.set_yticks(range(_CLASSES), np.bincount(judged, minlength=_CLASSES))
    counts.set_ylabel("trials given this label")
    figure.colorbar(image, ax=axes, location="bottom", aspect=40, label="probability of the label")
    return figure


def staying(distances: np.ndarray, stays: np.ndarray, name: str) -> Figure:
    """Suppl. F, preprint Fig. B.2b: the distance to the concept, of all trials and of some.

    Args:
        distances: ``[T+1, trials]``.
        stays: ``[trials]``, which of them are given their own label at the end.
        name: of the label.
    """
    distances, stays = np.asarray(distances), np.asarray(stays)
    figure = Figure(figsize=(WIDTH, 4.2))
    axes = figure.subplots()
    for curves, colour, line, text in (
        (distances, CONTROL, "--", f"all {len(stays)} trials"),
        (distances[:, stays], CONCEPT, "-", f"the {stays.sum()} that stay '{name}'"),
    ):
        trials = curves.shape[1]
        if trials == 0:
            continue
        mean, steps = curves.mean(1), np.arange(len(curves))
        if trials > 1:
            sem = curves.std(1, ddof=1) / np.sqrt(trials)
            axes.fill_between(steps, mean - sem, mean + sem, color=colour, alpha=0.25, linewidth=0)
        axes.plot(steps, mean, line, color=colour, label=text)
        best = int(mean.argmin())
        axes.plot(best, mean[best], "o", color=colour, markeredgecolor="black", markersize=8)
    axes.set(xlabel="t (steps)", ylabel="distance to the concept")
    axes.legend()
    return figure
