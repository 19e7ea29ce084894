"""Figures made of curves: distances over time, minima against the noise."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from repinf_core.figures.style import (
    ABSTRACT,
    CONCEPT,
    CONTROL,
    MEMORY,
    WIDTH,
    Figure,
    leave_empty,
    styled,
)


def distance_curve(axes: Axes, curves: np.ndarray, line: np.ndarray, colour: str) -> int:
    """Mean distance +-1 SEM and the mean of the control, ``[T+1, trials]`` each, with their minima.

    Returns:
        t of the minimum, for the title: a label beside the dot would hide a curve.
    """
    curves, mean = np.asarray(curves), np.asarray(curves).mean(1)
    sem = curves.std(1, ddof=1) / np.sqrt(curves.shape[1])
    control = np.asarray(line).mean(1)
    steps, best, of_line = np.arange(len(mean)), int(mean.argmin()), int(control.argmin())
    axes.plot(steps, control, "--", color=CONTROL, label="straight line")
    axes.fill_between(steps, mean - sem, mean + sem, color=colour, alpha=0.3, linewidth=0)
    axes.plot(steps, mean, color=colour, label=f"z(t), ±1 SEM of {curves.shape[1]} trials")
    axes.plot(
        of_line, control[of_line], "o", color=CONTROL, markerfacecolor="white", markersize=7,
        label="minimum of the line",
    )  # fmt: skip
    axes.plot(best, mean[best], "o", color="black", markersize=7, label="minimum of the mean")
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.margins(y=0.1)
    return best


@styled
def distance_panels(
    distances: np.ndarray,
    control: np.ndarray,
    names: Sequence[str],
    target: str,
    metric: str = "distance",
) -> Figure:
    """Fig. 3, Suppl. C, preprint Fig. 6: mean distance over time, a panel each, with +-1 SEM.

    Args:
        distances: ``[panels, T+1, trials]``, of z(t) to the panel's target.
        control: ``[panels, T+1, trials]``, of the synthetic linear interpolation.
        names: of the panels: labels, or latent dimensions.
        target: ``"concept"``, ``"memory"`` or ``"wrong concept"``.
        metric: name of the distance, for the axis.
    """
    colour = {"concept": CONCEPT, "memory": MEMORY, "wrong concept": ABSTRACT}[target]
    rows = -(-len(names) // 2)
    figure = Figure(figsize=(WIDTH, 1.95 * rows + 0.7))
    grid = figure.subplots(rows, 2, sharex=True)
    for axes, name, curves, line in zip(grid.flat, names, distances, control, strict=False):
        best = distance_curve(axes, curves, line, colour)
        axes.set_title(name, loc="left", fontweight="bold")
        axes.set_title(f"minimum at t = {best}", loc="right", fontsize=12)
    leave_empty(grid, len(names))
    figure.supxlabel("t (steps)", fontsize=13)
    figure.supylabel(f"{metric} to the {target}", fontsize=13)
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, fontsize=12)
    return figure


_CLASSES = (  # name, colour, marker, line: told apart in grey too
    ("memory", MEMORY, "s", "--"),
    ("concept", CONCEPT, "o", "-"),
    ("abstract concept", ABSTRACT, "^", ":"),
)


@styled
def against_noise(
    p: Sequence[float],
    means: np.ndarray,
    errors: np.ndarray,
    stages: Sequence[tuple[int, float, float]],
    ylabel: str,
) -> Figure:
    """Fig. 4: a quantity against the noise fraction for memory, concept, abstract concept.

    Args:
        p: noise fractions ``[P]``.
        means: ``[3, P]``.
        errors: half lengths of the bars, ``[3, P]``.
        stages: ``(nearest class, start, stop)`` each, shaded and numbered as in the paper, with
            a line where one follows another.
        ylabel: the quantity and its unit.
    """
    figure = Figure(figsize=(WIDTH, 4.4))
    axes = figure.subplots()
    # A little beside one another, so that no bar hides another; the concept stands at p itself.
    aside = 0.15 * np.diff(p).min(initial=0.05) * np.array([-1, 0, 1])
    for (name, colour, marker, line), shift, mean, error in zip(
        _CLASSES, aside, means, errors, strict=True
    ):
        axes.errorbar(
            np.asarray(p) + shift, mean, error, color=colour, marker=marker, markersize=5,
            linestyle=line, linewidth=1.5, capsize=3, label=name,
        )  # fmt: skip
    for nearest, start, stop in stages:
        axes.axvspan(start, stop, color=_CLASSES[nearest][1], alpha=0.10, linewidth=0)
        if start > min(p):  # the shadings are alike in grey
            axes.axvline(start, color="black", linewidth=0.8)
        axes.text(
            (start + stop) / 2, 1.0, ("I", "II", "III")[nearest], ha="center", va="bottom",
            transform=axes.get_xaxis_transform(), fontweight="bold",
        )  # fmt: skip
    axes.set(xlabel="noise fraction p", ylabel=ylabel, xlim=(min(p) - 0.015, max(p) + 0.015))
    figure.legend(loc="outside lower center", ncols=3, fontsize=12)
    return figure
