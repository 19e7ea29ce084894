"""What all figures share: palette, type, the size of the text column, how an image is shown.

Every figure has an opaque background, is read at phone width, and uses one palette: a colour
means the same thing on every page, and never carries a meaning alone.
"""

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import matplotlib as mpl
import matplotlib.figure
import matplotlib.style
import numpy as np
from matplotlib.patches import Rectangle

# Okabe and Ito's colours, told apart by colour-blind readers.
CONCEPT, MEMORY, ABSTRACT = "#0072B2", "#D55E00", "#CC79A7"
CONTROL, TEST = "#5B5B5B", "#009E73"
PAIR = (CONTROL, "#BDBDBD")  # of two that are compared and are none of the above
# One colour a label, Tol's muted scheme; labels are always named beside it.
LABELS = (
    "#332288", "#88CCEE", "#44AA99", "#117733", "#999933",
    "#DDCC77", "#CC6677", "#882255", "#AA4499", "#777777",
)  # fmt: skip

_STYLE = (
    "default",  # matplotlib's own, whatever the reader's matplotlibrc says
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
# Signed values in heat maps: brown below zero, purple above; a dash marks the negative ones too.
SIGNED = "PuOr"
WIDTH = 6.6  # inches: the text column of the book


def styled(draw: Callable) -> Callable:
    """Of a function that returns a figure, or yields frames: the same, in the style of the book.

    matplotlib's settings are the reader's again when it returns, and between two frames.
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
    """A figure that is drawn in the style of the book too: ticks and fonts are chosen only then.

    A notebook draws it long after the function that made it.
    """

    def draw(self, renderer: mpl.backend_bases.RendererBase) -> None:
        with mpl.style.context(_STYLE):
            super().draw(renderer)

    def get_tightbbox(self, *arguments: Any, **named: Any) -> mpl.transforms.Bbox:
        with mpl.style.context(_STYLE):
            return super().get_tightbbox(*arguments, **named)


def show_image(axes: mpl.axes.Axes, image: np.ndarray, title: str = "") -> None:
    """An image ``[784]``, ink drawn black, without axes."""
    axes.imshow(
        np.asarray(image).reshape(28, 28), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest"
    )
    axes.set(xticks=[], yticks=[], title=title)
    axes.spines[:].set(visible=True, color="#C8C8C8", linewidth=0.6)


def outline(axes: mpl.axes.Axes, colour: str, style: str, inset: float = 0) -> None:
    """A frame around an image, or ``inset`` of its side within, told by its line style too."""
    side = 1 - 2 * inset
    frame = Rectangle(
        (inset, inset), side, side, transform=axes.transAxes, fill=False,
        edgecolor=colour, linewidth=4, linestyle=style, clip_on=False, zorder=5,
    )  # fmt: skip
    axes.add_patch(frame)


def leave_empty(grid: np.ndarray, shown: int) -> None:
    """Of panels ``[rows, 2]`` that share x, those after the first ``shown`` are not drawn."""
    for axes in grid.flat[shown:]:  # the panel above an empty place needs its own numbers
        axes.axis("off")
        grid.flat[shown - 2].tick_params(labelbottom=True)


def same_scale(axes: mpl.axes.Axes, points: np.ndarray, height: float) -> None:
    """A box ``height`` times as high as wide, one scale for x and y, that holds ``[..., 2]``."""
    low, high = points.reshape(-1, 2).min(0), points.reshape(-1, 2).max(0)
    span = 1.12 * ((high - low) / (1, height)).max() + 1e-6
    half = span * np.array([1, height]) / 2
    xlim, ylim = zip((low + high) / 2 - half, (low + high) / 2 + half, strict=True)
    axes.set(xlim=xlim, ylim=ylim, aspect="equal")
