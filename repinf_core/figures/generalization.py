"""Figures of the generalization error against the latent dimension (Fig. 9)."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np

from repinf_core.figures.style import CONTROL, TEST, WIDTH, Figure, styled

_CURVES = (("black", "s", "--"), (TEST, "o", "-"), (CONTROL, "^", ":"), ("#8FC9B7", "D", "-."))


@styled
def best_of_settings(
    n_z: Sequence[int], objectives: np.ndarray, printed: tuple[float, float]
) -> Figure:
    """Fig. 9: the test objective of the best setting against N_z, and of each other one.

    Below, magnified, the last tenth of the fall from the first N_z to the best, if more than one
    N_z reaches it: by this much it may rise after the best and still count as flat.

    Args:
        n_z: latent dimensions ``[D]``, increasing.
        objectives: nats per image, ``[D, rates, minibatches]``; infinite where a training
            failed, but not everywhere.
        printed: the range of N_z that counts as the paper's minimum, shaded.
    """
    of_settings = objectives.reshape(len(n_z), -1)
    best = of_settings.min(1)
    star = int(best.argmin())
    tenth = 0.1 * (best[0] - best[star])
    flat = np.flatnonzero(best <= best[star] + tenth)
    magnified = len(flat) > 1 and 0 < tenth < np.inf
    figure = Figure(figsize=(WIDTH, 4.8 + 2.6 * magnified))
    panels = figure.subplots(
        1 + magnified, 1, squeeze=False, height_ratios=(1.8, 1)[: 1 + magnified]
    )
    for axes in panels[:, 0]:
        _draw_best(axes, n_z, of_settings, printed)
    whole, *below = panels[:, 0]
    _scale(whole, n_z, of_settings, best)
    whole.annotate(
        f"$N_z^* = {n_z[star]}$", (n_z[star], best[star]), (0, -14), textcoords="offset points",
        ha="center", va="top",
    )  # fmt: skip
    _count_above(whole, n_z, of_settings)
    for axes in below:
        _label(axes, [n_z[i] for i in range(flat[0], len(n_z))])
        axes.set_ylim(best[star] - 0.3 * tenth, best[star] + tenth)
        axes.set_title("the last tenth of the fall, magnified", loc="left", fontsize=12)
    handles, labels = whole.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=12)
    return figure


@styled
def by_setting(n_z: Sequence[int], objectives: Mapping[str, np.ndarray]) -> Figure:
    """The test objective against N_z, a line for each of several settings.

    Args:
        n_z: latent dimensions ``[D]``, increasing.
        objectives: name of a curve, such as its learning rate, to its values ``[D]``, nats per
            image; infinite where a training failed.
    """
    columns = np.stack(list(objectives.values()), 1)
    figure = Figure(figsize=(WIDTH, 4.8))
    axes = figure.subplots()
    _scale(axes, n_z, columns, columns.min(1))
    for i, (name, values) in enumerate(objectives.items()):
        colour, marker, line = _CURVES[i % len(_CURVES)]
        axes.plot(n_z, values, color=colour, marker=marker, linestyle=line, label=name)
    _count_above(axes, n_z, columns)
    figure.legend(loc="outside lower center", ncols=min(3, len(objectives)), fontsize=12)
    return figure


def _draw_best(
    axes: mpl.axes.Axes,
    n_z: Sequence[int],
    of_settings: np.ndarray,
    printed: tuple[float, float],
) -> None:
    """A line through the best of ``[D, settings]``, a dot for each, a circle about the smallest."""
    best, n_settings = of_settings.min(1), of_settings.shape[1]
    places = np.broadcast_to(np.asarray(n_z)[:, None], of_settings.shape)
    axes.plot(
        places.ravel(), of_settings.ravel(), "o", color=CONTROL, markersize=4, zorder=3,
        label=f"each of {n_settings} setting{'s' * (n_settings > 1)}",
    )  # fmt: skip
    axes.plot(
        n_z, best, "D-", color=TEST, markersize=11, markerfacecolor="white", markeredgewidth=2,
        label="best setting",
    )  # fmt: skip
    axes.axvspan(*printed, color="0.92", zorder=0, label="near the paper's minimum")
    star = int(best.argmin())
    axes.plot(n_z[star], best[star], "o", color="black", markersize=21, fillstyle="none")


def _label(axes: mpl.axes.Axes, n_z: Sequence[int]) -> None:
    """The axes of some N_z, a tick for each."""
    axes.set_xscale("log")
    axes.set_xticks(n_z, [str(dimension) for dimension in n_z], fontsize=12)
    axes.minorticks_off()
    axes.set(
        xlabel="latent variables $N_z$",
        ylabel="test objective\n(nats per image)",
        xlim=(n_z[0] / 1.2, n_z[-1] * 1.2),
    )


def _scale(
    axes: mpl.axes.Axes, n_z: Sequence[int], objectives: np.ndarray, best: np.ndarray
) -> None:
    """A scale on which the best can be told apart: a training that diverged does not set it.

    Args:
        axes: labelled and scaled.
        n_z: ``[D]``.
        objectives: all that is drawn, ``[D, curves]``.
        best: for each N_z, ``[D]``.
    """
    _label(axes, n_z)
    finite = best[np.isfinite(best)]
    unit = 0.1 * (finite.max() - finite.min()) + 1
    highest = finite.max() + 6 * unit
    shown = objectives[objectives <= highest].max()
    axes.set_ylim(finite.min() - 2.5 * unit, shown + unit)


def _count_above(axes: mpl.axes.Axes, n_z: Sequence[int], objectives: np.ndarray) -> None:
    """At the upper edge, how many points of each N_z lie above it."""
    above = (objectives > axes.get_ylim()[1]).sum(1)
    for dimension, count in zip(n_z, above, strict=True):
        if count:
            axes.annotate(
                f"{count}", (dimension, 1), xycoords=("data", "axes fraction"),
                ha="center", va="bottom", fontsize=12, color=CONTROL,
            )  # fmt: skip
