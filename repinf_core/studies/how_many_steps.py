"""How many steps should one take?  The paper's advice, a rule, and the best that could be had."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
import torch

from repinf_core import bootstrap, data
from repinf_core.models import Spec
from repinf_core.models.classifier import Classifier, ClassifierSpec
from repinf_core.models.denoiser import DenoiserSpec, DenoisingAutoencoder
from repinf_core.noise import until_failure
from repinf_core.profiles import Experiment
from repinf_core.studies import steps_advice
from repinf_core.studies.step_methods import (
    ADVICE,
    BEST,
    DENOISER,
    GOALS,
    NOISY,
    ONE_PASS,
    RULE,
    Method,
    Networks,
    looked_at,
    on_test_images,
    on_training_images,
)
from repinf_core.studies.study import Study, Trained, network_in_words, trained
from repinf_core.training import progress, store
from repinf_core.training.run import TrainingRun


@dataclass(frozen=True)
class HowManySteps(Study):
    """The tables of the chapter on the number of steps.

    ``goal`` is one of ``step_methods.GOALS``.  A ``value`` is the mean PSNR to the clean image (dB)
    for "denoise", and the share of images that are given their own label for "label".  ``low`` and
    ``high`` are the ends of 95% bootstrap intervals over images.  All images are noisy *test*
    images unless a line says otherwise; at step t the image decoded from z(t) is judged.

    Attributes:
        curves: a row for each goal, ``p`` and ``t`` looked at (steps): ``value`` with its ends.
        methods: a row for each ``method`` (of ``step_methods.METHODS``), goal and ``p``: the
            ``steps`` taken (mean over images; missing where nothing is inferred repeatedly),
            ``value`` with its ends, and the ``gain`` over one pass with its ends ``gain_low``,
            ``gain_high``.  Missing where the PSNR is infinite (an image without noise) or T is
            below the advice.
        overall: the same, means over the noise fractions that are judged
            (``steps_advice.judged``): a row for each method and goal.
        shares: a row for each goal and ``share`` tried: its ``value`` on noisy *training* images,
            mean over the p that are judged, and whether it is the one ``chosen``.
        memory_times: a row for each ``p``: the mean ``t`` at which noisy *training* images are
            closest to their memory, from which the paper draws its advice on denoising.
        examples: images ``[shown, 784]`` by what they are: clean, noisy at the p of the grid that
            is nearest to the experiment's, or a method's for "denoise".
    """

    curves: pd.DataFrame
    methods: pd.DataFrame
    overall: pd.DataFrame
    shares: pd.DataFrame
    memory_times: pd.DataFrame
    examples: Mapping[str, np.ndarray]


def run(experiment: Experiment, device: str | None = None) -> HowManySteps:
    """Choose the rule's share on training images, then compare the methods on test images.

    Args:
        experiment: of it ``p_grid``, ``trials_per_p`` (images of either split, the same at every
            p), ``noise``, ``trial_seed`` and ``steps`` are taken, ``p`` for the examples, and all
            that names the network, the classifier and the denoising autoencoder.
        device: as in :func:`repinf_core.studies.study.trained`, whose errors it raises.
    """
    network = trained(experiment, device)
    judge, denoiser = (
        _trained_too(spec.of(experiment), network) for spec in (ClassifierSpec, DenoiserSpec)
    )
    networks = Networks(
        network, cast(Classifier, judge.model), cast(DenoisingAutoencoder, denoiser.model)
    )
    p_grid, seed = experiment.p_grid, experiment.trial_seed
    shares, memory_times = on_training_images(networks, experiment)
    chosen = shares[shares.chosen].set_index("goal").share.to_dict()
    curves, found, examples = on_test_images(networks, experiment, chosen, memory_times.t.tolist())
    at, n = looked_at(experiment.steps), curves.shape[3]
    weights = bootstrap.resamples(n, seed)
    methods = _methods(found, p_grid, weights)
    judged = steps_advice.judged(p_grid)
    overall = _methods(
        {
            name: Method(one.quality[:, judged].mean(1, True), one.steps[:, judged].mean(1, True))
            for name, one in found.items()
        },
        [None],
        weights,
    ).drop(columns="p")
    numbers = {
        "epochs_trained": network.run.epoch,
        "classifier": {
            "name": judge.spec.name, "test_accuracy": judge.history[-1].test["accuracy"]
        },
        "denoiser": {"name": denoiser.spec.name, "epochs": denoiser.epoch},
        "images": n,
        "p_judged": [p_grid[place] for place in judged],
        "shares": chosen,
        "overall": _by_goal(overall),
        "steps_of_the_rule": _steps(overall, RULE),
        "noisy_image_better_up_to_p": _noisy_better(methods, p_grid),
        "denoising": steps_advice.denoising(curves[0], p_grid, at, seed),
        "labels": steps_advice.labels(curves[1], p_grid, at, seed),
    }  # fmt: skip
    return HowManySteps(
        experiment=experiment,
        device=network.device,
        numbers=numbers,
        finding=_finding(experiment, numbers),
        curves=_curves(curves, p_grid, at, weights),
        methods=methods,
        overall=overall,
        shares=shares,
        memory_times=memory_times,
        examples=examples,
    )


def _trained_too(spec: Spec, network: Trained) -> TrainingRun:
    print(progress.estimate_runtime([spec], network.device, len(network.train.images)))
    with progress.bar(spec) as report:
        return store.load_or_train(spec, network.device, report)


def _ends(quality: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Mean over images of ``[..., n]``, and the ends of its interval; missing where not finite."""
    means = torch.where(quality.isfinite().all(-1), quality.mean(-1), torch.nan)
    low, high = bootstrap.interval((quality.nan_to_num() @ weights.T).movedim(-1, 0))
    return means, low.where(means.isfinite(), torch.nan), high.where(means.isfinite(), torch.nan)


