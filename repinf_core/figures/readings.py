"""Figure of the readings that the paper leaves open: time of the closest approach in each."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from repinf_core.figures.style import CONCEPT, MEMORY, WIDTH

_LINES = ("-", "--", "-.", ":")
_MARKERS = ("o", "s", "^", "D")


def times_by_reading(
    p: Sequence[float],
    times: Mapping[tuple[str, float], Mapping[str, np.ndarray]],
    printed: tuple[float, float],
) -> Figure:
    """Mean time of the closest approach against the noise, a line for every reading.

    Args:
        p: noise fractions ``[P]``.
        times: (noise, beta) to the mean times ``[P]`` of ``"memory"`` and ``"concept"``, steps.
        printed: the range of steps that the paper prints for the concept, shaded.
    """
    noises = list(dict.fromkeys(noise for noise, _ in times))
    betas = list(dict.fromkeys(beta for _, beta in times))
    figure = Figure(figsize=(WIDTH, 6.2))
    grid = figure.subplots(2, len(noises), sharex=True, sharey="row", squeeze=False)
    shades = np.linspace(1.0, 0.45, len(betas))
    for row, (centre, colour) in zip(grid, (("memory", MEMORY), ("concept", CONCEPT)), strict=True):
        for axes, noise in zip(row, noises, strict=True):
            for i, beta in enumerate(betas):
                axes.plot(
                    p, times[noise, beta][centre], color=colour, alpha=shades[i],
                    linestyle=_LINES[i % 4], marker=_MARKERS[i % 4], markersize=5,
                    label=rf"$\beta={beta:g}$",
                )  # fmt: skip
            if centre == "concept":
                axes.axhspan(*printed, color="0.9", zorder=0)
            axes.set_title(f"{centre}, {noise}", loc="left")
            axes.set(xticks=(0, 0.5, 1), xticklabels=("0", "0.5", "1"))
    figure.supxlabel("noise fraction p", fontsize=13)
    figure.supylabel("mean t of the smallest distance (steps)", fontsize=13)
    handles, labels = grid[1, 0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper center", ncols=min(4, len(betas)), fontsize=12
    )
    return figure
