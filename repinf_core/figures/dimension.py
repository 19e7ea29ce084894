"""Figures of the latent dimension: orthogonality, dynamics and stages against N_z."""

import itertools

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from repinf_core.figures.approach import distance_curve, distance_curves
from repinf_core.figures.concepts import concepts_by_latent
from repinf_core.figures.style import ABSTRACT, CONCEPT, MEMORY, WIDTH, Figure, styled

_STAGES = {  # number: colour, hatching, which differ in grey too
    "I": (MEMORY, ""),
    "II": (CONCEPT, "//"),
    "III": (ABSTRACT, ".."),
}


def dimension_opening(
    networks: pd.DataFrame,
    bounds: pd.DataFrame,
    curves: pd.DataFrame,
    concepts: pd.DataFrame,
    latents: pd.DataFrame,
    threshold: float,
) -> Figure:
    """Fig. 8; of a single N_z, which shows no change, the concepts of the one network (Fig. 7a).

    Args:
        networks: as for :func:`against_dimension`.
        bounds: likewise.
        curves: likewise.
        concepts: as for :func:`repinf_core.figures.concepts_by_latent`.
        latents: likewise.
        threshold: likewise.
    """
    if len(networks) == 1:
        return concepts_by_latent(concepts, latents, threshold)
    return against_dimension(networks, bounds, curves)


@styled
def against_dimension(networks: pd.DataFrame, bounds: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Fig. 8: orthogonality of the concepts against N_z, and the dynamics for three values of N_z.

    Networks that were trained for fewer epochs than the longest training have open markers.  Lines
    between networks with unequal numbers of epochs are dashed.

    Args:
        networks: table of :class:`repinf_core.studies.dimension_grid.DimensionGrid`.
        bounds: likewise.
        curves: likewise.
    """
    figure = Figure(figsize=(WIDTH, 7.8))
    top, bottom = figure.subfigures(2, 1, height_ratios=(1.2, 1))
    axes = top.subplots()
    _roots(axes, networks)
    _bounds(axes, bounds)
    axes.set_xscale("log")
    axes.set_xticks(networks.n_z, networks.n_z.astype(str), fontsize=12)
    axes.minorticks_off()
    axes.set(xlabel="latent variables $N_z$", ylabel=r"$\Vert C - I\,\Vert_F$", ylim=(0, None))
    axes.margins(y=0.12)
    axes.get_legend().remove()  # it would hide the curve; there is room above
    top.legend(loc="outside upper left", fontsize=12)
    lettered = networks[networks.n_z.isin(_lettered(networks.n_z.tolist()))]
    panels = bottom.subplots(1, len(lettered), squeeze=False)[0]
    for letter, panel, network in zip("ABC", panels, lettered.itertuples(), strict=False):
        of_network = curves[curves.n_z == network.n_z]
        distance_curve(panel, of_network, CONCEPT)
        panel.set_title(
            f"({letter}) $N_z = {network.n_z}$\n{network.epochs_trained:,} epochs\n"
            f"minimum at t = {of_network.t[of_network['mean'].idxmin()]}",
            loc="left", fontsize=12,
        )  # fmt: skip
        axes.annotate(
            f"({letter})", (network.n_z, network.orthogonality_root), (0, 7),
            textcoords="offset points", ha="center", fontsize=12,
        )  # fmt: skip
    panels[0].set_ylabel("distance to the concept")
    bottom.supxlabel("t (steps)", fontsize=13)
    handles, labels = panels[0].get_legend_handles_labels()
    bottom.legend(handles, labels, loc="outside upper center", ncols=2, fontsize=12)
    return figure


def _lettered(grid: list[int]) -> set[int]:
    """The N_z of Fig. 8A-C; if the grid lacks one of them, its first, middle and last N_z."""
    of_paper = {2, 20, 100}
    return of_paper if of_paper <= set(grid) else {grid[0], grid[len(grid) // 2], grid[-1]}


def _roots(axes: Axes, networks: pd.DataFrame) -> None:
    for before, after in itertools.pairwise(networks.itertuples()):
        axes.plot(
            [before.n_z, after.n_z], [before.orthogonality_root, after.orthogonality_root],
            "-" if before.epochs_trained == after.epochs_trained else "--", color=CONCEPT, zorder=2,
        )  # fmt: skip
    most = networks.epochs_trained.max()
    fewer = networks[networks.epochs_trained < most]
    longest = networks[networks.epochs_trained == most]
    axes.plot(
        longest.n_z, longest.orthogonality_root, "o", color=CONCEPT,
        label=f"the concepts, after {most:,} epochs",
    )  # fmt: skip
    if len(fewer):
        axes.plot(
            fewer.n_z, fewer.orthogonality_root, "o", color=CONCEPT, markerfacecolor="white",
            label="the concepts, after fewer",
        )  # fmt: skip


def _bounds(axes: Axes, bounds: pd.DataFrame) -> None:
    sns.lineplot(
        bounds, x="n_z", y="least_around_mean", color=ABSTRACT, linestyle="--", linewidth=1.2,
        label="lower bound if their mean is the origin", ax=axes,
    )  # fmt: skip
    sns.lineplot(
        bounds, x="n_z", y="least", color=ABSTRACT, linestyle=":",
        label="lower bound for any ten vectors", ax=axes,
    )  # fmt: skip
    axes.fill_between(bounds.n_z, bounds.least, color=ABSTRACT, alpha=0.12, linewidth=0)


@styled
def approach_by_dimension(curves: pd.DataFrame) -> Figure:
    """Preprint Fig. 6: mean distance to the concept over time, a panel for each N_z.

    Args:
        curves: table of :class:`repinf_core.studies.dimension_grid.DimensionGrid`.
    """
    panels = ((f"$N_z = {n_z}$", panel) for n_z, panel in curves.groupby("n_z"))
    return distance_curves(panels, CONCEPT, "distance to the concept")


@styled
def stages_by_dimension(stages: pd.DataFrame) -> Figure:
    """The landmark that trajectories approach closest at each noise fraction, a bar for each N_z.

    Args:
        stages: table of :class:`repinf_core.studies.dimension_grid.DimensionGrid`.
    """
    grid = stages.n_z.unique()
    place = stages.n_z.map({n_z: place for place, n_z in enumerate(grid)})
    figure = Figure(figsize=(WIDTH, 0.42 * len(grid) + 1.6))
    axes = figure.subplots()
    for (number, nearest), of_stage in stages.groupby(["stage", "nearest"]):
        colour, hatch = _STAGES[number]
        bars = axes.barh(
            place[of_stage.index], of_stage.stop - of_stage.start, left=of_stage.start,
            height=0.75, color=colour, alpha=0.45, hatch=hatch, edgecolor="black",
            label=f"{number}: {nearest}",
        )  # fmt: skip
        axes.bar_label(
            bars, [number] * len(bars), label_type="center", fontsize=12, fontweight="bold",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8},
        )  # fmt: skip
    axes.set_yticks(range(len(grid)), grid)
    axes.invert_yaxis()
    axes.set(xlabel="noise fraction p", ylabel="latent variables $N_z$")
    figure.legend(loc="outside upper center", ncols=3, fontsize=12)
    return figure
