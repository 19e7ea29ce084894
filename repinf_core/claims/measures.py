"""What a page's numbers say of a claim: a function each, from the numbers to ours and the verdict.

The words of its criterion stand beside it in :data:`repinf_core.claims.paper.CLAIMS`.
"""

from collections import Counter
from collections.abc import Mapping

import numpy as np

from repinf_core.agreement import rank_correlation
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


def branches(found: Numbers) -> Measured:
    low, high = sorted(found["share_nearest_own_concept"])
    return Measured(
        f"at t = {found['branch_time']}: {high:.0%} and {low:.0%} of the two groups nearest to "
        f"their own concept; silhouette {found['silhouette']:.2f}",
        _graded(high - low >= 0.5 and found["silhouette"] >= 0.5, high - low >= 0.25),
    )


def _by_readings(found: Numbers) -> tuple[int, int]:
    """How many labels approach, strictly and by the weaker reading."""
    return found["labels_approaching"], found["labels_approaching_by_the_weaker_reading"]


def _approaching(found: Numbers, besides: str) -> Measured:
    """Of the approach for all ten labels: partly if it is for five by either reading."""
    strict, weaker = _by_readings(found)
    return Measured(
        f"{strict} of 10 labels (weaker reading: {weaker}); {besides}",
        _graded(strict == 10, max(strict, weaker) >= 5),
    )


def approach(found: Numbers) -> Measured:
    return _approaching(found, f"{found['share_of_trials_approaching']:.0%} of single trials")


def fashion(found: Numbers) -> Measured:
    own, *fashion = found["datasets"].values()
    if not fashion:
        return Measured("one dataset alone", NOT_RUN)
    strict, weaker = zip(*map(_by_readings, (own, *fashion)), strict=True)
    near = [abs(here - there) <= 2 for here, there in (strict, weaker)]
    return Measured(
        f"{strict[1]} against {strict[0]} labels approach (weaker reading: {weaker[1]} against "
        f"{weaker[0]})",
        _graded(all(near), any(near)),
    )


def memory_early(found: Numbers) -> Measured:
    return _labels(found["labels_with_memory_in_the_first_quarter"], "in the first quarter")


def rises_again(found: Numbers) -> Measured:
    rising = sum(
        label["step"] > 0 and label["last"] > label["minimum"] + 2 * label["minimum_sem"]
        for label in found["labels"].values()
    )
    return _labels(rising, "end farther away than their minimum + 2 SEM")


def saddle(found: Numbers) -> Measured:
    along, across = (
        [label[f"growth_{direction}_noise"] for label in found["labels"].values()]
        for direction in ("along", "across")
    )
    if None in along:
        return Measured("no noise", NOT_RUN)
    if None in across:
        return Measured("one latent variable, and no direction across the noise", NOT_RUN)
    holds = sum(shrinks < 1 < grows for shrinks, grows in zip(along, across, strict=True))
    return Measured(
        f"{holds} of 10 labels; a step multiplies what lies along the noise by {min(along):.2f} to "
        f"{max(along):.2f}, and what lies across it by up to {max(across):.2f}",
        _graded(holds == 10, holds >= 5),
    )


def mahalanobis(found: Numbers) -> Measured:
    other = found["Mahalanobis"]
    return _approaching(
        other,
        f"Euclidean: {found['labels_approaching']}, "
        f"both alike for {other['labels_as_to_the_concept']}",
    )


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
    correlation = rank_correlation(found["p"], times["memory"])
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
    return Measured(
        f"70% in {most}, 99.9% in {all_} components; {found['active_latents']} active",
        _graded(all(near), any(near)),
    )


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
    cosine = found["by_n_z"][str(n_z)]["mean_absolute_cosine"]
    return Measured(
        f"levels off at N_z = {n_z}, with a mean absolute cosine of {cosine:.2f}",
        _graded(10 <= n_z <= 20 and cosine < 0.1, 5 <= n_z <= 50),
    )


def _with_dimension(holds: Mapping[int, bool]) -> Measured:
    """Of what is not to be up to N_z = 5, and to be from 10 on: at which N_z of the grid it is."""
    few = [it_does for n_z, it_does in holds.items() if n_z <= 5]
    many = [it_does for n_z, it_does in holds.items() if n_z >= 10]
    at = [str(n_z) for n_z, it_does in holds.items() if it_does]
    ours = f"at N_z = {', '.join(at)}" if at else "at no N_z"
    if not few or not many:
        lacking = "from 10 on" if few else "up to 5"
        return Measured(f"{ours}; the grid has no N_z {lacking}", NOT_RUN)
    absent, present = not any(few), all(many)
    part = (absent and any(many)) or (present and not all(few))
    return Measured(ours, _graded(absent and present, part))


