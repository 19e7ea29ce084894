"""The claims on label detection: Fig. 5, Suppl. F, preprint App. B."""

from collections import Counter

from repinf_core.claims.judging import (
    NOT_REPRODUCED,
    NOT_RUN,
    Claim,
    Measured,
    Numbers,
    graded,
)
from repinf_core.studies.printed_facts import STAYING, error_beside_printed

SMALL_NOISE = 0.4
"""Noise fractions below this one are small: the stages I and II of the paper's Fig. 4."""
_NO_SMALL_NOISE = Measured("no p below 0.4", NOT_RUN)


def _own_and_other(found: Numbers) -> tuple[Numbers, Numbers]:
    """What was found of the images' label, '6' in the paper, and of the other, its '1'."""
    labels, own = found["labels"], found["final"]["label"]
    (other,) = labels.keys() - {own}
    return labels[own], labels[other]


def label_detection(found: Numbers) -> Measured:
    own, _ = _own_and_other(found)
    if min(found["p"]) >= SMALL_NOISE:
        return _NO_SMALL_NOISE
    criteria = ("right_at_every_step", SMALL_NOISE), ("window_near_20_to_30", 0.7)
    fails = [own[f"{name}_fails_at_p"] for name, _ in criteria]
    holds = [
        first is None or first > below - 1e-9
        for first, (_, below) in zip(fails, criteria, strict=True)
    ]
    lasting = [own[f"{name}_up_to_p"] for name, _ in criteria]
    every, window = ("at no p" if p is None else f"up to p = {p:g}" for p in lasting)
    return Measured(
        f"every step {every}; a window near 20 to 30 {window}", graded(all(holds), any(holds))
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
        graded(all(holds), any(holds)),
    )


def less_room(found: Numbers) -> Measured:
    _, other = _own_and_other(found)
    steps = len(other["modal_label"][0])
    lengths = {
        p: run[1] - run[0] + 1 if run else 0
        for p, run in zip(found["p"], other["longest_run_at_each_p"], strict=True)
    }
    before = [length for p, length in lengths.items() if p < SMALL_NOISE]
    between = [length for p, length in lengths.items() if SMALL_NOISE < p < 0.7]
    if not before:
        return _NO_SMALL_NOISE
    if not between:
        return Measured("no p between 0.4 and 0.7", NOT_RUN)
    small = [4 * length <= steps for length in between]
    if all(4 * length <= steps for length in lengths.values()):
        return Measured("a longer run at no p", NOT_RUN)
    ours = f"the longest run has {min(between)} to {max(between)} of {steps} steps"
    if not all(before):
        first = next(p for p, length in lengths.items() if not length)
        return Measured(f"{ours}; right at no step already at p = {first:g}", NOT_REPRODUCED)
    return Measured(ours, graded(all(small), 2 * sum(small) >= len(small)))


def still_right(found: Numbers) -> Measured:
    final = found["final"]
    share, trials = final["share_judged_own"], final["trials"]
    own = (share * (1 - share) / trials) ** 0.5
    apart, error = abs(share - STAYING), error_beside_printed(share, trials)
    return Measured(
        f"{final['judged_own']} of {trials} ({share:.0%} ± {2 * own:.0%}, 2 SEM) "
        f"at T = {final['step']}",
        graded(apart < 2 * error, apart < 4 * error),
    )


def stayers(found: Numbers) -> Measured:
    curves = found["final"]["distance_to_concept"]
    if "staying" not in curves:
        return Measured("no trial stays", NOT_RUN)
    here = {name: curves[name] for name in ("all", "staying")}
    whole_chord, same_time = (
        [curve[reading] for curve in here.values()]
        for reading in ("approaches_whole_chord", "approaches_same_time")
    )

    def told(below_all: bool, below_then: bool) -> str:
        if below_all:
            return "approach below the whole chord"
        return "approach at the same time" if below_then else "approach by neither reading"

    words = map(told, whole_chord, same_time)
    ours = "; ".join(f"{name}: {text}" for name, text in zip(here, words, strict=True))
    return Measured(ours, graded(all(whole_chord), any(whole_chord) or all(same_time)))


CLAIMS = (
    Claim(
        "label detection",
        "images from '6' are classified correctly at every step up to stage II, and beyond it in a "
        "region of steps close to 20 to 30",
        "Results, Fig. 5a",
        "every step for p < 0.4, a region for p < 0.7",
        "right at every step at every p below 0.4, and at every p below 0.7 the longest run of "
        "right steps overlaps 20 to 30; partly: one of the two",
        "Fig. 5",
        "06_label_detection",
        label_detection,
        "Brought closer to the paper's text later, when MNIST's numbers were known: "
        "it no longer asks that '6' fails, and asks for a window at every p below 0.7. Later "
        "still: it is not judged without a p below 0.4; no verdict turned on it.",
    ),
    Claim(
        "beyond stage II",
        "in stage III images from '6' are classified as '3' or '4' at the beginning and as '0' at "
        "the end",
        "Results, Fig. 5a",
        "'3' or '4', then '0'",
        "over the p at which '6' is wrong at some step, the most frequent vote is '3' or '4' at "
        "the first step and '0' at the last; partly: one of the two",
        "Fig. 5",
        "06_label_detection",
        beyond_stage_two,
        "Added when MNIST's numbers were known.",
    ),
    Claim(
        "less room for '1'",
        "from '1' the suitable range of steps is small or vanishes for medium noise",
        "Results, Fig. 5b",
        "0.4 < p < 0.7",
        "at every p below 0.4 some step is right; at every p between, the longest run of right "
        "steps is at most a quarter of all steps, and longer at some other p; partly: the first, "
        "and the second at half of those between or more",
        "Fig. 5",
        "06_label_detection",
        less_room,
        "Added when MNIST's numbers were known. Tightened when those of all networks were known: "
        "it asks for a right step at small noise first, because a range that is empty there "
        "already cannot become small at medium noise. On Fashion-MNIST, where it is empty from "
        "p = 0.15 on, the verdict turned from reproduced to not reproduced; no other turned.",
    ),
    Claim(
        "still the same class",
        "about two thirds of the trajectories from '6' are still '6' at the end, the others "
        "another number",
        "Preprint App. B",
        "193 of 300 trials still '6' at T = 80",
        "the share differs from 193/300 by less than two standard errors of the difference; "
        "partly: by less than four",
        "Fig. 5",
        "06_label_detection",
        still_right,
    ),
    Claim(
        "no other label's pull",
        "trajectories that stay in their class approach the concept as well",
        "Preprint App. B; question: text on Suppl. F",
        "both mean curves approach",
        "the mean curve of all trials and the mean curve of those that stay both approach below "
        "the whole chord; partly: one of them does, or both do at the same time",
        "Fig. 5",
        "06_label_detection",
        stayers,
        "Brought closer to the paper's text later, when MNIST's numbers were known: "
        "an approach at the same time counts as partly. Later still: it is not judged where no "
        "trial stays; no verdict turned on it.",
    ),
)
