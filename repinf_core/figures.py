"""Arrays to matplotlib figures, one function per figure.

Every figure has an opaque background, is read at phone width, and uses one palette: a colour
means the same thing on every page, and never carries a meaning alone.
"""

import itertools
from collections.abc import Iterator, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

# Okabe and Ito's colours, told apart by colour-blind readers.
CONCEPT, MEMORY, CONTROL, TEST = "#0072B2", "#D55E00", "#5B5B5B", "#009E73"

mpl.rcParams.update(
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
        "legend.frameon": False,
    }
)
_WIDTH = 6.6  # inches: the text column of the book


def _show(axes: mpl.axes.Axes, image: np.ndarray, title: str = "") -> None:
    axes.imshow(
        np.asarray(image).reshape(28, 28), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest"
    )
    axes.set(xticks=[], yticks=[], title=title)
    axes.spines[:].set(visible=True, color="#C8C8C8", linewidth=0.6)


def _outline(axes: mpl.axes.Axes, colour: str, style: str) -> None:
    frame = Rectangle(
        (0, 0), 1, 1, transform=axes.transAxes, fill=False,
        edgecolor=colour, linewidth=4, linestyle=style, clip_on=False, zorder=5,
    )  # fmt: skip
    axes.add_patch(frame)


def architecture(n_z: int, n_hidden: int) -> Figure:
    """Fig. 10: encoder and decoder as layers, with their sizes and activations."""
    figure = Figure(figsize=(_WIDTH, 3.4))
    axes = figure.add_subplot()
    layers = [
        (0.0, 2.8, "784", "image\n$x$", "white"),
        (1.5, 3.4, f"{n_hidden:,}", "tanh", "#DCEBF5"),
        (3.0, 1.6, f"2·{n_z}", "$\\mu,\\ \\log\\,\\sigma^2$", "#DCEBF5"),
        (4.5, 1.2, f"{n_z}", "latent\n$z$", "white"),
        (6.0, 3.4, f"{n_hidden:,}", "tanh", "#FBE6D6"),
        (7.5, 2.8, "784", "sigmoid\n$E[x|z]$", "#FBE6D6"),
    ]
    for x, height, size, meaning, colour in layers:
        box = FancyBboxPatch(
            (x - 0.42, -height / 2), 0.84, height,
            boxstyle="round,pad=0,rounding_size=0.12", facecolor=colour, edgecolor="black",
        )  # fmt: skip
        axes.add_patch(box)
        axes.text(x, 0, size, ha="center", va="center", fontsize=12)
        axes.text(x, -1.95, meaning, ha="center", va="top", fontsize=12)
    for left, right in itertools.pairwise(layers):
        axes.add_patch(
            FancyArrowPatch(
                (left[0] + 0.44, 0), (right[0] - 0.44, 0), arrowstyle="-|>", mutation_scale=14
            )
        )
    axes.text(1.5, 2.0, r"encoder $q_\phi(z|x)$", ha="center", color=CONCEPT)
    axes.text(6.75, 2.0, r"decoder $p_\theta(x|z)$", ha="center", color=MEMORY)
    axes.text(3.75, 0.95, r"$z=\mu+\sigma\odot\epsilon$", ha="center", fontsize=12)
    axes.set(xlim=(-0.6, 8.1), ylim=(-3.1, 2.5))
    axes.axis("off")
    return figure


