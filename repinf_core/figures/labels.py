"""Figures of the classifier's results: labels over time and noise, and of the final states."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.patheffects import withStroke
from numpy.lib.stride_tricks import sliding_window_view
from scipy import ndimage

from repinf_core.figures.approach import distance_curve
from repinf_core.figures.style import CONCEPT, CONTROL, LABELS, WIDTH, Figure, styled

_SHARES = np.array([0, 0.25, 0.5, 0.75, 1])  # of the trials; one colour between two of them
_STRENGTHS = np.array([0.25, 0.45, 0.65, 0.85])  # of a label's colour; hatching shows on all
_LETTER, _LINE = 8.5, 13.0  # width and height of a letter in points, with its halo
_HALO = [withStroke(linewidth=3, foreground="white")]


@styled
def label_map(votes: pd.DataFrame) -> Figure:
    """Fig. 5: the label that most trials are given, over time and noise fraction.

    A region has its label's colour, paler if fewer trials agree, and its label's name if there is
    room.  A legend below explains the colours.  A thick outline marks the region of the own label;
    regions of other labels, which are wrong, are hatched.

    Args:
        votes: table of :class:`repinf_core.studies.label_detection.LabelDetection`.
    """
    panels = list(votes.groupby("label", sort=False, observed=True))
    names = list(votes.vote.cat.categories)
    present = np.unique(votes.vote.cat.codes)
    heights = 2.9 * len(panels) + 0.4, 0.24 * len(present) + 0.9
    figure = Figure(figsize=(WIDTH, sum(heights)))
    top, bottom = figure.subfigures(2, 1, height_ratios=heights)
    rows = top.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (label, panel) in zip(rows, panels, strict=True):
        own = names.index(label)
        panel = panel.assign(code=panel.vote.cat.codes)
        modal, share = (panel.pivot(index="p", columns="t", values=of) for of in ("code", "share"))
        x, y = _edges(modal.columns.to_numpy()), _edges(modal.index.to_numpy())
        modal = modal.to_numpy()
        axes.pcolormesh(x, y, _colours(modal, share.to_numpy()))
        axes.pcolor(
            x, y, np.ma.masked_where(modal == own, modal), facecolors="none",
            edgecolors="black", linewidths=0, hatch="////",
        )  # fmt: skip
        _draw_borders(axes, modal, x, y, linewidth=0.7)
        _draw_borders(axes, modal == own, x, y, linewidth=2.6)
        _write_names(axes, modal, x, y, names, own)
        axes.set_title(f"from '{label}'", loc="left", fontweight="bold")
        axes.set_title("hatched: another label", loc="right", fontsize=12)
        axes.set(ylabel="noise fraction p", xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    rows[-1].set_xlabel("t (steps)")
    strips = bottom.subplots()
    shares = (_SHARES[1:] + _SHARES[:-1]) / 2
    strips.pcolormesh(
        100 * _SHARES, np.arange(len(present) + 1), _colours(present[:, None], shares),
        edgecolors="black", linewidth=0.7,
    )  # fmt: skip
    strips.set_yticks(np.arange(len(present)) + 0.5, [names[k] for k in present], fontsize=12)
    strips.set(xticks=100 * _SHARES, xlabel="share of the trials that are given this label (%)")
    strips.invert_yaxis()
    return figure


def _colours(label: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Colours ``[..., 3]`` of labels ``[...]``: the smaller the share, the paler, in four steps."""
    strength = _STRENGTHS[np.digitize(share, _SHARES[1:-1])][..., None]
    return 1 - strength * (1 - np.array([to_rgb(colour) for colour in LABELS])[label])


def _edges(centres: np.ndarray) -> np.ndarray:
    """Edges ``[n + 1]`` of cells with centres ``[n]``, halfway between the centres."""
    between = (centres[1:] + centres[:-1]) / 2
    return np.r_[2 * centres[0] - between[0], between, 2 * centres[-1] - between[-1]]


