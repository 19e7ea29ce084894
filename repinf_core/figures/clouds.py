"""Figures and movies of the collective dynamics: the trials of a label over time."""

import string
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.lines import Line2D

from repinf_core.figures.images import image_rows
from repinf_core.figures.style import (
    CONCEPT,
    LABELS,
    WIDTH,
    Figure,
    leave_empty,
    same_scale,
    show_image,
    styled,
)
from repinf_core.studies.collective_dynamics import Cloud

# windowed_pca turns the two components within their plane, so neither axis is a component.
_AXES = ("axis 1 of the plane of the two leading components", "axis 2 of the plane")
_EDGE = {"edgecolors": "#222222", "linewidths": 0.5}  # the edge makes the palest label visible
_HEIGHT = 5.9  # inches, of a movie
_BADGE = {"boxstyle": "circle,pad=0.15", "facecolor": "white", "edgecolor": "black"}
_LETTER = {"fontsize": 10, "fontweight": "bold", "ha": "center", "va": "center"}
_STAR = {"color": "black", "markeredgecolor": "white", "markeredgewidth": 1.2, "markersize": 21}


@styled
def collective(
    places: pd.DataFrame, concept_places: pd.DataFrame, names: Sequence[str], label: int
) -> Figure:
    """Fig. 2: all trials at several times, in the plane of the time-windowed PCA.

    Args:
        places: table of :class:`repinf_core.studies.collective_dynamics.CollectiveDynamics`.
        concept_places: likewise; the place of the label's concept at the same times.
        names: names of all labels.
        label: label of the trials.
    """
    panels = list(places.groupby("t"))
    rows = -(-len(panels) // 2)
    figure = Figure(figsize=(WIDTH, 2.8 * rows + 1.4))
    grid = figure.subplots(rows, 2, sharex=True, sharey=True, squeeze=False)
    both = pd.concat([places, concept_places])[["axis_1", "axis_2"]].to_numpy()
    for axes, (t, panel) in zip(grid.flat, panels, strict=False):
        sns.scatterplot(
            panel, x="axis_1", y="axis_2", hue="nearest", hue_order=names, palette=[*LABELS],
            s=22, edgecolor="#222222", linewidth=0.5, legend=False, ax=axes,
        )  # fmt: skip
        star = concept_places[concept_places.t == t]
        axes.plot(star.axis_1, star.axis_2, "*", **_STAR)
        axes.set_title(f"t = {t}", loc="left")
        axes.set(xlabel="", ylabel="")
        same_scale(axes, both, 0.85)
    leave_empty(grid, len(panels))
    figure.supxlabel(_AXES[0], fontsize=13)
    figure.supylabel(_AXES[1], fontsize=13)
    present = [name for name in names if name in set(places.nearest)]
    _label_legend(figure, present, names, names[label], "outside upper center")
    return figure


def _label_legend(
    figure: Figure, present: Sequence[str], names: Sequence[str], own: str, place: str
) -> None:
    """Add a legend with the colours of the labels, and with the star."""
    of_labels = [
        Line2D([], [], marker="o", linestyle="none", color=LABELS[names.index(name)],
               markeredgecolor="#222222", markersize=9, label=name)
        for name in present
    ]  # fmt: skip
    star = Line2D([], [], marker="*", linestyle="none", label=f"concept of '{own}'", **_STAR)
    star.set_markersize(15)
    figure.legend(
        handles=[*of_labels, star], title="colour: the nearest concept", title_fontsize=12,
        loc=place, ncols=4, fontsize=12, handletextpad=0.2, columnspacing=1,
    )  # fmt: skip


@styled
def collective_frames(cloud: Cloud, names: Sequence[str]) -> Iterator[np.ndarray]:
    """Movies S1-S10: a frame per step, ``[1180, 1320, 3]`` uint8, twice the size on the page.

    A frame shows the cloud in its plane, coloured by the nearest concept.  Beside it are the images
    decoded from some of its trials, and the mean distance to the concept.

    Args:
        cloud: one of :class:`repinf_core.studies.collective_dynamics.CollectiveDynamics`.
        names: names of all labels.
    """
    figure = Figure(figsize=(WIDTH, _HEIGHT), dpi=200, layout="none")
    canvas = FigureCanvasAgg(figure)
    parts = (_Plane(figure, cloud), _Decoded(figure, cloud, names), _Curve(figure, cloud.distance))
    # At the top: a player's controls cover the foot of a movie.
    _label_legend(figure, names, names, cloud.name, "upper center")
    moving = [artist for part in parts for artist in part.moving]
    for artist in moving:
        artist.set_animated(True)
    canvas.draw()
    still = canvas.copy_from_bbox(figure.bbox)  # drawn once: it takes most of the time
    for t in range(len(cloud.places)):
        for part in parts:
            part.show(t)
        canvas.restore_region(still)
        for artist in moving:
            artist.draw(canvas.get_renderer())
        yield np.array(canvas.buffer_rgba())[..., :3]


def _axes_in_inches(
    figure: Figure, left: float, bottom: float, width: float, height: float
) -> Axes:
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up))