def training_curve(history: Sequence, floor: float) -> Figure:
    """-ELBO of training and test images over epochs, and its two terms on the test images.

    Args:
        history: one :class:`repinf_core.training.EpochRecord` per epoch.
        floor: lower bound of the reconstruction term on the test images, nats per image.
    """
    figure = Figure(figsize=(_WIDTH, 6.4))
    top, bottom = figure.subplots(2, 1, sharex=True)
    epochs = [record.epoch for record in history]
    test = [record.test_negative_elbo for record in history]
    top.plot(epochs, [r.train_negative_elbo for r in history], color=CONTROL, label="training")
    top.plot(epochs, test, color=TEST, linestyle="--", label="test")
    # The first epochs fall from hundreds of nats; the scale is that of what comes after.
    settled = test[min(len(test) - 1, max(2, len(test) // 50)) :]
    margin = 0.15 * (max(settled) - min(settled)) + 0.5
    top.set(ylabel="-ELBO (nats per image)", ylim=(min(settled) - 2 * margin, None))
    top.set_ylim(top=max(settled) + margin)
    top.legend()
    bottom.plot(epochs, [r.test_reconstruction for r in history], color=MEMORY)
    bottom.plot(epochs, [r.test_kl for r in history], color=CONCEPT)
    bottom.axhline(floor, color=CONTROL, linestyle=":")
    last = history[-1]
    for value, text in (
        (last.test_reconstruction, "reconstruction"),
        (last.test_kl, "KL"),
        (floor, "floor of the reconstruction"),
    ):
        above = value != floor or floor > last.test_reconstruction
        bottom.annotate(
            text, (epochs[-1], value), (0, 5 if above else -5), textcoords="offset points",
            ha="right", va="bottom" if above else "top",
        )  # fmt: skip
    bottom.set(xlabel="epoch", ylabel="test images (nats)", ylim=(0, None))
    return figure


def image_rows(rows: Sequence[tuple[str, np.ndarray]]) -> Figure:
    """Rows of images, each under its name; ``(name, [n, 784])``, the same n in every row."""
    columns = len(rows[0][1])
    figure = Figure(figsize=(_WIDTH, len(rows) * (_WIDTH / columns + 0.34)))
    for i, part in enumerate(figure.subfigures(len(rows), 1, squeeze=False)[:, 0]):
        name, images = rows[i]
        part.suptitle(name, fontsize=13, x=0.01, ha="left")
        for axes, image in zip(part.subplots(1, columns), images, strict=True):
            _show(axes, image)
    return figure


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
    figure = Figure(figsize=(_WIDTH, _WIDTH * height / columns), layout="none")

    def place(left: float, top: float, size: float) -> mpl.axes.Axes:
        box = (left / columns, 1 - (top + size) / height, size / columns, size / height)
        return figure.add_axes(box)

    for t, image in enumerate(shown):
        axes = place(margin + t % 10, 0.75 + t // 10, 0.94)
        _show(axes, image)
        if t % 10 == 0:
            axes.set_ylabel(f"{t}", rotation=0, ha="right", va="center", fontsize=11)
        if t == concept_step:
            _outline(axes, CONCEPT, "-")
        if t == memory_step:
            _outline(axes, MEMORY, (0, (2, 1)))
    figure.text(0.3 / columns, 1 - 0.5 / height, "t", fontsize=13, style="italic")
    beside = place(columns - side - 0.2, 0.75, side)
    _show(beside, concept_image, "concept")
    _outline(beside, CONCEPT, "-")
    return figure


def noise_readings(rows: Sequence[tuple[str, np.ndarray]], times: Sequence[int]) -> Figure:
    """x(t) at chosen times, one row per reading of the noise: ``(name, [len(times), 784])``."""
    figure = Figure(figsize=(_WIDTH, 1.25 * len(rows) + 0.3))
    grid = figure.subplots(len(rows), len(times), squeeze=False)
    for (name, images), line in zip(rows, grid, strict=True):
        for axes, image in zip(line, images, strict=True):
            _show(axes, image)
        line[0].set_ylabel(name, fontsize=12)
    for axes, t in zip(grid[0], times, strict=True):
        axes.set_title(f"t={t}", fontsize=11)
    return figure


def distance_panels(
    distances: np.ndarray, control: np.ndarray, names: Sequence[str], target: str
) -> Figure:
    """Fig. 3: mean distance to a target over time, one panel per label, with +-1 SEM.

    Args:
        distances: ``[labels, T+1, trials]``, of z(t) to the label's target.
        control: ``[labels, T+1, trials]``, of the synthetic linear interpolation.
        names: of the labels.
        target: ``"concept"`` or ``"memory"``.
    """
    colour = {"concept": CONCEPT, "memory": MEMORY}[target]
    rows = -(-len(names) // 2)
    figure = Figure(figsize=(_WIDTH, 1.95 * rows + 0.7))
    grid = figure.subplots(rows, 2, sharex=True)
    for axes, name, curves, line in zip(grid.flat, names, distances, control, strict=False):
        curves, mean = np.asarray(curves), np.asarray(curves).mean(1)
        sem = curves.std(1, ddof=1) / np.sqrt(curves.shape[1])
        steps, best = np.arange(len(mean)), int(mean.argmin())
        axes.plot(steps, np.asarray(line).mean(1), "--", color=CONTROL, label="straight line")
        axes.fill_between(steps, mean - sem, mean + sem, color=colour, alpha=0.3, linewidth=0)
        axes.plot(steps, mean, color=colour, label=f"z(t), ±1 SEM of {curves.shape[1]} trials")
        axes.plot(best, mean[best], "o", color="black", markersize=7, label="minimum of the mean")
        axes.set_title(name, loc="left", fontweight="bold")
        axes.annotate(
            f"t = {best}", (best, mean[best]), (9, -3), textcoords="offset points", va="top",
            fontsize=12, bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5},
        )  # fmt: skip
        axes.margins(y=0.22)
    figure.supxlabel("t (steps)", fontsize=13)
    figure.supylabel(f"distance to the {target}", fontsize=13)
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, fontsize=12)
    return figure


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
    figure = Figure(figsize=(_WIDTH, 5.8), dpi=100)
    canvas = FigureCanvasAgg(figure)
    top, bottom = figure.subfigures(2, 1, height_ratios=(1, 1.1))
    left, right = top.subplots(1, 2)
    _show(left, images[0])
    _show(right, concept_image, "image of the concept")
    _outline(right, CONCEPT, "-")
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
