"""Figure of the readings that the paper leaves open: time of the closest approach in each."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D

from repinf_core.figures.style import CONCEPT, CONTROL, MEMORY, WIDTH, Figure, styled

_LINES = ("-", "--", "-.", ":")
_MARKERS = ("o", "s", "^", "D")


@styled
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
    # Opaque, or dashes would show through one another.
    styles = [
        {"linestyle": _LINES[i % 4], "marker": _MARKERS[i % 4], "markersize": 5, "linewidth": 1.5}
        for i in range(len(betas))
    ]
    shades = np.linspace(1, 0.65, len(betas))
    for row, (centre, colour) in zip(grid, (("memory", MEMORY), ("concept", CONCEPT)), strict=True):
        for axes, noise in zip(row, noises, strict=True):
            for beta, style, shade in zip(betas, styles, shades, strict=True):
                axes.plot(
                    p, times[noise, beta][centre], color=_paler(colour, shade), markevery=2, **style
                )
            if centre == "concept":
                axes.axhspan(*printed, color="0.9", zorder=0)
            axes.set_title(f"{centre}, {noise}", loc="left")
            axes.set(xticks=(0, 0.5, 1), xticklabels=("0", "0.5", "1"))
    figure.supxlabel("noise fraction p", fontsize=13)
    figure.supylabel("mean t of the smallest distance (steps)", fontsize=13)
    # In grey, as the rows differ in colour.
    handles = [
        Line2D([], [], color=_paler(CONTROL, shade), label=rf"$\beta={beta:g}$", **style)
        for beta, style, shade in zip(betas, styles, shades, strict=True)
    ]
    figure.legend(
        handles=handles, loc="outside upper center", ncols=min(4, len(betas)), fontsize=12
    )
    return figure


def _paler(colour: str, strength: float) -> np.ndarray:
    """A colour on white, opaque: itself at strength 1, white at 0."""
    return 1 - strength * (1 - np.array(to_rgb(colour)))
