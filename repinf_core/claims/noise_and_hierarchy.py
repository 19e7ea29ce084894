"""The claims on noise and the hierarchy of centres: Fig. 4."""

import numpy as np

from repinf_core.agreement import rank_correlation
from repinf_core.claims.judging import Claim, Measured, Numbers, graded


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
        graded(in_order and near, in_order),
    )


def memory_time(found: Numbers) -> Measured:
    times = found["mean_time"]
    others = [of_class for name, of_class in times.items() if name != "memory"]
    earliest = np.mean(np.asarray(times["memory"]) < np.min(others, axis=0))
    correlation = rank_correlation(found["p"], times["memory"])
    bar = max(found["two_sem_of_time"]["memory"])
    return Measured(
        f"earliest at {earliest:.0%} of the p; rank correlation of p and time {correlation:z.2f}; "
        f"mean time {min(times['memory']):.0f} to {max(times['memory']):.0f} steps, each to "
        f"±{bar:.1f} (2 SEM)",
        graded(earliest >= 0.9 and correlation >= 0.8, earliest >= 0.9 or correlation >= 0.8),
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
        graded(less and inside > 0.5, less or inside > 0.5),
    )


CLAIMS = (
    Claim(
        "stages",
        "with growing noise the centre that is approached closest is the memory (I), the concept "
        "(II), the abstract concept (III)",
        "Results, Fig. 4a; p: text on Fig. 5",
        "I, II, III; III from p = 0.4",
        "this order, and III begins between p = 0.3 and 0.5; partly: this order",
        "Fig. 4",
        "05_noise_and_hierarchy",
        stages,
    ),
    Claim(
        "memory time",
        "the memory is approached earliest, and the later the more noise",
        "Results, Fig. 4b",
        "earliest in all stages",
        "its mean time is the smallest of the three at 90% of the p or more, and its rank "
        "correlation with p is 0.8 or more; partly: one of the two",
        "Fig. 4",
        "05_noise_and_hierarchy",
        memory_time,
    ),
    Claim(
        "concept time",
        "the time of the closest approach to the concept depends less on the noise; as we read it, "
        "it is the 20 to 30 steps that serve label detection",
        "Results, Fig. 4b",
        "20 to 30 steps for detection",
        "the ranges of its mean time and of the abstract concept's over p are smaller than the "
        "memory's, and it is 20 to 30 steps at more than half of the p; partly: one of the two",
        "Fig. 4",
        "05_noise_and_hierarchy",
        concept_time,
        "Tightened when MNIST's numbers were known (the abstract concept's range counts too);"
        " no verdict turned on it.",
    ),
)
