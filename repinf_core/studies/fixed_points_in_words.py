"""Where trajectories end, in sentences (chapter 20)."""

from collections.abc import Mapping, Sequence
from typing import Any

from repinf_core import data
from repinf_core.profiles import Experiment
from repinf_core.studies import end_points, null_models, saddles
from repinf_core.studies.study import network_in_words


def finding(experiment: Experiment, found: Mapping[str, Any]) -> str:
    """Where the trajectories end, near what there are saddles, and what approaches a concept.

    Args:
        experiment: of the page.
        found: the page's numbers.
    """
    title = data.DATASETS[experiment.dataset].title
    rest = found["outcomes"].get("fixed point", 0)
    own = found["share_own_concept_nearest"]
    return (
        f"On {title} with {network_in_words(experiment)}, {rest:,} of {found['trajectories']:,} "
        f"trajectories, half from noisy images ($p = {experiment.p:g}$) and half from clean ones, "
        f"come to rest within {experiment.settling_steps:,} steps, at {found['fixed_points']} "
        f"distinct fixed points; {_restless(found['outcomes'])}. "
        f"{found['share_own_memory_nearest']:.1%} of all end nearest to the memory of their own "
        f"image; {own['noisy']:.0%} from noisy and {own['clean']:.0%} from clean images end "
        f"nearest to the concept of their own label (by chance: 10%). {_saddles(found)} "
        f"{_approaches(found['approaches'])}"
    )


def _restless(outcomes: Mapping[str, int]) -> str:
    """What becomes of the trajectories that end at no fixed point, and of cycles in any case."""
    told = {
        "closed curve": "{:,} go on along closed curves",
        "cycle": "{:,} end on cycles",
        "still moving": "{:,} still move",
        "unrefined": "{:,} rest where Newton's method finds no fixed point",
    }
    parts = [words.format(outcomes[name]) for name, words in told.items() if outcomes.get(name)]
    return ", ".join(parts if outcomes.get("cycle") else [*parts, "no cycle was found"])


def _approaches(systems: Sequence[Mapping[str, Any]]) -> str:
    """How many concepts the network's mean curve and a linear VAE's approach, in as many steps."""
    (network,) = _of(systems, null_models.MEAN_MAP)
    linear = {one["steps"]: one for one in _of(systems, null_models.LINEAR)}
    alike = linear.pop(network["steps"])
    others = "".join(
        f", and in {steps:,} steps {_in_short(other)}" for steps, other in linear.items()
    )
    whole, same = (network[reading]["concept"] for reading in null_models.READINGS)
    wrong = [network[reading]["wrong concept"] for reading in null_models.READINGS]
    return (
        f"In {network['steps']:,} steps the network's mean curve approaches {whole} of 10 concepts "
        f"below the whole chord and {same} at the same time (wrong concepts: {wrong[0]} and "
        f"{wrong[1]}); that of a linear VAE, which has no saddle, {_in_short(alike)}{others}."
    )


def in_float64(found: Mapping[str, Any]) -> str:
    """How many trajectories end in float64 as they do in float32, in a sentence.

    Args:
        found: the page's numbers.
    """
    counts = found["in_float64"]
    return (
        f"We followed {counts['trajectories']:,} of these trajectories in float64, too. Of them "
        f"{counts['alike']:,} end alike: at rest within {end_points.ONE_END:g} of each other, or "
        f"not at rest in either."
    )


def sampled(found: Mapping[str, Any]) -> str:
    """Whether the approach survives if the chain draws samples, in a sentence.

    Args:
        found: the page's numbers.
    """
    systems = [
        _of(found["approaches"], system)[0]
        for system in (null_models.MEAN_MAP, *null_models.CHAINS)
    ]
    whole, same = ([one[reading]["concept"] for one in systems] for reading in null_models.READINGS)
    return (
        f"Below the whole chord the mean map approaches {whole[0]} of 10 concepts, the sampled "
        f"chain {whole[1]} by its means of $q$ and {whole[2]} by its samples; at the same time "
        f"{same[0]}, {same[1]} and {same[2]}."
    )


def _of(systems: Sequence[Mapping[str, Any]], system: str) -> list[Mapping[str, Any]]:
    return [one for one in systems if one["system"] == system]


def _in_short(one: Mapping[str, Any]) -> str:
    """How many concepts a system approaches by either reading, and how many wrong ones."""
    concepts, wrong = (
        " and ".join(str(one[reading][target]) for reading in null_models.READINGS)
        for target in ("concept", "wrong concept")
    )
    return f"{concepts} (wrong concepts: {wrong})"


def _saddles(found: Mapping[str, Any]) -> str:
    near, along = found["labels_with_a_saddle"], found["noise_along_growth"]
    if near is None:
        return "There is no saddle to look for."
    growth = ""
    if along is not None:
        growth = (
            f" The directions that grow at the saddles nearest to concepts hold "
            f"{along['share']:.0%} of the squared length of the noise (random ones: "
            f"{along['by_chance']:.0%}; orthogonal ones: nothing)."
        )
    return (
        f"By the criterion below, a saddle was found near {near['concept']} of 10 concepts, near "
        f"{near['random memory']} of 10 random memories, and near {near['prior point']} and "
        f"{near['prior point, one step on']} of 10 points of the prior, as drawn and one step on; "
        f"and near {near[saddles.MIDPOINT]} of 10 midpoints of two concepts, which the criterion "
        f"does not ask for.{growth}"
    )


def explained(found: Mapping[str, Any]) -> str:
    """How well the linear part of the map at the saddles predicts what trajectories do.

    Args:
        found: the page's numbers.
    """
    correlations = {
        "spectral radius and growth per step": found["radius_and_growth"],
        "predicted and seen step": found["step_and_linear_step"],
    }
    known = [f"{value:z.2f} of {of}" for of, value in correlations.items() if value is not None]
    if not known:
        return "There are too few saddles for a rank correlation."
    return f"Rank correlations over labels: {', '.join(known)}.{_medians(found['escape'])}"


def _medians(escape: Mapping[str, float] | None) -> str:
    if escape is None:
        return ""
    return (
        f" In the median over labels trajectories recede by a factor of {escape['growth']:.3f} per "
        f"step, where the linear map predicts {escape['linear_growth']:.3f}, and are closest at "
        f"step {escape['step']:g}, where it predicts {escape['linear_step']:g}. Their smallest "
        f"distance from the saddle is {escape['closest']:.2f}; the radius of the criterion is "
        f"{escape['allowed']:.2f}."
    )
