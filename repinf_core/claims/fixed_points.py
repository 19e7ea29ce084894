"""The claim on the saddle: the paper's conjecture in the text on Fig. 3, in the dynamical sense."""

from repinf_core.claims.judging import NOT_RUN, Claim, Measured, Numbers, graded
from repinf_core.studies.saddles import CONTROLS, MIDPOINT


def saddle(found: Numbers) -> Measured:
    labels = found["labels_with_a_saddle"]
    if labels is None:
        return Measured("no noise, or a single latent variable: no saddle to look for", NOT_RUN)
    near_concept = labels["concept"]
    more_often = near_concept > max(labels[name] for name in CONTROLS)
    controls = "; ".join(f"{name}: {labels[name]}" for name in CONTROLS)
    along = found["noise_along_growth"]
    growth = (
        f"; the directions that grow hold {along['share']:.0%} of the squared length of the noise "
        f"(random ones {along['by_chance']:.0%})"
        if along
        else ""
    )
    return Measured(
        f"{near_concept} of 10 labels; in place of the concept a {controls}; not asked for: "
        f"{MIDPOINT} of two concepts: {labels[MIDPOINT]}{growth}",
        graded(near_concept == 10 and more_often, near_concept >= 5 and more_often),
    )


CLAIMS = (
    Claim(
        "saddle",
        "near the concept there is a saddle point: it attracts in the direction of the noise and "
        "diverges in the orthogonal direction",
        "Results, text on Fig. 3",
        "no number in the text",
        "near concept k there is a saddle if a fixed point of index >= 1 lies nearer to the "
        "concept than the median memory of its label does, and a step at it shrinks the "
        "displacement that noise makes (mean gain < 1). Search by damped Newton from the concept "
        "and from the trajectory's closest approach. Control: the same search from as many random "
        "memories and prior points. Reproduced: all ten labels, and more often than from either "
        "control; partly: five. Read here: as many trajectories of each label are searched from as "
        "the census follows; a control point takes the place of the concept, with the concept's "
        "median distance; the memory is of the same label; a prior point counts as it is drawn and "
        "after one step, because its inactive latent variables hold it far from every fixed point; "
        "five labels must be more than from the controls too",
        "Fig. 3",
        "20_fixed_points",
        saddle,
        "Before any fixed point had been computed; what follows Read here later, when MNIST's end "
        "points and the spectra at them had been seen, but before any search for a saddle on "
        "MNIST. Known from the start were the approaches of chapter 04, and that its earlier "
        "criterion of a saddle (a step stretches some direction at the concept) is met at random "
        "points of the prior too. At first only ten trajectories of each label were searched "
        "from. That was too few: three runs that differed by rounding alone found a saddle for "
        "6, 5 and 4 labels of MNIST, most of them in a single search. The number was raised when a "
        "trial on MNIST had shown that 50 to 300 trajectories find one for all ten labels, and "
        "near 6 to 9 random memories. The midpoints and the directions that grow were looked at "
        "when the verdict was known, and do not count in it.",
    ),
)
