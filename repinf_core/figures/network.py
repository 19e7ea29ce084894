"""The network drawn as blocks (Fig. 10)."""

import itertools

from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from repinf_core.figures.style import WIDTH, Figure, styled

_LAYER = "#EAEAEA"


@styled
def architecture(n_z: int, n_hidden: int) -> Figure:
    """Fig. 10: encoder and decoder as layers, with their sizes and activations."""
    figure = Figure(figsize=(WIDTH, 3.4))
    axes = figure.add_subplot()
    layers = [
        (0.0, 2.8, "784", "image\n$x$", "white"),
        (1.5, 3.4, f"{n_hidden:,}", "tanh", _LAYER),
        (3.0, 1.6, f"2·{n_z}", "$\\mu,\\ \\log\\,\\sigma^2$", _LAYER),
        (4.5, 1.2, f"{n_z}", "latent\n$z$", "white"),
        (6.0, 3.4, f"{n_hidden:,}", "tanh", _LAYER),
        (7.5, 2.8, "784", "sigmoid\n$E[x|z]$", _LAYER),
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
                (left[0] + 0.44, 0),
                (right[0] - 0.44, 0),
                arrowstyle="-|>",
                mutation_scale=14,
                color="black",
            )
        )
    axes.text(1.5, 2.0, r"encoder $q_\phi(z|x)$", ha="center")
    axes.text(6.75, 2.0, r"decoder $p_\theta(x|z)$", ha="center")
    axes.text(3.75, 0.95, r"$z=\mu+\sigma\odot\epsilon$", ha="center", fontsize=12)
    axes.set(xlim=(-0.6, 8.1), ylim=(-3.1, 2.5))
    axes.axis("off")
    return figure
