"""Figures made of images: consecutive samples, rows of examples, the movie of one inference."""

from collections.abc import Iterator, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg

from repinf_core.figures.style import CONCEPT, MEMORY, WIDTH, Figure, outline, show_image, styled


@styled
def image_rows(rows: Sequence[tuple[str, np.ndarray]]) -> Figure:
    """Rows of images, each under its name; ``(name, [n, 784])``, the same n in every row."""
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
def strip(
    images: np.ndarray, concept_image: np.ndarray, concept_step: int, memory_step: int
) -> Figure:
    """Fig. 1: consecutive samples x(t), row after row, with the concept's image beside them.

    Args:
        images: x(t), ``[T+1, 784]``; the first hundred are shown, ten a row.
        concept_image: E_p(x|z)[x] at the concept, ``[784]``.
        concept_step: t at which z(t) is closest to the concept; outlined, solid.
        memory_step: t at which z(t) is closest to the memory; outlined, dashed.
    """
    shown = images[:100]
    rows = max(3, -(-len(shown) // 10))
    # Everything in units of one small image, so that the images touch and stay square.
    columns, margin, side = 14.4, 0.7, 3.0
    height = rows + 0.8
    figure = Figure(figsize=(WIDTH, WIDTH * height / columns), layout="none")

    def place(left: float, top: float, size: float) -> mpl.axes.Axes:
        box = (left / columns, 1 - (top + size) / height, size / columns, size / height)
        return figure.add_axes(box)

    for t, image in enumerate(shown):
        axes = place(margin + t % 10, 0.75 + t // 10, 0.94)
        show_image(axes, image)
        if t % 10 == 0:
            axes.set_ylabel(f"{t}", rotation=0, ha="right", va="center", fontsize=11)
        if t == concept_step:
            outline(axes, CONCEPT, "-")
        if t == memory_step:
            # Within the other frame where one image has both, or each would hide half of the other.
            outline(axes, MEMORY, (0, (2, 1)), inset=0.13 if t == concept_step else 0)
    figure.text(0.3 / columns, 1 - 0.5 / height, "t", fontsize=13, style="italic")
    beside = place(columns - side - 0.2, 0.75, side)
    show_image(beside, concept_image, "concept")
    outline(beside, CONCEPT, "-")
    return figure


@styled
def noise_readings(rows: Sequence[tuple[str, np.ndarray]], times: Sequence[int]) -> Figure:
    """x(t) at chosen times, one row per reading of the noise: ``(name, [len(times), 784])``."""
    figure = Figure(figsize=(WIDTH, len(rows) * (WIDTH - 0.4) / len(times) + 0.4))
    grid = figure.subplots(len(rows), len(times), squeeze=False)
    for (name, images), line in zip(rows, grid, strict=True):
        for axes, image in zip(line, images, strict=True):
            show_image(axes, image)
        line[0].set_ylabel(name, fontsize=14)
    for axes, t in zip(grid[0], times, strict=True):
        axes.set_title(f"t={t}", fontsize=13)
    return figure


@styled
def inference_frames(
    images: np.ndarray,
    concept_image: np.ndarray,
    concept_distances: np.ndarray,
    memory_distances: np.ndarray,
) -> Iterator[np.ndarray]:
    """Movie of one repeated inference: x(t), the concept, and both distances up to t.

    Args:
        images: x(t), ``[T+1, 784]``.
        concept_image: ``[784]``.
        concept_distances: ``[T+1]``, of z(t) to the concept.
        memory_distances: ``[T+1]``, of z(t) to the memory of the clean image.

    Yields:
        ``[height, width, 3]`` uint8, one frame per step.
    """
    figure = Figure(figsize=(WIDTH, 5.8), dpi=100)
    canvas = FigureCanvasAgg(figure)
    top, bottom = figure.subfigures(2, 1, height_ratios=(1, 1.1))
    left, right = top.subplots(1, 2)
    show_image(left, images[0])
    show_image(right, concept_image, "image of the concept")
    outline(right, CONCEPT, "-")
    axes = bottom.subplots()
    curves = []
    for distances, colour, style, name in (
        (concept_distances, CONCEPT, "-", "to the concept"),
        (memory_distances, MEMORY, "--", "to the memory"),
    ):
        axes.plot(distances, color=colour, alpha=0.2)
        (line,) = axes.plot([], [], style, color=colour, label=name)
        (point,) = axes.plot([], [], "o", color=colour, markersize=8)
        curves.append((np.asarray(distances), line, point))
    axes.set(xlabel="t (steps)", ylabel="distance of z(t)")
    axes.legend(loc="upper left", bbox_to_anchor=(0, 1.2), ncols=2)
    for t, image in enumerate(images):
        left.images[0].set_data(np.asarray(image).reshape(28, 28))
        left.set_title(f"x(t), t = {t}")
        for distances, line, point in curves:
            line.set_data(range(t + 1), distances[: t + 1])
            point.set_data([t], [distances[t]])
        canvas.draw()
        yield np.array(canvas.buffer_rgba())[..., :3]
