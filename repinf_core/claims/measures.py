"""What a page's numbers say of a claim: a function each, from the numbers to ours and the verdict.

The words of its criterion stand beside it in :data:`repinf_core.claims.paper.CLAIMS`.
"""

from collections.abc import Sequence

import numpy as np
from scipy.stats import spearmanr

from repinf_core.claims.judging import (
    NOT_REPRODUCED,
    NOT_RUN,
    PARTLY,
    REPRODUCED,
    Measured,
    Numbers,
)


def _graded(whole: bool, part: bool) -> str:
    return REPRODUCED if whole else PARTLY if part else NOT_REPRODUCED


def _labels(count: int, words: str) -> Measured:
    """Of a claim on all ten labels: partly from five on."""
    return Measured(f"{count} of 10 labels {words}", _graded(count == 10, count >= 5))


def _rank_correlation(x: Sequence[float], y: Sequence[float]) -> float:
    """Spearman's, ties sharing their mean rank; 0 if one of the two does not vary."""
    return float(spearmanr(x, y).statistic) if np.ptp(x) and np.ptp(y) else 0.0


def branches(found: Numbers) -> Measured:
    low, high = sorted(found["share_nearest_own_concept"])
    return Measured(
        f"at t = {found['branch_time']}: {high:.0%} and {low:.0%} of the two groups nearest to "
        f"their own concept; silhouette {found['silhouette']:.2f}",
        _graded(high - low >= 0.5 and found["silhouette"] >= 0.5, high - low >= 0.25),
    )


def approach(found: Numbers) -> Measured:
    strict, weaker = (
        found["labels_approaching"],
        found["labels_approaching_by_the_weaker_reading"],
    )
    return Measured(
        f"{strict} of 10 labels (weaker reading: {weaker}); "
        f"{found['share_of_trials_approaching']:.0%} of single trials",
        _graded(strict == 10, max(strict, weaker) >= 5),
    )


def fashion(found: Numbers) -> Measured:
    own, *fashion = found["datasets"].values()
    if not fashion:
        return Measured("one dataset alone", NOT_RUN)
    counts = [one["labels_approaching"] for one in (own, *fashion)]
    orders = [[stage["nearest"] for stage in one["stages"]] for one in (own, *fashion)]
    near, same = abs(counts[0] - counts[1]) <= 2, orders[0] == orders[1]
    return Measured(
        f"{counts[1]} against {counts[0]} labels approach; stages in "
        f"{'the same order' if same else 'different orders'}",
        _graded(near and same, near or same),
    )


def memory_early(found: Numbers) -> Measured:
    return _labels(found["labels_with_memory_in_the_first_quarter"], "in the first quarter")


def rises_again(found: Numbers) -> Measured:
    rising = sum(
        label["step"] > 0 and label["last"] > label["minimum"] + 2 * label["minimum_sem"]
        for label in found["labels"].values()
    )
    return _labels(rising, "end farther away than their minimum + 2 SEM")


def mahalanobis(found: Numbers) -> Measured:
    euclidean = found["labels_approaching"]
    return _labels(found["Mahalanobis"]["labels_approaching"], f"approach (Euclidean: {euclidean})")


def stages(found: Numbers) -> Measured:
    order = [stage["nearest"] for stage in found["stages"]]
    boundary = next(
        (s["start"] for s in found["stages"] if s["nearest"] == "abstract concept"), None
    )
    in_order = order == ["memory", "concept", "abstract concept"]
    near = boundary is not None and 0.3 <= boundary <= 0.5
    told = ", ".join(order)
    return Measured(
        told + (f"; III from p = {boundary:.2f}" if boundary is not None else ""),
        _graded(in_order and near, in_order),
    )


def memory_time(found: Numbers) -> Measured:
    times = found["mean_time"]
    others = [of_class for name, of_class in times.items() if name != "memory"]
    earliest = np.mean(np.asarray(times["memory"]) < np.min(others, axis=0))
    correlation = _rank_correlation(found["p"], times["memory"])
    bar = max(found["two_sem_of_time"]["memory"])
    return Measured(
        f"earliest at {earliest:.0%} of the p; rank correlation of p and time {correlation:.2f}; "
        f"mean time {min(times['memory']):.0f} to {max(times['memory']):.0f} steps, each to "
        f"±{bar:.1f} (2 SEM)",
        _graded(earliest >= 0.9 and correlation >= 0.8, earliest >= 0.9 or correlation >= 0.8),
    )


def concept_time(found: Numbers) -> Measured:
    times = found["mean_time"]
    ranges = {name: np.ptp(of_class) for name, of_class in times.items()}
    less = all(ranges["memory"] > ranges[name] for name in ranges if name != "memory")
    inside = float(np.mean([20 <= time <= 30 for time in times["concept"]]))
    bar = max(found["two_sem_of_time"]["concept"])
    return Measured(
        f"20 to 30 steps at {inside:.0%} of the p; range {ranges['concept']:.0f} steps, the "
        f"memory's {ranges['memory']:.0f}; each mean to ±{bar:.1f} (2 SEM)",
        _graded(less and inside > 0.5, less or inside > 0.5),
    )


