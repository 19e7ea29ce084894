"""How good an image is after t steps, and what becomes of it by each way to choose t."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from repinf_core.figures.style import CONTROL, WIDTH, Figure, leave_empty, styled
from repinf_core.studies.step_methods import (
    ADVICE,
    BEST,
    BEST_EACH,
    DENOISER,
    GOALS,
    NOISY,
    ONE_PASS,
    RULE,
)
from repinf_core.studies.steps_advice import BELOW, WINDOW, judged

_DENOISE, _LABEL = GOALS
_AXIS = {_DENOISE: "PSNR to the clean image (dB)", _LABEL: "accuracy of the label"}
_CURVE = "#56B4E9"
_DRAWN = {  # colour, marker, line: told apart in grey too
    NOISY: (CONTROL, "", ":"),
    ONE_PASS: (_CURVE, "v", "-"),
    ADVICE: ("#E69F00", "s", "--"),
    RULE: ("black", "o", "-"),
    BEST: ("#7F3C8D", "D", "-"),
    BEST_EACH: ("#7F3C8D", "", "-."),
    DENOISER: ("#7A4A00", "", "--"),
}
_PANELS = 6  # noise fractions shown


@styled
def quality_by_step(curves: pd.DataFrame, methods: pd.DataFrame, goal: str) -> Figure:
    """PSNR or accuracy against t, a panel for each of some noise fractions, with the choices of t.

    Args:
        curves: of :class:`repinf_core.studies.how_many_steps.HowManySteps`.
        methods: likewise.
        goal: of its goals.
    """
    curves, methods = (of[of.goal == goal] for of in (curves, methods))
    all_p = curves.p.unique()
    all_p = all_p[judged(all_p)]
    shown = all_p[np.linspace(0, len(all_p) - 1, min(_PANELS, len(all_p))).round().astype(int)]
    rows = -(-len(shown) // 2)
    figure = Figure(figsize=(WIDTH, 2.3 * rows + 1.3))
    grid = figure.subplots(rows, 2, sharex=True, squeeze=False)
    for axes, p in zip(grid.flat, shown, strict=False):
        _panel(axes, curves[curves.p == p], methods[methods.p == p].set_index("method"), goal)
        axes.set_title(f"p = {p:g}", loc="left", fontweight="bold")
    leave_empty(grid, len(shown))
    figure.supxlabel("t (steps)", fontsize=13)
    figure.supylabel(_AXIS[goal], fontsize=13)
    named = {
        label: handle
        for axes in grid.flat
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(named.values(), named.keys(), loc="outside upper center", ncols=2, fontsize=12)
    return figure


def _panel(axes: Axes, curve: pd.DataFrame, methods: pd.DataFrame, goal: str) -> None:
    axes.fill_between(curve.t, curve.low, curve.high, color=_CURVE, alpha=0.3, linewidth=0)
    axes.plot(curve.t, curve.value, color=_CURVE, label="decoded from z(t)")
    for name in (NOISY, DENOISER):
        value = methods.value[name]
        if not np.isnan(value):
            colour, _, line = _DRAWN[name]
            axes.axhline(value, color=colour, linestyle=line, label=name)
    if goal == _LABEL:
        axes.axvspan(*WINDOW, color=_DRAWN[ADVICE][0], alpha=0.2, linewidth=0)
    for name, size in ((BEST, 11), (ADVICE, 8), (RULE, 6)):  # the smaller lies on the larger
        colour, marker, _ = _DRAWN[name]
        axes.plot(
            methods.steps[name], methods.value[name], marker, color=colour, markersize=size,
            label=f"{name}, mean t" if name == RULE else name,
        )  # fmt: skip
    axes.set_xscale("symlog", linthresh=1)
    last = curve.t.max()
    ticks = [t for t in (0, 1, 3, 10, 30, 100, 300, 1000) if t <= last]
    axes.set_xticks(ticks, map(str, ticks))
    axes.set_xticks([], minor=True)
    axes.set(xlabel="", ylabel="", xlim=(-0.15, last * 1.05))
    axes.margins(y=0.1)


@styled
def methods_by_noise(methods: pd.DataFrame) -> Figure:
    """PSNR and accuracy against the noise fraction, a line for each way to choose t.

    Args:
        methods: of :class:`repinf_core.studies.how_many_steps.HowManySteps`.
    """
    figure = Figure(figsize=(WIDTH, 8.4))
    panels = figure.subplots(len(GOALS), 1, sharex=True)
    for axes, goal in zip(panels, GOALS, strict=True):
        for name, (colour, marker, line) in _DRAWN.items():
            rows = methods[(methods.goal == goal) & (methods.method == name)]
            axes.fill_between(rows.p, rows.low, rows.high, color=colour, alpha=0.15, linewidth=0)
            axes.plot(
                rows.p, rows.value, linestyle=line, color=colour, marker=marker, markersize=5,
                linewidth=1.5, label=name,
            )  # fmt: skip
        axes.axvline(BELOW, color="black", linewidth=0.8)
        axes.set(ylabel=_AXIS[goal], xlim=(methods.p.min(), methods.p.max()))
    panels[-1].set_xlabel("noise fraction p")
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, fontsize=12
    )
    return figure


@styled
def share_choice(shares: pd.DataFrame) -> Figure:
    """What each share of the rule reaches on noisy training images; the chosen ones are marked.

    Args:
        shares: of :class:`repinf_core.studies.how_many_steps.HowManySteps`.
    """
    figure = Figure(figsize=(WIDTH, 5.2))
    panels = figure.subplots(len(GOALS), 1, sharex=True)
    for axes, goal in zip(panels, GOALS, strict=True):
        rows = shares[shares.goal == goal]
        sns.lineplot(rows, x="share", y="value", ax=axes, color=_CURVE, errorbar=None)
        chosen = rows[rows.chosen]
        axes.plot(chosen.share, chosen.value, "o", color="black", markersize=8, label="chosen")
        axes.set_xscale("log", base=2)
        axes.set(ylabel=_AXIS[goal].replace(" to the clean image", ""), xlabel="")
        axes.legend(fontsize=12)
    panels[-1].set_xlabel("share of ||z(t)|| at which to stop")
    return figure
