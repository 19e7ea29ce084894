"""Figure of the course of a training."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from repinf_core.figures.style import CONTROL, TEST, WIDTH, Figure, styled


@styled
def training_curve(history: pd.DataFrame, floor: float) -> Figure:
    """Over epochs: the objective, its two terms on the test images, and the active latents.

    Args:
        history: table of :class:`repinf_core.studies.model.Model`.
        floor: lower bound of the reconstruction term on the test images, in nats per image.
    """
    figure = Figure(figsize=(WIDTH, 8.6))
    top, middle, bottom = figure.subplots(3, 1, sharex=True, height_ratios=(3, 3, 2))
    _line(top, history, "train_negative_elbo", CONTROL, "-", label="training")
    _line(top, history, "test_negative_elbo", TEST, "--", label="test")
    top.set(ylabel="objective (nats per image)", ylim=_after_the_fall(history))
    _line(middle, history, "test_reconstruction", TEST, "-")
    _line(middle, history, "test_kl", TEST, "-.")
    middle.axhline(floor, color=CONTROL, linestyle=":")
    last = history.iloc[-1]
    for value, text in (
        (last.test_reconstruction, "reconstruction"),
        (last.test_kl, "KL"),
        (floor, "floor of the reconstruction"),
    ):
        above = value != floor  # the reconstruction is never below its floor
        middle.annotate(
            text, (last.epoch, value), (0, 5 if above else -5), textcoords="offset points",
            ha="right", va="bottom" if above else "top",
        )  # fmt: skip
    middle.set(ylabel="test images (nats)", ylim=(0, None))
    _line(bottom, history, "active_latents", TEST, "-")
    bottom.set(xlabel="epoch", ylabel="active latents", ylim=(0, None))
    return figure


def _line(
    axes: Axes, history: pd.DataFrame, y: str, colour: str, style: str, label: str | None = None
) -> None:
    dot = "o" if len(history) == 1 else None  # a single point draws no line
    sns.lineplot(
        history, x="epoch", y=y, ax=axes, color=colour, linestyle=style, label=label, marker=dot,
        markeredgewidth=0, estimator=None,
    )  # fmt: skip


def _after_the_fall(history: pd.DataFrame) -> tuple[float, float]:
    """Limits of the objective axis, which may cut off the first epochs, hundreds of nats higher."""
    train, test = history.train_negative_elbo, history.test_negative_elbo
    settled = test[min(len(test) - 1, max(2, len(test) // 50)) :]
    margin = 0.15 * (settled.max() - settled.min()) + 0.5
    return min(settled.min(), train.min()) - margin, settled.max() + margin
