"""The three convolutional networks: their training, what they reconstruct, and their latents."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from repinf_core.figures.style import (
    CONTROL,
    LABELS,
    TEST,
    WIDTH,
    Figure,
    same_scale,
    show_image,
    styled,
)
from repinf_core.studies.reconstructions import GAUSSIAN, NOISY, PIXEL, SAMPLED

_AXIS = {
    GAUSSIAN: "Gaussian noise: standard deviation",
    PIXEL: "pixel noise: share p of the pixels",
}
_DRAWN = {  # colour, marker, line: told apart in grey too
    NOISY: (CONTROL, "", ":"),
    "CAE": ("#E69F00", "s", "-"),
    "DAE": ("black", "o", "-"),
    "VAE": ("#56B4E9", "v", "-"),
    SAMPLED: ("#56B4E9", "", "--"),
}
_REPORTED = 25  # dB, of the VAE; it is known second-hand only
_STATES = {"clean": ("o", 16), "noisy": ("X", 26)}


@styled
def psnr_by_noise(quality: pd.DataFrame) -> Figure:
    """Mean PSNR to the clean image against the level of each noise, with its interval as a band.

    Args:
        quality: of :class:`repinf_core.studies.autoencoder_variants.AutoencoderVariants`.
    """
    figure = Figure(figsize=(WIDTH, 9))
    panels = figure.subplots(len(_AXIS), 1, sharey=True)
    for axes, (noise, name) in zip(panels, _AXIS.items(), strict=True):
        of_noise = quality[quality.noise == noise]
        for image, (colour, marker, line) in _DRAWN.items():
            rows = of_noise[of_noise.image == image]
            axes.fill_between(rows.level, rows.low, rows.high, color=colour, alpha=0.2, linewidth=0)
            sns.lineplot(
                rows, x="level", y="psnr", ax=axes, color=colour, linestyle=line, marker=marker,
                markersize=6, markeredgewidth=0, errorbar=None, label=image, legend=False,
            )  # fmt: skip
        axes.set(xlabel=name, ylabel="PSNR to the clean image (dB)")
        axes.set_xlim(of_noise.level.min(), of_noise.level.max())
    panels[0].axhline(_REPORTED, color="0.7", linewidth=1, label="VAE, as reported")
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=12
    )
    return figure


@styled
def examples_by_noise(
    examples: Mapping[str, Mapping[str, np.ndarray]], levels: Mapping[str, Sequence[str]]
) -> Figure:
    """One image with noise of several levels and what is decoded from it, a block for each noise.

    Args:
        examples: of :class:`repinf_core.studies.autoencoder_variants.AutoencoderVariants`.
        levels: likewise.
    """
    heights = [
        len(rows) * (WIDTH - 1.3) / len(levels[noise]) + 0.7 for noise, rows in examples.items()
    ]
    figure = Figure(figsize=(WIDTH, sum(heights)))
    parts = figure.subfigures(len(examples), 1, squeeze=False, height_ratios=heights)[:, 0]
    for part, (noise, rows) in zip(parts, examples.items(), strict=True):
        part.suptitle(_AXIS[noise], fontsize=13, fontweight="bold")
        grid = part.subplots(len(rows), len(levels[noise]), squeeze=False)
        for (name, images), line in zip(rows.items(), grid, strict=True):
            for axes, image in zip(line, images, strict=True):
                show_image(axes, image)
            label = name.replace(" ", "\n")
            line[0].set_ylabel(label, fontsize=12, rotation=0, ha="right", va="center")
        for axes, level in zip(grid[0], levels[noise], strict=True):
            axes.set_title(level, fontsize=12)
    return figure


@styled
def training_by_network(history: pd.DataFrame) -> Figure:
    """The objective over epochs, a panel for each network.

    Args:
        history: of :class:`repinf_core.studies.autoencoder_variants.AutoencoderVariants`.
    """
    networks = list(history.groupby("network", sort=False))
    figure = Figure(figsize=(WIDTH, 2.3 * len(networks) + 0.9))
    grid = figure.subplots(len(networks), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (network, rows) in zip(grid, networks, strict=True):
        for split, colour, line in (("training", CONTROL, "-"), ("test", TEST, "--")):
            sns.lineplot(
                rows, x="epoch", y=split, ax=axes, color=colour, linestyle=line, label=split,
                marker="o" if len(rows) == 1 else None, estimator=None, legend=False,
            )  # fmt: skip
        axes.set_title(network, loc="left", fontweight="bold")
        axes.set(xlabel="", ylabel="")
        settled = rows[["training", "test"]].iloc[len(rows) // 10 :]  # the first fall is steep
        margin = 0.1 * np.ptp(settled) + 0.5
        axes.set_ylim(settled.min(axis=None) - margin, settled.max(axis=None) + margin)
    grid[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.supxlabel("epoch", fontsize=13)
    figure.supylabel("objective (nats per image)", fontsize=13)
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2)
    return figure


@styled
def latents_by_network(places: pd.DataFrame) -> Figure:
    """Latents of clean and noisy images in planes: a row for each network, a column per method.

    A number in a circle stands at the median of a label's clean images.

    Args:
        places: of :class:`repinf_core.studies.autoencoder_variants.AutoencoderVariants`.
    """
    networks, methods = places.network.unique(), places.method.unique()
    figure = Figure(figsize=(WIDTH, 3.2 * len(networks) + 1.8))
    grid = figure.subplots(len(networks), len(methods), squeeze=False)
    for network, line in zip(networks, grid, strict=True):
        for method, axes in zip(methods, line, strict=True):
            _plane(axes, places[(places.network == network) & (places.method == method)])
            axes.set_title(f"{network}, {method}", loc="left", fontsize=12)
    names = places.drop_duplicates("label").sort_values("label")
    handles = [
        Line2D(
            [], [], marker="o", linestyle="none", color=LABELS[label],
            label=name if name == f"{label}" else f"{label} {name}",
        )
        for label, name in zip(names.label, names.name, strict=True)
    ] + [
        Line2D([], [], marker=marker, linestyle="none", color="black", label=state)
        for state, (marker, _) in _STATES.items()
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside upper center", ncols=4, fontsize=12)
    return figure


def _plane(axes: Axes, points: pd.DataFrame) -> None:
    for state, (marker, size) in _STATES.items():
        rows = points[points.state == state]
        axes.scatter(
            rows.x, rows.y, s=size, marker=marker, c=[LABELS[label] for label in rows.label],
            edgecolors="white", linewidths=0.3,
        )  # fmt: skip
    medians = points[points.state == "clean"].groupby("label")[["x", "y"]].median()
    for label, x, y in medians.itertuples():
        axes.text(
            x, y, f"{label}", fontsize=11, fontweight="bold", ha="center", va="center",
            bbox={"boxstyle": "circle,pad=0.12", "facecolor": "white", "edgecolor": LABELS[label]},
        )  # fmt: skip
    same_scale(axes, points[["x", "y"]].to_numpy(), 0.9)
    axes.set(xticks=[], yticks=[])
