"""Figures of the generalization error against the latent dimension (Fig. 9)."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from repinf_core.figures.style import ABSTRACT, CONCEPT, CONTROL, MEMORY, TEST, WIDTH

_RATES = ((MEMORY, "s", "--"), (CONCEPT, "o", "-"), (ABSTRACT, "^", ":"), (CONTROL, "D", "-."))


def best_of_settings(
    n_z: Sequence[int], objectives: np.ndarray, printed: tuple[float, float]
) -> Figure:
    """Fig. 9: the test objective of the best setting against N_z, and of each other one.

    Args:
        n_z: latent dimensions ``[D]``, increasing.
        objectives: nats per image, ``[D, rates, minibatches]``; infinite where a training
            failed, but not everywhere.
        printed: the range of N_z that counts as the paper's minimum, shaded.
    """
    of_settings = objectives.reshape(len(n_z), -1)
    best = of_settings.min(1)
    figure = Figure(figsize=(WIDTH, 4.8))
    axes = _axes_for(figure, n_z, best)
    places = np.broadcast_to(np.asarray(n_z)[:, None], of_settings.shape)
    n_settings = of_settings.shape[1]
    axes.plot(
        places.ravel(), of_settings.ravel(), "o", color=CONTROL, alpha=0.5, markersize=5,
        label=f"each of {n_settings} setting{'s' * (n_settings > 1)}",
    )  # fmt: skip
    axes.plot(n_z, best, "D-", color=TEST, label="best setting")
    axes.axvspan(*printed, color="0.92", zorder=0, label="near the paper's minimum")
    star = int(best.argmin())
    axes.plot(n_z[star], best[star], "o", color="black", markersize=15, fillstyle="none")
    axes.annotate(
        f"$N_z^* = {n_z[star]}$", (n_z[star], best[star]), (0, -12), textcoords="offset points",
        ha="center", va="top",
    )  # fmt: skip
    _count_above(axes, n_z, of_settings)
    figure.legend(loc="outside lower center", ncols=2, fontsize=12)
    return figure


def by_rate(n_z: Sequence[int], rates: Sequence[float], objectives: np.ndarray) -> Figure:
    """The test objective against N_z, a line for each learning rate with its best minibatch.

    Args:
        n_z: latent dimensions ``[D]``, increasing.
        rates: learning rates.
        objectives: as for :func:`best_of_settings`.
    """
    of_rates = objectives.min(2)
    figure = Figure(figsize=(WIDTH, 4.8))
    axes = _axes_for(figure, n_z, of_rates.min(1))
    for column, rate in enumerate(rates):
        colour, marker, line = _RATES[column % len(_RATES)]
        axes.plot(
            n_z, of_rates[:, column], color=colour, marker=marker, linestyle=line,
            label=f"rate {rate:g}",
        )  # fmt: skip
    _count_above(axes, n_z, of_rates)
    figure.legend(loc="outside lower center", ncols=min(3, len(rates)), fontsize=12)
    return figure


def _axes_for(figure: Figure, n_z: Sequence[int], best: np.ndarray) -> mpl.axes.Axes:
    """A scale on which the best can be told apart: a training that diverged does not set it."""
    axes = figure.subplots()
    finite = best[np.isfinite(best)]
    unit = 0.1 * (finite.max() - finite.min()) + 1
    axes.set_xscale("log")
    axes.set_xticks(n_z, [str(dimension) for dimension in n_z], fontsize=12)
    axes.minorticks_off()
    axes.set(
        xlabel="latent variables $N_z$",
        ylabel="test objective (nats per image)",
        xlim=(n_z[0] / 1.2, n_z[-1] * 1.2),
        ylim=(finite.min() - 2.5 * unit, finite.max() + 6 * unit),
    )
    return axes


def _count_above(axes: mpl.axes.Axes, n_z: Sequence[int], objectives: np.ndarray) -> None:
    """At the upper edge, how many points of each N_z lie above it."""
    above = (objectives > axes.get_ylim()[1]).sum(1)
    for dimension, count in zip(n_z, above, strict=True):
        if count:
            axes.annotate(
                f"{count}", (dimension, 1), xycoords=("data", "axes fraction"),
                ha="center", va="bottom", fontsize=12, color=CONTROL,
            )  # fmt: skip
