"""Distance and time of the closest approach to each landmark, against the noise (Fig. 4)."""

import pandas as pd
import seaborn as sns

from repinf_core.figures.style import ABSTRACT, CONCEPT, MEMORY, WIDTH, Figure, styled

_DRAWN = {  # colour, marker and line, which differ in grey too
    "memory": (MEMORY, "s", "--"),
    "concept": (CONCEPT, "o", "-"),
    "abstract concept": (ABSTRACT, "^", ":"),
}
_AXIS = {"distance": "smallest distance over t", "time": "t of the smallest distance (steps)"}


@styled
def closest_by_noise(landmarks: pd.DataFrame, stages: pd.DataFrame, quantity: str) -> Figure:
    """Fig. 4: mean +-2 SEM against the noise fraction, for each landmark; the stages are shaded.

    Args:
        landmarks: table of :class:`repinf_core.studies.noise_and_hierarchy.NoiseAndHierarchy`.
        stages: likewise.
        quantity: ``"distance"`` or ``"time"``.
    """
    figure = Figure(figsize=(WIDTH, 4.4))
    axes = figure.subplots()
    p = landmarks.p.drop_duplicates().sort_values()
    # Shifted a little, so that no bar hides another; the concept is at p itself.
    aside = 0.15 * min(p.diff().min(), 0.05)
    for place, (name, (colour, marker, line)) in enumerate(_DRAWN.items(), -1):
        points = landmarks[landmarks.landmark == name]
        points = points.assign(p=points.p + place * aside)
        sns.lineplot(
            points, x="p", y=quantity, errorbar=None, ax=axes, color=colour, marker=marker,
            markersize=6, markeredgecolor=colour, linestyle=line, linewidth=1.5, label=name,
            legend=False,
        )  # fmt: skip
        axes.errorbar(
            points.p, points[quantity], points[f"{quantity}_two_sem"], fmt="none", ecolor=colour,
            elinewidth=1.5, capsize=3,
        )  # fmt: skip
    for stage in stages.itertuples():
        axes.axvspan(
            stage.start, stage.stop, color=_DRAWN[stage.nearest][0], alpha=0.10, linewidth=0
        )
        if stage.start > p.min():  # in grey the shadings look alike
            axes.axvline(stage.start, color="black", linewidth=0.8)
        axes.text(
            (stage.start + stage.stop) / 2, 1.0, stage.stage, ha="center", va="bottom",
            transform=axes.get_xaxis_transform(), fontweight="bold",
        )  # fmt: skip
    limits = (p.min() - 0.015, p.max() + 0.015)
    axes.set(xlabel="noise fraction p", ylabel=_AXIS[quantity], xlim=limits)
    figure.legend(loc="outside lower center", ncols=3, fontsize=12)
    return figure
