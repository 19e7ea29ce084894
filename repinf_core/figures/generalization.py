"""Figures of the generalization error against the latent dimension (Fig. 9)."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from repinf_core.figures.style import CONTROL, TEST, WIDTH, Figure, styled

_CURVES = (("black", "s", "--"), (TEST, "o", "-"), (CONTROL, "^", ":"), ("#8FC9B7", "D", "-."))


@styled
def best_of_settings(
    trainings: pd.DataFrame, best: pd.DataFrame, printed: tuple[float, float]
) -> Figure:
    """Fig. 9: the test objective (nats per image) against N_z, of the best and all other settings.

    Below, the last tenth of the fall from the first N_z to the best is magnified, if more than one
    N_z reaches it.  The curve counts as flat if it rises by no more than this after the best.

    Args:
        trainings: table of :class:`repinf_core.studies.generalization.Generalization`; missing
            errors are counted at the upper edge, with the errors above it.
        best: likewise.
        printed: the range of N_z that counts as the paper's minimum, shaded.
    """
    star = best.loc[best.error.idxmin()]
    tenth = 0.1 * (best.error.iloc[0] - star.error)
    flat = best[best.error <= star.error + tenth]
    magnified = len(flat) > 1 and tenth > 0
    figure = Figure(figsize=(WIDTH, 4.8 + 2.6 * magnified))
    panels = figure.subplots(
        1 + magnified, 1, squeeze=False, height_ratios=(1.8, 1)[: 1 + magnified]
    )
    for axes in panels[:, 0]:
        _draw_best(axes, trainings, best, printed)
    whole, *below = panels[:, 0]
    _scale(whole, trainings, best.error)
    whole.annotate(
        f"$N_z^* = {star.n_z:.0f}$", (star.n_z, star.error), (0, -14), textcoords="offset points",
        ha="center", va="top",
    )  # fmt: skip
    _count_above(whole, trainings)
    for axes in below:
        _label(axes, best.n_z[best.n_z >= flat.n_z.min()])
        axes.set_ylim(star.error - 0.3 * tenth, star.error + tenth)
        axes.set_title("the last tenth of the fall, magnified", loc="left", fontsize=12)
    handles, labels = whole.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=12)
    return figure


@styled
def by_setting(curves: pd.DataFrame) -> Figure:
    """The test objective (nats per image) against N_z, a line for each of several settings.

    Args:
        curves: table of :class:`repinf_core.studies.generalization.Generalization`.
    """
    settings = curves.setting.unique()
    drawn = [_CURVES[i % len(_CURVES)] for i in range(len(settings))]
    figure = Figure(figsize=(WIDTH, 4.8))
    axes = figure.subplots()
    for setting, (colour, marker, line) in zip(settings, drawn, strict=True):
        sns.lineplot(
            curves[curves.setting == setting], x="n_z", y="error", errorbar=None, ax=axes,
            color=colour, marker=marker, markeredgecolor=colour, linestyle=line, label=setting,
            legend=False,
        )  # fmt: skip
    _scale(axes, curves, curves.groupby("n_z").error.min())
    _count_above(axes, curves)
    figure.legend(loc="outside lower center", ncols=min(3, len(settings)), fontsize=12)
    return figure


def _draw_best(
    axes: Axes, trainings: pd.DataFrame, best: pd.DataFrame, printed: tuple[float, float]
) -> None:
    """Draw a line through the best, a dot for each setting, and a circle around the smallest."""
    n_settings = len(trainings) // len(best)
    sns.lineplot(
        best, x="n_z", y="error", errorbar=None, ax=axes, color=TEST, marker="D", markersize=11,
        markerfacecolor="white", markeredgecolor=TEST, markeredgewidth=2, label="best setting",
        legend=False,
    )  # fmt: skip
    sns.scatterplot(
        trainings, x="n_z", y="error", ax=axes, color=CONTROL, s=22, linewidth=0, zorder=3,
        label=f"each of {n_settings} setting{'s' * (n_settings > 1)}", legend=False,
    )  # fmt: skip
    axes.axvspan(*printed, color="0.92", zorder=0, label="near the paper's minimum")
    star = best.loc[best.error.idxmin()]
    axes.plot(star.n_z, star.error, "o", color="black", markersize=21, fillstyle="none")


def _label(axes: Axes, n_z: pd.Series) -> None:
    """Label the axes, with a tick for each of the increasing ``n_z``."""
    axes.set_xscale("log")
    axes.set_xticks(n_z, [str(dimension) for dimension in n_z], fontsize=12)
    axes.minorticks_off()
    axes.set(
        xlabel="latent variables $N_z$",
        ylabel="test objective\n(nats per image)",
        xlim=(n_z.iloc[0] / 1.2, n_z.iloc[-1] * 1.2),
    )


def _scale(axes: Axes, drawn: pd.DataFrame, best: pd.Series) -> None:
    """Choose a scale that separates the best settings, whatever value a diverged training has.

    Args:
        axes: axes to label and scale.
        drawn: all points that are drawn, with ``n_z`` and ``error``.
        best: the smallest error of each N_z, in nats per image.
    """
    _label(axes, drawn.n_z.drop_duplicates().sort_values())
    unit = 0.1 * (best.max() - best.min()) + 1
    shown = drawn.error[drawn.error <= best.max() + 6 * unit].max()
    axes.set_ylim(best.min() - 2.5 * unit, shown + unit)


def _count_above(axes: Axes, drawn: pd.DataFrame) -> None:
    """Write at the upper edge how many points of each N_z lie above it or have failed."""
    above = drawn.error.fillna(np.inf) > axes.get_ylim()[1]
    for dimension, count in above.groupby(drawn.n_z).sum().items():
        if count:
            axes.annotate(
                f"{count}", (dimension, 1), xycoords=("data", "axes fraction"),
                ha="center", va="bottom", fontsize=12, color=CONTROL,
            )  # fmt: skip
