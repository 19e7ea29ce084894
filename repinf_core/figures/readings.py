"""Figures of the readings that the paper leaves open: facts met, times, active latent variables."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.lines import Line2D

from repinf_core.figures.style import CONCEPT, CONTROL, MEMORY, TEST, WIDTH, Figure, styled

_LINES = ("-", "--", "-.", ":")
_MARKERS = ("o", "s", "^", "D")
_NO_P = -0.2
"""Where a point lies if the class is right at no p."""
_MET = ListedColormap(["white", "#BFE3D5"])


@styled
def facts_by_reading(judged: pd.DataFrame, facts: pd.DataFrame) -> Figure:
    """The result of each reading for each fact; shaded and bold where it agrees with the paper.

    Args:
        judged: table of :class:`repinf_core.studies.readings.Readings`.
        facts: likewise; the first row shows the paper's values.
    """
    readings = list(dict.fromkeys(judged.reading))
    found, holds = (
        judged.pivot(index="reading", columns="fact", values=column).loc[readings]
        for column in ("found", "holds")
    )
    printed = pd.DataFrame([facts.value.tolist()], index=["the paper"], columns=facts.letter)
    texts = pd.concat([printed, found])
    shaded = pd.concat([printed.notna() & False, holds]).astype(float)
    figure = Figure(figsize=(WIDTH, 0.5 * len(texts) + 0.7))
    axes = figure.subplots()
    sns.heatmap(
        shaded, annot=texts, fmt="", cmap=_MET, vmin=0, vmax=1, cbar=False, linewidths=1,
        linecolor="#C8C8C8", annot_kws={"color": "black", "fontsize": 12}, ax=axes,
    )  # fmt: skip
    for text, met in zip(axes.texts, shaded.to_numpy().flat, strict=True):
        text.set_fontweight("bold" if met else "normal")
    axes.axhline(1, color="black", linewidth=1.5)
    axes.xaxis.tick_top()
    axes.set(xlabel="", ylabel="")
    axes.tick_params(length=0, labelrotation=0)
    return figure


@styled
def facts_by_classifier(classifiers: pd.DataFrame, printed: tuple[float, float]) -> Figure:
    """Facts C and D by each classifier: a point each, full if it alone agrees with the paper.

    Args:
        classifiers: table of :class:`repinf_core.studies.readings.Readings`.
        printed: the paper's p of fact C, which is not reached, and its share of fact D; lines.
    """
    readings = list(dict.fromkeys(classifiers.reading))
    figure = Figure(figsize=(WIDTH, 0.42 * len(readings) + 1.6))
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (letter, column, label), of_paper in zip(
        panels,
        (
            ("C", "right_up_to_p", "right up to p"),
            ("D", "still_right", "share of trials still right"),
        ),
        printed,
        strict=True,
    ):
        for place, reading in enumerate(readings):
            of_reading = classifiers[classifiers.reading == reading].reset_index(drop=True)
            # Beside one another, because several classifiers may give the same value.
            apart = min(0.16, 0.7 / len(of_reading))
            heights = place + apart * (of_reading.index - (len(of_reading) - 1) / 2)
            values = of_reading[column].astype(float).fillna(_NO_P)
            colours = [TEST if meets else "white" for meets in of_reading[letter]]
            axes.scatter(values, heights, c=colours, edgecolors=TEST, s=38, linewidths=1.3)
        axes.axvline(of_paper, color="black", linewidth=1, zorder=0)
        axes.set_title(f"fact {letter}", loc="left")
        axes.set(xlabel=label, ylim=(len(readings) - 0.5, -0.5))
        axes.set_yticks(range(len(readings)), readings)
        axes.grid(axis="y", color="0.9")
        axes.set_axisbelow(True)
    panels[1].set_xlim(-0.03, 1.05)
    panels[0].set_xlim(_NO_P - 0.08, 1.05)
    panels[0].set_xticks((_NO_P, 0, 0.5, 1), ("no p", "0", "0.5", "1"))
    return figure


@styled
def times_by_reading(times: pd.DataFrame, printed: tuple[float, float]) -> Figure:
    """Mean time of the closest approach (steps) against the noise, a line for every reading.

    Args:
        times: table of :class:`repinf_core.studies.readings.Readings`.
        printed: the range of steps that the paper prints for the concept, shaded.
    """
    noises, betas = (list(dict.fromkeys(times[part])) for part in ("noise", "beta"))
    figure = Figure(figsize=(WIDTH, 6.2))
    grid = figure.subplots(2, len(noises), sharex=True, sharey="row", squeeze=False)
    # Opaque: otherwise dashes would show through one another.
    styles = [
        {
            "linestyle": _LINES[i % 4],
            "marker": _MARKERS[i % 4],
            "markersize": 5,
            "markeredgewidth": 0,
            "linewidth": 1.5,
        }
        for i in range(len(betas))
    ]
    shades = np.linspace(1, 0.65, len(betas))
    for row, (landmark, colour) in zip(
        grid, (("memory", MEMORY), ("concept", CONCEPT)), strict=True
    ):
        for axes, noise in zip(row, noises, strict=True):
            panel = times[(times.landmark == landmark) & (times.noise == noise)]
            for beta, style, shade in zip(betas, styles, shades, strict=True):
                sns.lineplot(
                    panel[panel.beta == beta], x="p", y="step", color=_paler(colour, shade),
                    markevery=2, ax=axes, **style,
                )  # fmt: skip
            if landmark == "concept":
                axes.axhspan(*printed, color="0.9", zorder=0)
            axes.set_title(f"{landmark}, {noise}", loc="left")
            axes.set(xticks=(0, 0.5, 1), xticklabels=("0", "0.5", "1"), xlabel="", ylabel="")
    figure.supxlabel("noise fraction p", fontsize=13)
    figure.supylabel("mean t of the smallest distance (steps)", fontsize=13)
    # In grey, because the rows differ in colour.
    handles = [
        Line2D([], [], color=_paler(CONTROL, shade), label=rf"$\beta={beta:g}$", **style)
        for beta, style, shade in zip(betas, styles, shades, strict=True)
    ]
    figure.legend(
        handles=handles, loc="outside upper center", ncols=min(4, len(betas)), fontsize=12
    )
    return figure


@styled
def active_by_epoch(active: pd.DataFrame, printed: int) -> Figure:
    """Active latent variables on the test images against the epoch, a line for every network.

    Networks of other trainings than those that the page compares are paler and have markers.

    Args:
        active: table of :class:`repinf_core.studies.readings.Readings`.
        printed: the number that the paper prints, a horizontal line.
    """
    figure = Figure(figsize=(WIDTH, 4.6))
    axes = figure.subplots()
    lines = {beta: _LINES[i % 4] for i, beta in enumerate(active.beta.unique())}
    for i, (network, of_network) in enumerate(active.groupby("network", sort=False)):
        one = of_network.iloc[0]
        axes.plot(
            of_network.epoch, of_network.active, lines[one.beta], label=network,
            color=TEST if one.compared else _paler(TEST, 0.6), linewidth=1.5,
            marker=None if one.compared and len(of_network) > 1 else _MARKERS[i % 4],
            markevery=max(1, len(of_network) // 6), markersize=5,
        )  # fmt: skip
    axes.axhline(printed, color="black", linewidth=1, zorder=0)
    axes.annotate(
        f"the paper's {printed}", (0, printed), (6, -4), xycoords=("axes fraction", "data"),
        textcoords="offset points", va="top", fontsize=12,
    )  # fmt: skip
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set(xlabel="epoch", ylabel="active latents (test images)", ylim=(0, None))
    figure.legend(loc="outside upper center", ncols=3, fontsize=12)
    return figure


def _paler(colour: str, strength: float) -> np.ndarray:
    """A colour mixed with white, opaque: itself at strength 1, white at 0."""
    return 1 - strength * (1 - np.array(to_rgb(colour)))