def _curves(
    curves: torch.Tensor, p_grid: tuple[float, ...], at: list[int], weights: torch.Tensor
) -> pd.DataFrame:
    index = pd.MultiIndex.from_product([GOALS, p_grid, at], names=["goal", "p", "t"])
    ends = zip(("value", "low", "high"), _ends(curves, weights), strict=True)
    return pd.DataFrame({name: end.flatten() for name, end in ends}, index).reset_index()


def _methods(found: Mapping[str, Method], p_grid: Any, weights: torch.Tensor) -> pd.DataFrame:
    """The table ``methods``, of methods at the noise fractions ``p_grid``."""
    tables = []
    for name, one in found.items():
        gain = one.quality - found[ONE_PASS].quality
        columns = {"steps": one.steps}
        columns |= zip(("value", "low", "high"), _ends(one.quality, weights), strict=True)
        columns |= zip(("gain", "gain_low", "gain_high"), _ends(gain, weights), strict=True)
        index = pd.MultiIndex.from_product([[name], GOALS, p_grid], names=["method", "goal", "p"])
        tables.append(pd.DataFrame({name: of.flatten() for name, of in columns.items()}, index))
    return pd.concat(tables).reset_index()


def _by_goal(overall: pd.DataFrame) -> dict[str, dict[str, float | None]]:
    values = overall.assign(value=overall.value.astype(object).where(overall.value.notna(), None))
    return {
        str(goal): of_goal.set_index("method").value.to_dict()
        for goal, of_goal in values.groupby("goal", sort=False)
    }


def _steps(overall: pd.DataFrame, method: str) -> dict[str, float]:
    """The mean number of steps that a method takes, by goal."""
    return overall[overall.method == method].set_index("goal").steps.to_dict()


def _noisy_better(methods: pd.DataFrame, p_grid: Sequence[float]) -> float | None:
    """The last p up to which the noisy image is closer to the clean one than after one pass.

    The interval of the gain in PSNR must lie above 0.  The gain is missing if the mean PSNR of
    noisy images is infinite: some of them are clean.
    """
    noisy = methods[(methods.goal == GOALS[0]) & (methods.method == NOISY)].set_index("p")
    better = noisy.gain_low.loc[[*p_grid]].fillna(math.inf) > 0
    return until_failure(p_grid, better.tolist())[0]


def _finding(experiment: Experiment, found: dict[str, Any]) -> str:
    title, p = data.DATASETS[experiment.dataset].title, found["p_judged"]
    psnr, accuracy = (found["overall"][goal] for goal in GOALS)

    def both(method: str) -> str:
        values = zip((psnr[method], accuracy[method]), ("{:.1f} dB", "{:.0%}"), strict=True)
        return " and ".join("none" if v is None else text.format(v) for v, text in values)

    taken, last = found["steps_of_the_rule"], found["noisy_image_better_up_to_p"]
    stops = (
        f"stops after {taken[GOALS[0]]:.1f} and {taken[GOALS[1]]:.1f} steps on average"
        if any(taken.values())
        else "takes no step after the first encoding, so that it is the single pass,"
    )
    closer = (
        ""
        if last is None
        else f", and up to $p = {last:g}$ its PSNR is above that of one pass (95% interval)"
    )
    return (
        f"On {found['images']:,} noisy test images of {title} ({network_in_words(experiment)}, "
        f"mean over $p$ from {p[0]:g} to {p[-1]:g}) a single pass gives a PSNR and an accuracy of "
        f"{both(ONE_PASS)}. "
        f"The paper's advice gives {both(ADVICE)}. The rule that looks at the trajectory "
        f"{stops} and gives {both(RULE)}; the best number of steps for each $p$ gives "
        f"{both(BEST)}. The noisy image itself, never inferred, is given its label in "
        f"{accuracy[NOISY]:.0%}{closer}. A denoising autoencoder gives {both(DENOISER)}."
    )
