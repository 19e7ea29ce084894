"""Several networks iterated from the same images: distances, depths, steps, factors of a step."""

import pandas as pd
import seaborn as sns
from matplotlib.ticker import MaxNLocator

from repinf_core.figures.style import (
    ABSTRACT,
    CONCEPT,
    CONTROL,
    MEMORY,
    PAIR,
    WIDTH,
    Figure,
    styled,
)
from repinf_core.figures.unfamiliar import time_axis

_TARGETS = {
    "concept": {"color": CONCEPT, "linestyle": "-"},
    "memory": {"color": MEMORY, "linestyle": "--"},
    "wrong concept": {"color": ABSTRACT, "linestyle": "-."},
}
_NETWORKS = {  # colour, marker, line; the controls stand in tables alone
    "paper's VAE": ("black", "o", "-"),
    "conv VAE": ("#56B4E9", "s", "--"),
    "CAE": ("#E69F00", "^", "-."),
    "DAE": ("#882255", "D", ":"),
}
_UNIT = "in units of the spread"


@styled
def distances_by_network(means: pd.DataFrame) -> Figure:
    """Mean distance to the concept, a wrong concept and the memory: panels of one scale.

    Args:
        means: table of :class:`repinf_core.studies.iterating_them.IteratingThem`.
    """
    figure = Figure(figsize=(WIDTH, 4.1))
    grid = figure.subplots(2, 2, sharex=True, sharey=True)
    for axes, network in zip(grid.flat, _NETWORKS, strict=True):
        panel = means[means.network == network]
        to_concept = panel[panel.target == "concept"]
        axes.plot(to_concept.t, to_concept.chord, ":", color=CONTROL, label="chord, to the concept")
        for target, how in _TARGETS.items():
            rows = panel[panel.target == target]
            sns.lineplot(
                rows, x="t", y="mean", ax=axes, label=target, errorbar=None, legend=False, **how
            )
        axes.set_title(network, loc="left", fontweight="bold")
        axes.set(xlabel="", ylabel="")
        axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.set_ylim(bottom=0)
    time_axis(figure, grid.flat, means.t.max(), columns=2)
    figure.supylabel(f"distance, {_UNIT}", fontsize=13)
    return figure


@styled
def depth_by_label(labels: pd.DataFrame) -> Figure:
    """The depth of the approach beyond that of a wrong concept, by label and network.

    Args:
        labels: table of :class:`repinf_core.studies.iterating_them.IteratingThem`.
    """
    figure = Figure(figsize=(WIDTH, 5.2))
    axes = figure.subplots()
    axes.axvline(0, color=CONTROL, linewidth=1)
    colours, markers, _ = zip(*_NETWORKS.values(), strict=True)
    sns.pointplot(
        labels, y="label", x="excess_depth", hue="network", hue_order=[*_NETWORKS], ax=axes,
        palette=[*colours], markers=[*markers], markersize=8, dodge=0.55, linestyle="none",
        errorbar=None,
    )  # fmt: skip
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    axes.set(xlabel=f"depth beyond the wrong concept's, {_UNIT}", ylabel="")
    axes.xaxis.set_major_locator(MaxNLocator(6))
    handles, names = axes.get_legend_handles_labels()
    axes.get_legend().remove()
    figure.legend(handles, names, loc="outside upper center", ncols=4, fontsize=12)
    return figure


@styled
def steps_by_network(steps: pd.DataFrame) -> Figure:
    """The length of every step, median and quartiles over trials.

    Args:
        steps: table of :class:`repinf_core.studies.iterating_them.IteratingThem`.
    """
    figure = Figure(figsize=(WIDTH, 4.2))
    axes = figure.subplots()
    for network, (colour, _, line) in _NETWORKS.items():
        rows = steps[steps.network == network]
        axes.fill_between(rows.t, rows.lower, rows.upper, color=colour, alpha=0.2, linewidth=0)
        sns.lineplot(
            rows, x="t", y="median", ax=axes, color=colour, linestyle=line, label=network,
            errorbar=None, legend=False,
        )  # fmt: skip
    axes.set_yscale("log")
    axes.set(xlabel="", ylabel=f"length of the step to z(t),\n{_UNIT}")
    time_axis(figure, [axes], steps.t.max(), columns=4)
    return figure


@styled
def factors_by_network(spectra: pd.DataFrame) -> Figure:
    """Spectral radius and largest singular value of a step, at concepts and at end points.

    Args:
        spectra: table of :class:`repinf_core.studies.iterating_them.IteratingThem`.
    """
    names = {"radius": "spectral radius", "stretch": "largest singular value"}
    shown = spectra[spectra.network.isin(_NETWORKS)]
    factors = shown.melt(["network", "where"], [*names], var_name="of", value_name="factor")
    factors["of"] = factors.of.map(names)
    panels = list(factors.groupby("where", sort=False))
    figure = Figure(figsize=(WIDTH, 3.6))
    grid = figure.subplots(1, len(panels), sharex=True, sharey=True)
    for axes, (where, panel) in zip(grid, panels, strict=True):
        axes.axvline(1, color=CONTROL, linestyle="--", linewidth=1.5)
        sns.pointplot(
            panel, y="network", x="factor", hue="of", ax=axes, palette=[*PAIR], estimator="median",
            errorbar=("pi", 100), linestyle="none", dodge=0.35, markers=["o", "s"], markersize=7,
            legend=axes is grid[0],
        )  # fmt: skip
        axes.set_title(f"at the {where}", loc="left", fontweight="bold")
        axes.set(xlabel="", ylabel="")
    figure.supxlabel("factor per step (dashed: 1)", fontsize=13)
    handles, labels = grid[0].get_legend_handles_labels()
    grid[0].get_legend().remove()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, fontsize=12)
    return figure