def active(found: Numbers) -> Measured:
    active = found["active_latents"]
    return Measured(f"{active} active", _graded(abs(active - 14) <= 2, abs(active - 14) <= 6))


def components(found: Numbers) -> Measured:
    most, all_ = found["components_for_70_percent"], found["components_for_99.9_percent"]
    near = abs(most - 9) <= 1, abs(all_ - 14) <= 2
    return Measured(f"70% in {most}, 99.9% in {all_} components", _graded(all(near), any(near)))


def near_orthogonal(found: Numbers) -> Measured:
    mean = found["mean_absolute_cosine"]
    return Measured(
        f"mean absolute cosine {mean:.3f}, largest {found['largest_absolute_cosine']:.2f}",
        _graded(found["nearly_orthogonal"], mean <= 0.2),
    )


def levels_off(found: Numbers) -> Measured:
    n_z = found["orthogonality_levels_off_at"]
    if n_z is None:
        return Measured("does not level off in the grid", NOT_REPRODUCED)
    return Measured(f"levels off at N_z = {n_z}", _graded(10 <= n_z <= 20, 5 <= n_z <= 50))


def needs_dimension(found: Numbers) -> Measured:
    approaches = {int(n_z): at["label_approaches"] for n_z, at in found["by_n_z"].items()}
    few = [holds for n_z, holds in approaches.items() if n_z <= 5]
    many = [holds for n_z, holds in approaches.items() if n_z >= 10]
    absent, present = bool(few) and not any(few), bool(many) and all(many)
    at = [str(n_z) for n_z, holds in approaches.items() if holds]
    ours = f"at N_z = {', '.join(at)}" if at else "at no N_z"
    ours += f" of {', '.join(map(str, approaches))}"
    if not few or not many:
        lacking = "from 10 on" if few else "up to 5"
        return Measured(f"{ours}; the grid has no N_z {lacking}", NOT_RUN)
    return Measured(
        ours,
        _graded(absent and present, (absent and any(many)) or (present and not all(few))),
    )


def label_detection(found: Numbers) -> Measured:
    label = found["labels"][found["final"]["label"]]
    every, some = label["right_at_every_step_up_to_p"], label["right_in_some_window_up_to_p"]
    fails = label["right_at_every_step_fails_at_p"], label["right_in_some_window_fails_at_p"]
    off = [
        1.0 if p is None else abs(p - boundary)
        for p, boundary in zip(fails, (0.4, 0.7), strict=True)
    ]
    window = label["window"]
    overlaps = window is not None and window[0] <= 30 and window[1] >= 20
    near = off[0] < 0.05 + 1e-9, off[1] < 0.05 + 1e-9 and overlaps
    told = ["at no p" if p is None else f"up to p = {p:g}" for p in (every, some)]
    return Measured(f"every step {told[0]}; a window {told[1]}", _graded(all(near), any(near)))


def still_right(found: Numbers) -> Measured:
    final, printed = found["final"], 193 / 300
    share, trials = final["share_judged_own"], final["trials"]
    own = (share * (1 - share) / trials) ** 0.5
    error = (own**2 + printed * (1 - printed) / 300) ** 0.5
    apart = abs(share - printed)
    return Measured(
        f"{final['judged_own']} of {trials} ({share:.0%} ± {2 * own:.0%}, 2 SEM) "
        f"at T = {final['step']}",
        _graded(apart < 2 * error, apart < 4 * error),
    )


def stayers(found: Numbers) -> Measured:
    curves = found["final"]["distance_to_concept"]
    told = {
        name: "approach" if curves[name]["approaches"] else "do not approach"
        for name in ("all", "staying")
        if name in curves
    }
    ours = "; ".join(f"{name}: {words}" for name, words in told.items())
    holds = [curves[name]["approaches"] for name in told]
    return Measured(ours, _graded(len(holds) == 2 and all(holds), any(holds)))


def judge_accuracy(found: Numbers) -> Measured:
    accuracy = found["classifier"]["test_accuracy"]
    return Measured(f"{accuracy:.2%}", _graded(accuracy >= 0.99, accuracy >= 0.98))


def generalization(found: Numbers) -> Measured:
    n_z, flat = found["n_z_star"], found["flat_afterwards"]
    near = 10 <= n_z <= 20
    afterwards = {True: "flat", False: "not flat", None: "nothing to be said"}[flat]
    return Measured(
        f"best at N_z = {n_z}, {found['smallest_error']:.1f} nats per image; "
        f"afterwards {afterwards}",
        _graded(near and flat is True, near or flat is True),
    )