def _of_grid(found: Numbers) -> str:
    return f", of {', '.join(found['by_n_z'])}"


def needs_dimension(found: Numbers) -> Measured:
    strict, weaker = (
        _with_dimension({int(n_z): at[reading] for n_z, at in found["by_n_z"].items()})
        for reading in ("label_approaches", "label_approaches_by_the_weaker_reading")
    )
    by_weaker = strict.verdict == NOT_REPRODUCED and weaker.verdict == REPRODUCED
    return Measured(
        f"{strict.ours} (weaker reading: {weaker.ours}){_of_grid(found)}",
        PARTLY if by_weaker else strict.verdict,
    )


def stage_two_needs_dimension(found: Numbers) -> Measured:
    nearest = {
        int(n_z): {stage["nearest"] for stage in at["stages"]}
        for n_z, at in found["by_n_z"].items()
    }
    measured = _with_dimension({n_z: "concept" in centres for n_z, centres in nearest.items()})
    return measured._replace(ours=f"{measured.ours}{_of_grid(found)}")


def dynamics_tell(found: Numbers) -> Measured:
    of_grid = found["by_n_z"].values()
    strict, weaker = (
        rank_correlation(
            [at[attraction] for at in of_grid], [at["test_negative_elbo"] for at in of_grid]
        )
        for attraction in ("closer_than_the_line", "closer_than_the_line_at_that_time")
    )
    return Measured(
        f"rank correlation {strict:.2f}{' (of the opposite sign)' if strict > 0 else ''}, weaker "
        f"reading: {weaker:.2f}, over {len(of_grid)} N_z",
        _graded(strict <= -0.8, strict <= -0.5 or weaker <= -0.8),
    )


def _own_and_other(found: Numbers) -> tuple[Numbers, Numbers]:
    """What was found of the images' label, '6' in the paper, and of the other, its '1'."""
    labels, own = found["labels"], found["final"]["label"]
    (other,) = labels.keys() - {own}
    return labels[own], labels[other]


def label_detection(found: Numbers) -> Measured:
    own, _ = _own_and_other(found)
    criteria = ("right_at_every_step", 0.4), ("window_near_20_to_30", 0.7)
    fails = [own[f"{name}_fails_at_p"] for name, _ in criteria]
    holds = [
        first is None or first > below - 1e-9
        for first, (_, below) in zip(fails, criteria, strict=True)
    ]
    lasting = [own[f"{name}_up_to_p"] for name, _ in criteria]
    every, window = ("at no p" if p is None else f"up to p = {p:g}" for p in lasting)
    return Measured(
        f"every step {every}; a window near 20 to 30 {window}", _graded(all(holds), any(holds))
    )


def beyond_stage_two(found: Numbers) -> Measured:
    own, _ = _own_and_other(found)
    votes = own["where_it_fails_first_labels"], own["where_it_fails_last_labels"]
    if not votes[0]:
        return Measured("right at every step of every p", NOT_RUN)
    first, last = (Counter[str](labels).most_common(1)[0] for labels in votes)
    (begins, at_first), (ends, at_last) = first, last
    holds = begins in ("3", "4"), ends == "0"
    return Measured(
        f"'{begins}' at the first step ({at_first} of {len(votes[0])} p), '{ends}' at the last "
        f"({at_last} of {len(votes[1])})",
        _graded(all(holds), any(holds)),
    )


def less_room(found: Numbers) -> Measured:
    _, other = _own_and_other(found)
    steps = len(other["modal_label"][0])
    between: list[int] = []
    outside: list[int] = []
    for p, run in zip(found["p"], other["longest_run_at_each_p"], strict=True):
        (between if 0.4 < p < 0.7 else outside).append(run[1] - run[0] + 1 if run else 0)
    if not between:
        return Measured("no p between 0.4 and 0.7", NOT_RUN)
    small = [4 * length <= steps for length in between]
    if all(small) and all(4 * length <= steps for length in outside):
        return Measured("a longer run at no p", NOT_RUN)
    return Measured(
        f"the longest run has {min(between)} to {max(between)} of {steps} steps",
        _graded(all(small), 2 * sum(small) >= len(small)),
    )


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
    here = {name: curves[name] for name in ("all", "staying") if name in curves}
    strict, weaker = (
        [curve[reading] for curve in here.values()]
        for reading in ("approaches", "approaches_by_the_weaker_reading")
    )

    def told(strictly: bool, weakly: bool) -> str:
        by_weaker = " (by the weaker reading they do)" if weakly and not strictly else ""
        return ("approach" if strictly else "do not approach") + by_weaker

    words = map(told, strict, weaker)
    ours = "; ".join(f"{name}: {text}" for name, text in zip(here, words, strict=True))
    both = len(here) == 2
    return Measured(ours, _graded(both and all(strict), any(strict) or (both and all(weaker))))


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
