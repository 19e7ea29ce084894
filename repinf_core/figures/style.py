"""The common style of all figures: palette, fonts, width of the text column, and images.

Every figure has an opaque background, is readable at the width of a phone, and uses one palette.  A
colour means the same thing on every page, and no meaning depends on colour alone.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import matplotlib as mpl
import matplotlib.figure
import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullLocator

# Okabe and Ito's colours, which colour-blind readers can distinguish.
CONCEPT, MEMORY, ABSTRACT = "#0072B2", "#D55E00", "#CC79A7"
CONTROL, TEST = "#5B5B5B", "#009E73"
PAIR = (CONTROL, "#BDBDBD")  # of any other two that are compared
# One colour for each label, from Tol's muted scheme; the label's name is always beside it.
LABELS = (
    "#332288", "#88CCEE", "#44AA99", "#117733", "#999933",
    "#DDCC77", "#CC6677", "#882255", "#AA4499", "#777777",
)  # fmt: skip

_STYLE = (
    "default",  # matplotlib's own: the reader's matplotlibrc is ignored
    {
        "figure.facecolor": "white",
        "figure.dpi": 100,
        "figure.constrained_layout.use": True,
        "savefig.facecolor": "white",
        "font.size": 13,
        "axes.titlesize": 13,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "lines.linewidth": 2,
        "hatch.linewidth": 0.6,
        "legend.frameon": False,
    },
)
# Signed values in heat maps: brown below zero, purple above; dashes mark negative values too.
SIGNED = "PuOr"
WIDTH = 6.6  # inches, the width of the book's text column


def styled(draw: Callable) -> Callable:
    """Decorate a function that returns a figure, or yields frames, to draw in the book's style.

    matplotlib's settings are restored when it returns, and between two frames.
    """

    @functools.wraps(draw)
    def figure(*arguments: Any, **named: Any) -> Any:
        with mpl.style.context(_STYLE):
            return draw(*arguments, **named)

    @functools.wraps(draw)
    def frames(*arguments: Any, **named: Any) -> Iterator[np.ndarray]:
        ours = draw(*arguments, **named)
        while True:
            with mpl.style.context(_STYLE):
                frame = next(ours, None)
            if frame is None:
                return
            yield frame

    return frames if inspect.isgeneratorfunction(draw) else figure


class Figure(mpl.figure.Figure):
    """A figure that is also rendered in the book's style, when ticks and fonts are chosen.

    A notebook renders a figure long after the function that made it has returned.
    """

    def draw(self, renderer: mpl.backend_bases.RendererBase) -> None:
        with mpl.style.context(_STYLE):
            super().draw(renderer)

    def get_tightbbox(self, *arguments: Any, **named: Any) -> mpl.transforms.Bbox:
        with mpl.style.context(_STYLE):
            return super().get_tightbbox(*arguments, **named)


def show_image(axes: mpl.axes.Axes, image: np.ndarray, title: str = "") -> None:
    """Show an image ``[784]``, with black ink and without axes."""
    axes.imshow(
        np.asarray(image).reshape(28, 28), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest"
    )
    axes.set(xticks=[], yticks=[], title=title)
    axes.spines[:].set(visible=True, color="#C8C8C8", linewidth=0.6)


def outline(axes: mpl.axes.Axes, colour: str, style: str, inset: float = 0) -> None:
    """Draw a frame around an image, ``inset`` of its side inwards; its line style differs too."""
    side = 1 - 2 * inset
    frame = Rectangle(
        (inset, inset), side, side, transform=axes.transAxes, fill=False,
        edgecolor=colour, linewidth=4, linestyle=style, clip_on=False, zorder=5,
    )  # fmt: skip
    axes.add_patch(frame)


def leave_empty(grid: np.ndarray, shown: int) -> None:
    """Hide the panels after the first ``shown`` in a grid ``[rows, 2]`` that shares x."""
    for axes in grid.flat[shown:]:  # the panel above an empty one needs tick labels
        axes.axis("off")
        grid.flat[shown - 2].tick_params(labelbottom=True)


def same_scale(axes: mpl.axes.Axes, points: np.ndarray, height: float) -> None:
    """Make the box ``height`` times as high as wide, with one scale, around points ``[..., 2]``."""
    low, high = points.reshape(-1, 2).min(0), points.reshape(-1, 2).max(0)
    span = 1.12 * ((high - low) / (1, height)).max() + 1e-6
    half = span * np.array([1, height]) / 2
    xlim, ylim = zip((low + high) / 2 - half, (low + high) / 2 + half, strict=True)
    axes.set(xlim=xlim, ylim=ylim, aspect="equal")


TIME_AXIS = "t (steps, logarithmic from 10 on)"
"""The label of :func:`set_time`'s axis."""


def set_time(axes: Axes, ticks: Iterable[int]) -> None:
    """A time axis with as much room for the first ten steps as for the next ninety.

    Args:
        axes: whose x is t, in steps.
        ticks: the steps that are labelled.
    """
    axes.set_xscale("symlog", linthresh=10, linscale=1)
    axes.set_xticks([*ticks])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())
