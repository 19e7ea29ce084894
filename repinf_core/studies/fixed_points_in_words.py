"""Where trajectories end, in sentences (chapter 20)."""

from collections.abc import Mapping
from typing import Any

from repinf_core import data
from repinf_core.profiles import Experiment
from repinf_core.studies import null_models, saddles
from repinf_core.studies.study import network_in_words


def finding(experiment: Experiment, found: Mapping[str, Any]) -> str:
    """Where the trajectories end, near what there are saddles, and what approaches a concept.

    Args:
        experiment: of the page.
        found: the page's numbers.
    """
    title = data.DATASETS[experiment.dataset].title
    rest = found["outcomes"].get("fixed point", 0)
    on_curves = found["outcomes"].get("closed curve", 0)
    own = found["share_own_concept_nearest"]
    network, linear = (
        [one for one in found["approaches"] if one["system"] == system][-1]
        for system in ("mean map", null_models.LINEAR)
    )
    return (
        f"On {title} with {network_in_words(experiment)}, {rest:,} of {found['trajectories']:,} "
        f"trajectories, half from noisy images ($p = {experiment.p:g}$) and half from clean ones, "
        f"come to rest within {experiment.settling_steps:,} steps, at {found['fixed_points']} "
        f"distinct fixed points; {on_curves:,} go on along closed curves. "
        f"{found['share_own_memory_nearest']:.1%} of all end nearest to the memory of their own "
        f"image; {own['noisy']:.0%} from noisy and {own['clean']:.0%} from clean images end "
        f"nearest to the concept of their own label (by chance: 10%). {_saddles(found)} In "
        f"{network['steps']:,} steps the network's mean curve approaches {_counts(network)}, a "
        f"linear VAE, which has no saddle, {_counts(linear)} in {linear['steps']:,} steps."
    )


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


def _counts(approaches: Mapping[str, Any]) -> str:
    """How many concepts a system approaches, by either reading."""
    whole, same = (approaches[reading]["concept"] for reading in null_models.READINGS)
    return f"{whole} of 10 concepts below the whole chord and {same} at the same time"


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
    return f"Rank correlations over labels: {', '.join(known)}."