def _draw_borders(
    axes: mpl.axes.Axes, values: np.ndarray, x: np.ndarray, y: np.ndarray, linewidth: float
) -> None:
    """Draw black lines along the edges between cells with different values."""
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
    """Write each connected region's name where it lies deepest inside, if it fits there."""
    cell = np.array([2.4 * 72 / modal.shape[0], 5.4 * 72 / modal.shape[1]])  # points
    for label in np.unique(modal):
        text = np.array([_LINE, _LETTER * len(names[label])])
        height, width = np.ceil(text / cell).astype(int)  # of the name, in cells
        regions, count = ndimage.label(modal == label)
        for region in range(1, count + 1):
            inside = regions == region
            fits = sliding_window_view(inside, (height, width)).all((2, 3))
            if not fits.any():
                continue
            depth = ndimage.distance_transform_edt(np.pad(inside, 1), sampling=cell)[1:-1, 1:-1]
            at_centre = depth[height // 2 :, width // 2 :][: fits.shape[0], : fits.shape[1]]
            at_centre = np.where(fits, at_centre, 0)
            deepest, columns = np.nonzero(at_centre == at_centre.max())
            i = deepest[len(deepest) // 2]
            j = columns[deepest == i][(deepest == i).sum() // 2]
            axes.text(
                (x[j] + x[j + width]) / 2, (y[i] + y[i + height]) / 2, names[label],
                ha="center", va="center", fontsize=13, path_effects=_HALO,
                fontweight="bold" if label == own else "normal",
            )  # fmt: skip


@styled
def right_steps(runs: pd.DataFrame) -> Figure:
    """Length of the longest run of steps at which most trials are given their own label.

    Args:
        runs: table of :class:`repinf_core.studies.label_detection.LabelDetection`.
    """
    figure = Figure(figsize=(WIDTH, 3.4))
    axes = figure.subplots()
    sns.lineplot(
        runs, x="p", y="length", hue="label", style="label", markers=True, errorbar=None,
        palette=["black", CONTROL], ax=axes,
    )  # fmt: skip
    axes.set(xlabel="noise fraction p", ylabel="longest run of right steps")
    axes.set_ylim(bottom=0)
    axes.legend(title="from", fontsize=12)
    return figure


@styled
def final_probabilities(final: pd.DataFrame, judged: pd.DataFrame) -> Figure:
    """Suppl. F, preprint Fig. B.2a: the class probabilities of every trial's final image.

    Trials are sorted by the label that they are given, then by its probability.

    Args:
        final: table of :class:`repinf_core.studies.label_detection.LabelDetection`.
        judged: likewise.
    """
    best = final[final.label == final.given].sort_values(
        ["given", "probability"], ascending=[True, False]
    )
    image = final.pivot(index="label", columns="trial", values="probability")[best.trial]
    image.columns = range(1, len(best) + 1)
    figure = Figure(figsize=(WIDTH, 4.6))
    axes = figure.subplots()
    sns.heatmap(
        image, cmap="gray_r", vmin=0, vmax=1, ax=axes, xticklabels=max(len(best) // 6, 1),
        cbar_kws={"location": "bottom", "aspect": 40, "label": "probability of the label"},
    )  # fmt: skip
    axes.hlines(range(1, len(image)), *axes.get_xlim(), color="#C8C8C8", linewidth=0.6)
    axes.tick_params(axis="y", rotation=0)
    axes.tick_params(axis="x", rotation=0)
    axes.set(xlabel="trials, in order of the label they are given", ylabel="label")
    counts = axes.secondary_yaxis("right")
    counts.set_yticks(axes.get_yticks(), judged.trials)
    counts.tick_params(length=0)
    counts.set_ylabel("trials given this label")
    return figure


@styled
def staying(curves: pd.DataFrame, groups: pd.DataFrame) -> Figure:
    """Suppl. F, preprint Fig. B.2b: distance to the concept, by what happens to the trials' label.

    Args:
        curves: table of :class:`repinf_core.studies.label_detection.LabelDetection`.
        groups: likewise; a panel for each of its rows.
    """
    figure = Figure(figsize=(WIDTH, 1.95 * len(groups) + 0.9))
    panels = figure.subplots(len(groups), 1, sharex=True, squeeze=False)[:, 0]
    for axes, row in zip(panels, groups.itertuples(), strict=True):
        distance_curve(axes, curves[curves.group == row.group], CONCEPT)
        axes.set_title(f"{row.group}: {row.trials}", loc="left", fontweight="bold")
        axes.set_title(f"minimum at t = {row.step}", loc="right", fontsize=12)
    figure.supxlabel("t (steps)", fontsize=13)
    figure.supylabel("distance to the concept", fontsize=13)
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, fontsize=12
    )
    return figure
