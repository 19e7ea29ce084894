"""The claims on inputs that the network does not know: beyond the paper."""

from collections.abc import Iterable, Mapping

from repinf_core.claims.judging import BEYOND, NOT_RUN, Claim, Measured, Numbers, graded

PERFECT = 0.999
"""An AUROC from which on two groups count as told apart without error: nothing is left to gain."""
TRAJECTORY = {
    "closest_concept": "nearest concept at any t",
    "first_step": "first step",
    "path_length": "all steps",
    "first_fall": "fall of -ELBO in one step",
    "whole_fall": "fall of -ELBO to t = T",
}
"""The scores that are compared with the plain -ELBO."""
_LACKING = Measured("without the other data set", NOT_RUN)

Scores = Mapping[str, Mapping[str, float]]
"""By score, what was measured of one unfamiliar kind and one network."""


def longer_step(found: Numbers) -> Measured:
    if found["lacks_data"]:
        return _LACKING
    steps = [scores["first_step"] for scores in _unfamiliar(found)]
    longer = sum(step["low"] > 0.5 for step in steps)
    shorter = sum(step["high"] < 0.5 for step in steps)
    areas = [step["auroc"] for step in steps]
    return Measured(
        f"in {len(steps)} comparisons (each kind with each network) longer in {longer} and shorter "
        f"in {shorter}; AUROC "
        f"{min(areas):.3f} to {max(areas):.3f}",
        graded(longer == len(steps), longer > 0 and shorter == 0),
    )


def better_than_elbo(found: Numbers) -> Measured:
    if found["lacks_data"]:
        return _LACKING
    kinds = list(_unfamiliar(found))
    perfect = {name: sum(_perfect(scores, name) for scores in kinds) for name in TRAJECTORY}
    better = {name: sum(_better(scores, name) for scores in kinds) for name in TRAJECTORY}
    worse = {name: sum(_worse(scores, name) for scores in kinds) for name in TRAJECTORY}
    told = "; ".join(
        f"{words}: better in {better[name]}, worse in {worse[name]}, both perfect in "
        f"{perfect[name]}"
        for name, words in TRAJECTORY.items()
    )
    return Measured(
        f"of {len(kinds)} comparisons (each kind with each network), {told}",
        graded(
            any(better[name] + perfect[name] == len(kinds) and better[name] for name in better),
            any(better[name] and not worse[name] for name in better),
        ),
    )


def _unfamiliar(found: Numbers) -> Iterable[Scores]:
    """Of both networks, every kind but the training images."""
    for kinds in found["networks"].values():
        yield from (scores for kind, scores in kinds.items() if kind != "training")


def _perfect(scores: Scores, name: str) -> bool:
    return min(scores[one]["auroc"] for one in (name, "negative_elbo")) >= PERFECT


def _better(scores: Scores, name: str) -> bool:
    return not _perfect(scores, name) and scores[name]["strict_low"] > 0


def _worse(scores: Scores, name: str) -> bool:
    return not _perfect(scores, name) and scores[name]["strict_high"] < 0


_FIXED = (
    "Before the numbers of MNIST and Fashion-MNIST were seen. Known then: those of scikit-learn's "
    "digits at profile smoke, and that the likelihood of a deep generative model can rank foreign "
    "images above test images (Nalisnick et al. 2019)."
)
_SAYS_NOTHING = "says nothing of unfamiliar inputs"
_EVERY_KIND = (
    "for every unfamiliar kind (the other data set, turned test images, uniform noise, the blank "
    "image) and for both networks (that of the data set and that of the other one)"
)

CLAIMS = (
    Claim(
        "longer first step",
        "the first step of inference is longer from an input that the network does not know than "
        "from a test image",
        BEYOND,
        _SAYS_NOTHING,
        f"{_EVERY_KIND} the AUROC of the length of the first step against test images lies above "
        f"1/2 with its 95% interval; partly: for some of them, and for none it lies below 1/2",
        "unfamiliar inputs",
        "22_unfamiliar_inputs",
        longer_step,
        _FIXED,
    ),
    Claim(
        "better than -ELBO",
        "a score of the trajectory tells unfamiliar inputs from test images better than the plain "
        "-ELBO of the input does",
        BEYOND,
        _SAYS_NOTHING,
        f"one and the same of five scores has the larger AUROC {_EVERY_KIND}: the interval of the "
        f"difference, by a paired bootstrap and wide enough that those of all five scores hold at "
        f"95%, lies above zero; where both have an AUROC of {PERFECT} or more there is nothing to "
        f"gain, and the kind counts for neither side; partly: for some kinds, and for none the "
        f"interval lies below zero",
        "unfamiliar inputs",
        "22_unfamiliar_inputs",
        better_than_elbo,
        _FIXED,
    ),
)
