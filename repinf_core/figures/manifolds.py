"""Ranks of latent tensors, the ties that lower them, and angles between subspaces."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from repinf_core.figures.style import CONTROL, WIDTH, Figure, styled
from repinf_core.studies.ranks_in_words import double

_NETWORKS = {  # colour, marker, line
    "CAE": ("#E69F00", "s", "-"),
    "DAE": ("black", "o", "-"),
    "VAE mean": ("#56B4E9", "v", "-"),
    "VAE sampled": ("#56B4E9", "v", "--"),
}
_SINGLE = "#D0D0D0"  # of ranks in single precision beside those in double precision
_NOISE = "standard deviation of the noise"
_BANDS = [
    Line2D([], [], color=CONTROL, marker="o", markersize=5, label="median"),
    Patch(color=CONTROL, alpha=0.45, linewidth=0, label="middle half of the images"),
    Patch(color=CONTROL, alpha=0.18, linewidth=0, label="all images"),
]
_BOUND = Line2D([], [], color="0.4", linestyle=":", label="largest possible rank")


@styled
def rank_by_noise(ranks: pd.DataFrame) -> Figure:
    """Rank of S3 against the noise level: a panel for each network.

    Args:
        ranks: of :class:`repinf_core.studies.latent_manifolds.LatentManifolds`.
    """
    channels = ranks[ranks.factor == "S3"]

    def draw(axes: Axes, network: str) -> None:
        _rank_panel(axes, channels[channels.network == network], "level", network)

    figure, panels = _panels(draw, _NOISE, "rank of $S_3$ (channels)")
    panels[0].set_ylim(0, 1.06 * channels.bound.max())
    panels[0].yaxis.set_major_locator(MaxNLocator(6, integer=True))
    _legend(figure, [*_BANDS, _BOUND])
    return figure


@styled
def mode_ranks_by_noise(ranks: pd.DataFrame) -> Figure:
    """Ranks of S1 and S2 against the noise level: a row of panels for each network.

    Args:
        ranks: of :class:`repinf_core.studies.latent_manifolds.LatentManifolds`.
    """
    factors = {"S1": "$S_1$ (rows)", "S2": "$S_2$ (columns)"}
    figure = Figure(figsize=(WIDTH, 9))
    grid = figure.subplots(len(_NETWORKS), len(factors), sharex=True, sharey=True)
    for network, line in zip(_NETWORKS, grid, strict=True):
        for (factor, name), axes in zip(factors.items(), line, strict=True):
            rows = ranks[(ranks.factor == factor) & (ranks.network == network)]
            _rank_panel(axes, rows, "level", network)
            axes.set_title(f"{network}, {name}", loc="left", fontsize=13)
    grid[0, 0].set_ylim(0, 1.12 * ranks[ranks.factor != "S3"].bound.max())
    grid[0, 0].yaxis.set_major_locator(MaxNLocator(4, integer=True))
    figure.supxlabel(_NOISE, fontsize=13)
    figure.supylabel("rank", fontsize=13)
    _legend(figure, [*_BANDS, _BOUND])
    return figure


@styled
def rank_by_tolerance(tolerances: pd.DataFrame, effective: pd.DataFrame) -> Figure:
    """Rank of S3 of clean images against the tolerance, beside the effective rank.

    Args:
        tolerances: of :class:`repinf_core.studies.latent_manifolds.LatentManifolds`.
        effective: likewise.
    """
    clean = tolerances[(tolerances.factor == "S3") & (tolerances.scope == "clean images")]

    def draw(axes: Axes, network: str) -> None:
        axes.axvspan(10**-0.5, 10**0.5, color="0.92", linewidth=0)
        _rank_panel(axes, clean[clean.condition == network], "multiple", network)
        of = effective[(effective.condition == network) & (effective.factor == "S3")].iloc[0]
        axes.axhspan(of["min"], of["max"], color="#882255", alpha=0.2, linewidth=0)
        axes.axhline(of["median"], color="#882255", linestyle="-.")
        axes.set_xscale("log")

    figure, panels = _panels(
        draw, "tolerance, as a multiple of numpy's default", "rank of $S_3$ (channels)"
    )
    panels[0].set_ylim(0, 1.06 * clean["max"].max())
    panels[0].yaxis.set_major_locator(MaxNLocator(6, integer=True))
    effective_rank = Line2D([], [], color="#882255", linestyle="-.", label="effective rank")
    decade = Patch(color="0.92", linewidth=0, label="decade judged")
    _legend(figure, [*_BANDS, effective_rank, decade])
    return figure


@styled
def rank_by_ties(ties: pd.DataFrame) -> Figure:
    """Rank of S3 of clean images against the largest that their ties leave, in both precisions.

    The area of a dot is the share of images.

    Args:
        ties: of :class:`repinf_core.studies.latent_manifolds.LatentManifolds`.
    """
    both = {name: {name: _SINGLE, double(name): _network_colour(name)} for name in _NETWORKS}
    shown = ties[ties.condition.isin([condition for of in both.values() for condition in of])]
    low = min(shown["rank"].min(), shown["bound"].min()) - 1
    high = shown["bound"].max() + 3  # room for the largest dot

    def draw(axes: Axes, network: str) -> None:
        axes.plot([low, high], [low, high], color="0.6", linewidth=1)
        for condition, colour in both[network].items():
            rows = shown[shown.condition == condition]
            axes.scatter(
                rows["bound"], rows["rank"], s=8 + 300 * rows.images / rows.images.sum(),
                color=colour, edgecolors="black", linewidths=0.4, clip_on=False, zorder=3,
            )  # fmt: skip
        axes.set(xlim=(low, high), ylim=(low, high))

    figure, panels = _panels(
        draw, "distinct places of the latent tensor, less one", "rank of $S_3$ (channels)"
    )
    for axis in (panels[0].xaxis, panels[0].yaxis):
        axis.set_major_locator(MaxNLocator(5, integer=True))
    dot = {"marker": "o", "linestyle": "", "markeredgecolor": "black", "markersize": 8}
    _legend(
        figure,
        [
            Line2D([], [], color=_network_colour("CAE"), label="float64 (in colour)", **dot),
            Line2D([], [], color=_SINGLE, label="float32", **dot),
            Line2D([], [], color="0.6", linewidth=1, label="what ties leave"),
        ],
    )
    return figure


@styled
def angle_by_noise(subspaces: pd.DataFrame) -> Figure:
    """Principal angles between clean images and the same with noise: a panel for each network.

    Args:
        subspaces: of :class:`repinf_core.studies.latent_manifolds.LatentManifolds`.
    """
    at = subspaces[subspaces.multiple == 1]
    kinds = {"mean_angle": ("mean", "-", 6), "largest_angle": ("largest", ":", 0)}

    def draw(axes: Axes, network: str) -> None:
        colour, marker, _ = _NETWORKS[network]
        of = at[at.network == network]
        for column, (_, line, size) in kinds.items():
            sns.lineplot(
                of[of.images == "same"], x="level", y=column, ax=axes, color=colour,
                linestyle=line, marker=marker, markersize=size, errorbar=None,
            )  # fmt: skip
            halves = of[of.images == "other half"][column].iloc[0]
            axes.axhline(halves, color="#882255", linestyle=line, linewidth=1.2)

    figure, panels = _panels(draw, _NOISE, "principal angle (degrees)")
    panels[0].set(ylim=(-3, 95), yticks=(0, 30, 60, 90))
    _legend(
        figure,
        [
            *(
                Line2D([], [], color=CONTROL, linestyle=line, label=f"{words}, noise")
                for words, line, _ in kinds.values()
            ),
            *(
                Line2D(
                    [], [], color="#882255", linestyle=line, linewidth=1.2,
                    label=f"{words}, two clean halves",
                )
                for words, line, _ in kinds.values()
            ),
        ],
        columns=2,
    )  # fmt: skip
    return figure


@styled
def angle_by_epsilon(subspaces: pd.DataFrame) -> Figure:
    """Mean principal angle at each noise level against epsilon: a panel for each network.

    Args:
        subspaces: of :class:`repinf_core.studies.latent_manifolds.LatentManifolds`.
    """
    levels = subspaces.level.unique()
    shades = sns.color_palette("flare", len(levels) - 1)

    def draw(axes: Axes, network: str) -> None:
        of = subspaces[subspaces.network == network]
        same = of[(of.images == "same") & (of.level > 0)]
        for shade, (_, rows) in zip(shades, same.groupby("level"), strict=True):
            sns.lineplot(
                rows, x="multiple", y="mean_angle", ax=axes, color=shade, errorbar=None, marker="o"
            )
        sns.lineplot(
            of[of.images == "other half"], x="multiple", y="mean_angle", ax=axes, color="black",
            linestyle="--", errorbar=None,
        )  # fmt: skip
        axes.set_xscale("log")

    figure, panels = _panels(
        draw, r"$\epsilon$, as a multiple of the one used", "mean principal angle (degrees)"
    )
    panels[0].set(ylim=(-3, 95), yticks=(0, 30, 60, 90))
    halves = Line2D([], [], color="black", linestyle="--", label="two clean halves")
    ends = [
        Line2D([], [], color=shades[place], marker="o", label=f"noise {levels[place + 1]:g}")
        for place in dict.fromkeys((0, len(shades) - 1))
    ]
    _legend(figure, [*ends, halves])
    return figure


def _network_colour(network: str) -> str:
    return _NETWORKS[network][0]


def _panels(
    draw: Callable[[Axes, str], None], xlabel: str, ylabel: str
) -> tuple[Figure, np.ndarray]:
    """Four panels with common axes, one for each network."""
    figure = Figure(figsize=(WIDTH, 5.6))
    panels = figure.subplots(2, 2, sharex=True, sharey=True).ravel()
    for network, axes in zip(_NETWORKS, panels, strict=True):
        draw(axes, network)
        axes.set_title(network, loc="left", fontweight="bold")
        axes.set(xlabel="", ylabel="")
    figure.supxlabel(xlabel, fontsize=13)
    figure.supylabel(ylabel, fontsize=13)
    return figure, panels


def _rank_panel(axes: Axes, rows: pd.DataFrame, x: str, network: str) -> None:
    """The median with bands of half of the images and of all; the bound where it is known."""
    colour, marker, line = _NETWORKS[network]
    for low, high, shade in (("min", "max", 0.22), ("lower", "upper", 0.45)):
        # A line as wide as a hair, so that images of one rank leave a trace too.
        axes.fill_between(rows[x], rows[low], rows[high], color=colour, alpha=shade, linewidth=0.5)
    sns.lineplot(
        rows, x=x, y="median", ax=axes, color=colour, linestyle=line, marker=marker, markersize=6,
        markeredgewidth=0, errorbar=None, legend=False, clip_on=False,
    )  # fmt: skip
    if "bound" in rows:
        axes.axhline(rows.bound.iloc[0], color="0.4", linestyle=":", linewidth=1.2, zorder=0)
    axes.set(xlabel="", ylabel="")


def _legend(figure: Figure, handles: list, columns: int = 3) -> None:
    figure.legend(handles=handles, loc="outside upper center", ncols=columns, fontsize=12)