class _Plane:
    """The cloud at t, with letters at the trials whose images are shown beside it."""

    def __init__(self, figure: Figure, cloud: Cloud) -> None:
        self.cloud = cloud
        axes = _axes_in_inches(figure, 0.65, 0.65, 3.5, 3.8)
        self.dots = axes.scatter(*cloud.places[0].T, s=22, **_EDGE)
        (self.star,) = axes.plot(*cloud.concept[0], "*", **_STAR)
        self.letters = [
            axes.text(0, 0, letter, bbox=_BADGE, **_LETTER)
            for letter in string.ascii_uppercase[: cloud.images.shape[1]]
        ]
        self.counter = axes.text(0, 1.02, "", fontsize=17, transform=axes.transAxes)
        self.moving = [self.dots, self.star, *self.letters, self.counter]
        axes.set_xlabel("axis 1 of the plane", fontsize=12)
        axes.set_ylabel("axis 2 of the plane", fontsize=12)
        axes.tick_params(labelsize=11)
        everything = np.concatenate([cloud.places, cloud.concept[:, None]], axis=1)
        same_scale(axes, everything, 3.8 / 3.5)

    def show(self, t: int) -> None:
        here = self.cloud.places[t]
        self.dots.set_offsets(here)
        self.dots.set_facecolor([LABELS[label] for label in self.cloud.nearest[t]])
        self.star.set_data(*self.cloud.concept[t, :, None])
        for letter, place in zip(self.letters, here, strict=False):
            letter.set_position(place)
        self.counter.set_text(f"t = {t}")


class _Decoded:
    """Images decoded from the lettered trials at t; frame and name show the nearest concept."""

    def __init__(self, figure: Figure, cloud: Cloud, names: Sequence[str]) -> None:
        self.cloud, self.names = cloud, names
        self.images, self.names_shown, self.moving = [], [], []
        for trial, image in enumerate(cloud.images[0]):
            row, column = divmod(trial, 2)
            axes = _axes_in_inches(figure, 4.45 + 1.1 * column, 3.27 - 1.23 * row, 0.95, 0.95)
            show_image(axes, image)
            axes.spines[:].set(linewidth=4)
            name = axes.text(0.5, 1.05, "", fontsize=11, ha="center", transform=axes.transAxes)
            letter = axes.text(
                0.03, 0.97, string.ascii_uppercase[trial], transform=axes.transAxes, bbox=_BADGE,
                **_LETTER,
            )  # fmt: skip
            self.images.append(axes)
            self.names_shown.append(name)
            self.moving += [*axes.images, *axes.spines.values(), name, letter]
        figure.text(5.47 / WIDTH, 4.52 / _HEIGHT, "decoded from z(t)", fontsize=12, ha="center")

    def show(self, t: int) -> None:
        for trial, axes in enumerate(self.images):
            nearest = self.cloud.nearest[t, trial]
            axes.images[0].set_data(self.cloud.images[t, trial].reshape(28, 28))
            axes.spines[:].set_color(LABELS[nearest])
            self.names_shown[trial].set_text(self.names[nearest])


class _Curve:
    """The mean distance to the concept up to t, and all of it in a pale colour."""

    def __init__(self, figure: Figure, distance: np.ndarray) -> None:
        self.distance = distance
        axes = _axes_in_inches(figure, 4.7, 0.65, 1.75, 0.95)
        axes.plot(distance, color=CONCEPT, alpha=0.25)
        (line,) = axes.plot([], [], color=CONCEPT)
        (dot,) = axes.plot([], [], "o", color=CONCEPT, markersize=8, clip_on=False)
        self.moving = [line, dot]
        axes.set_title("mean distance to concept", fontsize=11, loc="right")
        axes.set_xlabel("t (steps)", fontsize=12)
        axes.tick_params(labelsize=11)
        axes.margins(y=0.12)

    def show(self, t: int) -> None:
        line, dot = self.moving
        line.set_data(range(t + 1), self.distance[: t + 1])
        dot.set_data([t], self.distance[[t]])


def group_images(groups: pd.DataFrame, images: Sequence[np.ndarray]) -> Figure:
    """Suppl. B: images decoded from the groups of trials, a row for each group.

    Args:
        groups: table of :class:`repinf_core.studies.collective_dynamics.CollectiveDynamics`.
        images: its ``group_images``, ``[n, 784]`` for each group.
    """
    titles = [
        f"group {row.group}: {row.trials} trials, own concept nearest to {row.nearest_own:.0%}"
        for row in groups.itertuples()
    ]
    return image_rows([*zip(titles, images, strict=True)])


def collective_description(cloud: Cloud) -> str:
    """A description of a cloud's movie, for readers who cannot see it."""
    steps, trials = len(cloud.places) - 1, cloud.places.shape[1]
    return (
        f"'{cloud.name}': the latent states of {trials} noisy images, t = 0 to {steps}, coloured "
        f"by the nearest concept. Star: the concept of '{cloud.name}'. Right: images decoded from "
        f"the lettered states, and the mean distance to the concept."
    )
