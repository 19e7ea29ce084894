"""The claim on the saddle: the paper's conjecture in the text on Fig. 3, in the dynamical sense."""

from repinf_core.claims.judging import NOT_RUN, Claim, Measured, Numbers, graded

CONTROLS = ("random memory", "prior point")


def saddle(found: Numbers) -> Measured:
    labels = found["labels_with_a_saddle"]
    if labels is None:
        return Measured("no noise, and no displacement that a step could shrink", NOT_RUN)
    near_concept, controls = labels["concept"], [labels[name] for name in CONTROLS]
    more_often = near_concept > max(controls)
    return Measured(
        f"{near_concept} of 10 labels; in place of the concept a random memory: {controls[0]}, a "
        f"prior point: {controls[1]}",
        graded(near_concept == 10 and more_often, near_concept >= 5 and more_often),
    )


CLAIMS = (
    Claim(
        "saddle",
        "near the concept there is a saddle point: it attracts in the direction of the noise and "
        "diverges in the orthogonal direction",
        "Results, text on Fig. 3",
        "no number in the text",
        "near concept k there is a saddle if a fixed point of index >= 1 lies nearer to the concept "
        "than the median memory of its label does, and a step at it shrinks the displacement that "
        "noise makes (mean gain < 1). Search by damped Newton from the concept and from the "
        "trajectory's closest approach. Control: the same search from as many random memories "
        "and prior points, each in place of the concept. Reproduced: all ten labels, and more "
        "often than from either control; partly: five, and likewise more often",
        "Fig. 3",
        "20_fixed_points",
        saddle,
        "Before any fixed point of these networks had been computed. Known were the approaches of "
        "chapter 04, and that its earlier criterion of a saddle (a step stretches some direction "
        "at the concept) is met at random points of the prior too.",
    ),
)
