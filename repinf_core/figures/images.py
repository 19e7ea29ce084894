"""Figures made of images: consecutive samples, rows of examples, the movie of one inference."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import FigureBase
from matplotlib.lines import Line2D

from repinf_core.figures.style import (
    CONCEPT,
    MEMORY,
    TIME_AXIS,
    WIDTH,
    Figure,
    outline,
    set_time,
    show_image,
    styled,
)


@styled
def image_rows(rows: Sequence[tuple[str, np.ndarray]]) -> Figure:
    """Rows of images, each below its name; ``(name, [n, 784])``, with the same n in every row."""
    columns = len(rows[0][1])
    figure = Figure(figsize=(WIDTH, len(rows) * (WIDTH / columns + 0.34)))
    for i, part in enumerate(figure.subfigures(len(rows), 1, squeeze=False)[:, 0]):
        name, images = rows[i]
        part.suptitle(name, fontsize=13, x=0.01, ha="left")
        line = part.subplots(1, columns, squeeze=False)[0]
        for axes, image in zip(line, images, strict=True):
            show_image(axes, image)
    return figure


@styled
def strip(images: np.ndarray, concept_image: np.ndarray, curves: pd.DataFrame) -> Figure:
    """Fig. 1: consecutive samples x(t), row after row, with the concept's image beside them.

    The sample x(t) is outlined at the step at which z(t) is closest to the concept (solid) and at
    the step at which it is closest to the memory (dashed).

    Args:
        images: x(t), ``[T+1, 784]``; the first hundred are shown, ten a row.
        concept_image: E_p(x|z)[x] at the concept, ``[784]``.
        curves: rows of the trial in
            :attr:`repinf_core.studies.repeated_inference.RepeatedInference.curves`.
    """
    shown = images[:100]
    closest = curves.loc[curves.groupby("target").distance.idxmin()].set_index("target").t
    rows = max(3, -(-len(shown) // 10))
    # All lengths are in units of one small image, so that the images touch and stay square.
    columns, margin, side = 14.4, 0.7, 3.0
    height = rows + 0.8
    figure = Figure(figsize=(WIDTH, WIDTH * height / columns), layout="none")

    def place(left: float, top: float, size: float) -> Axes:
        box = (left / columns, 1 - (top + size) / height, size / columns, size / height)
        return figure.add_axes(box)

    for t, image in enumerate(shown):
        axes = place(margin + t % 10, 0.75 + t // 10, 0.94)
        show_image(axes, image)
        if t % 10 == 0:
            axes.set_ylabel(f"{t}", rotation=0, ha="right", va="center", fontsize=11)
        if t == closest.concept:
            outline(axes, CONCEPT, "-")
        if t == closest.memory:
            # Inside the other frame if one image has both; otherwise each would hide half of one.
            outline(axes, MEMORY, (0, (2, 1)), inset=0.13 if t == closest.concept else 0)
    figure.text(0.3 / columns, 1 - 0.5 / height, "t", fontsize=13, style="italic")
    beside = place(columns - side - 0.2, 0.75, side)
    show_image(beside, concept_image, "concept")
    outline(beside, CONCEPT, "-")
    return figure


@styled
def samples_at(
    rows: Mapping[str, np.ndarray],
    times: Sequence[int],
    concept_images: np.ndarray | None = None,
) -> Figure:
    """x(t) at chosen times, one row for each name; beside it, if given, the image of its concept.

    Args:
        rows: x(t) at the times, ``[times, 784]``, by the name of the row.
        times: t of the columns, in steps.
        concept_images: ``[rows, 784]``.
    """
    columns = len(times) + (concept_images is not None)
    figure = Figure(figsize=(WIDTH, len(rows) * (WIDTH - 0.7) / columns + 0.4))
    grid = sample_rows(figure, rows, times, columns)
    if concept_images is not None:
        for axes, image in zip(grid[:, -1], concept_images, strict=True):
            show_image(axes, image)
            outline(axes, CONCEPT, "-")
        grid[0, -1].set_title("concept", fontsize=12)
    return figure


def sample_rows(
    part: FigureBase,
    rows: Mapping[str, np.ndarray],
    times: Sequence[int],
    columns: int | None = None,
) -> np.ndarray:
    """Draw x(t) at chosen times, a row each, in the first of the ``columns``; all axes."""
    grid = part.subplots(len(rows), columns or len(times), squeeze=False)
    for (name, images), line in zip(rows.items(), grid, strict=True):
        for axes, image in zip(line[: len(times)], images, strict=True):
            show_image(axes, image)
        line[0].set_ylabel(name, fontsize=12, rotation=0, ha="right", va="center")
    for axes, t in zip(grid[0, : len(times)], times, strict=True):
        axes.set_title(f"t={t}", fontsize=12)
    return grid


@styled
def inference_frames(
    images: np.ndarray, concept_image: np.ndarray, curves: pd.DataFrame
) -> Iterator[np.ndarray]:
    """Movie of one repeated inference: x(t), the concept, and the distances up to t.

    Args:
        images: x(t), ``[T+1, 784]``.
        concept_image: ``[784]``.
        curves: rows of the trial, as in :func:`strip`.

    Yields:
        ``[height, width, 3]`` uint8, one frame per step.
    """
    figure = Figure(figsize=(WIDTH, 4.6), dpi=200)
    canvas = FigureCanvasAgg(figure)
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.75))
    upper, lower = left.subplots(2, 1)
    show_image(upper, images[0])
    show_image(lower, concept_image, "concept")
    outline(lower, CONCEPT, "-")
    axes = right.subplots()
    drawn = [
        (of_target.distance.to_numpy(), *_growing(axes, of_target, *_TARGETS[target]))
        for target, of_target in curves.groupby("target")
    ]
    set_time(axes, [t for t in (0, 5, 10, 20, 50, 100) if t < len(images)])
    axes.set(xlabel=TIME_AXIS, ylabel="distance of z(t)")
    right.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    for t, image in enumerate(images):
        upper.images[0].set_data(np.asarray(image).reshape(28, 28))
        upper.set_title(f"x(t), t = {t}")
        for distances, line, point in drawn:
            line.set_data(range(t + 1), distances[: t + 1])
            point.set_data([t], [distances[t]])
        canvas.draw()
        figure.set_layout_engine("none")  # the layout is fixed after the first frame
        yield np.array(canvas.buffer_rgba())[..., :3]


_TARGETS = {"concept": (CONCEPT, "-", "to the concept"), "memory": (MEMORY, "--", "to the memory")}


def _growing(
    axes: Axes, curve: pd.DataFrame, colour: str, style: str, name: str
) -> tuple[Line2D, Line2D]:
    """Draw the whole curve in a pale colour; returns the line and the point that follow it."""
    sns.lineplot(curve, x="t", y="distance", ax=axes, color=colour, alpha=0.2, legend=False)
    (line,) = axes.plot([], [], style, color=colour, label=name)
    (point,) = axes.plot([], [], "o", color=colour, markersize=8)
    return line, point
