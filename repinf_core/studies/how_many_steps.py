"""How many steps should one take?  The paper's advice, a rule, and the best that could be had."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd
import torch

from repinf_core import bootstrap, data, models
from repinf_core.dynamics import rollout, steps
from repinf_core.geometry import distance
from repinf_core.models import Spec
from repinf_core.models.classifier import Classifier, ClassifierSpec
from repinf_core.models.denoiser import DenoiserSpec, DenoisingAutoencoder
from repinf_core.noise import corrupt, label_seed
from repinf_core.profiles import Experiment
from repinf_core.studies import steps_advice
from repinf_core.studies.study import Study, Trained, trained
from repinf_core.training import progress, store
from repinf_core.training.run import TrainingRun

GOALS = tuple(steps.SHARES)
"""What is wanted: a large PSNR to the clean image, or the image's own label."""
NOISY, ONE_PASS, ADVICE, RULE = "noisy image", "one pass", "paper's advice", "recommended"
BEST, BEST_EACH = "best t of each p", "best t of each image"
DENOISER = "denoising autoencoder"
METHODS = (NOISY, ONE_PASS, ADVICE, RULE, BEST, BEST_EACH, DENOISER)
"""What is compared; the two best ones look at the clean image, or at its label."""

_SHARES = tuple(2 ** (k / 4) for k in range(-16, 5))  # tried; with the largest few take a step
_SEEDS = {"train": (0, 1), "test": (2, 3)}  # of the images that are drawn, and of their noise
_SHOWN = 4  # examples
_NOT_INFERRED = torch.full((len(GOALS),), torch.nan, dtype=torch.float64)


@dataclass(frozen=True)
class HowManySteps(Study):
    """The tables of the chapter on the number of steps.

    ``goal`` is of :data:`GOALS`; a ``value`` is the mean PSNR to the clean image (dB) where it is
    "denoise", and the share of images that are given their own label where it is "label".  ``low``
    and ``high`` are the ends of 95% bootstrap intervals over images.  All images are noisy *test*
    images but where it says otherwise; at step t the image decoded from z(t) is judged.

    Attributes:
        curves: a row for each goal, ``p`` and ``t`` looked at (steps): ``value`` with its ends.
        methods: a row for each ``method`` (of :data:`METHODS`), goal and ``p``: the ``steps`` taken
            (mean over images; missing where nothing is inferred repeatedly), ``value`` with its
            ends, and the ``gain`` over one pass with its ends ``gain_low``, ``gain_high``.  Missing
            where the PSNR is infinite (an image without noise) or T is below the advice.
        overall: the same, means over the noise fractions that are judged
            (``steps_advice.judged``): a row for each method and goal.
        best_steps: a row for each goal and ``p``: the ``t`` of the best mean value, with its ends.
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
    best_steps: pd.DataFrame
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
    networks = _Networks(
        network, cast(Classifier, judge.model), cast(DenoisingAutoencoder, denoiser.model)
    )
    p_grid, seed = experiment.p_grid, experiment.trial_seed
    shares, memory_times = _of_training_images(networks, experiment)
    chosen = shares[shares.chosen].set_index("goal").share.to_dict()
    curves, found, examples = _of_test_images(networks, experiment, chosen, memory_times.t.tolist())
    at, n = looked_at(experiment.steps), curves.shape[3]
    weights = bootstrap.resamples(n, seed)
    methods = _methods(found, p_grid, weights)
    judged = steps_advice.judged(p_grid)
    overall = _methods(
        {
            name: _Method(one.quality[:, judged].mean(1, True), one.steps[:, judged].mean(1, True))
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
        best_steps=_best_steps(curves, p_grid, at, weights),
        shares=shares,
        memory_times=memory_times,
        examples=examples,
    )


def looked_at(last: int) -> list[int]:
    """The steps t from 0 to ``last`` that are judged: each of the first, then fewer and fewer."""
    apart = max(10, last // 10)
    return [t for t in range(last + 1) if t <= 10 or (t <= 30 and t % 2 == 0) or t % apart == 0]


def _trained_too(spec: Spec, network: Trained) -> TrainingRun:
    print(progress.estimate_runtime([spec], network.device, len(network.train.images)))
    with progress.bar(spec) as report:
        return store.load_or_train(spec, network.device, report)


class _Networks(NamedTuple):
    vae: Trained
    classifier: Classifier
    denoiser: DenoisingAutoencoder


class _Sample(NamedTuple):
    """Clean images ``[n, 784]`` with their labels ``[n]``, and the seed of their noise."""

    clean: torch.Tensor
    labels: torch.Tensor
    noise_seed: int


def _sample(experiment: Experiment, split: str) -> _Sample:
    """As many images of a split as are asked for, or all, in random order."""
    of_images, of_noise = (label_seed(experiment.trial_seed, number) for number in _SEEDS[split])
    images, labels = data.load(experiment.dataset, split)
    generator = torch.Generator().manual_seed(of_images)
    rows = torch.randperm(len(labels), generator=generator)[: experiment.trials_per_p]
    return _Sample(images[rows], labels[rows], of_noise)


class _Trials:
    """The images of a sample with noise, and what is inferred from them repeatedly.

    Attributes:
        x0: the noisy images, ``[n, 784]``; a pixel selected at one p is so at every larger one.
        z: their trajectories, ``[T+1, n, N_z]``; both are on the networks' device.
    """

    def __init__(
        self, networks: _Networks, sample: _Sample, p: float, experiment: Experiment
    ) -> None:
        self._networks, self._sample = networks, sample
        generator = torch.Generator().manual_seed(sample.noise_seed)
        noisy = corrupt(sample.clean, p, generator, experiment.noise)
        self.x0 = noisy.to(networks.vae.device)
        observe = {"z": rollout.latents}
        self.z = rollout.rollout(networks.vae.model, self.x0, experiment.steps, observe).observed[
            "z"
        ]
        self.all = torch.arange(len(noisy), device=self.x0.device)

    @torch.no_grad()
    def images(self, stops: torch.Tensor | int, trials: torch.Tensor) -> torch.Tensor:
        """What is decoded from z(t) of some trials ``[k]`` at their t ``[k]``: ``[k, 784]``."""
        return self._networks.vae.model.decode_mean(self.z[stops, trials])

    @torch.no_grad()
    def quality(self, images: torch.Tensor, trials: torch.Tensor) -> torch.Tensor:
        """PSNR (dB, peak 1), and 1 or 0 for a right label: float64 ``[goals, k]`` on the CPU."""
        named = self._networks.classifier.probabilities(images).argmax(1).cpu()
        trials = trials.cpu()
        error = (images.cpu() - self._sample.clean[trials]).double().square().mean(1)
        return torch.stack([-10 * error.log10(), (named == self._sample.labels[trials]).double()])

    def quality_at(self, stops: torch.Tensor | int) -> torch.Tensor:
        """The quality of all trials at t, one for all or one for each: ``[goals, n]``."""
        return self.quality(self.images(stops, self.all), self.all)


def _of_training_images(
    networks: _Networks, experiment: Experiment
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables ``shares`` and ``memory_times``."""
    train = _sample(experiment, "train")
    memories = models.memories(networks.vae.model, train.clean.to(networks.vae.device))
    judged = steps_advice.judged(experiment.p_grid)
    times, qualities = [], []
    for place, p in enumerate(experiment.p_grid):
        trials = _Trials(networks, train, p, experiment)
        times.append(float(distance(trials.z, memories).argmin(0).double().mean()))
        if place in judged:
            qualities.append(_quality_by_share(trials))
    values = torch.stack(qualities).mean(0).tolist()
    shares = pd.DataFrame(
        {
            "goal": goal,
            "share": share,
            "value": value,
            "chosen": share == steps.choose_share(_SHARES, of_goal),
        }
        for goal, of_goal in zip(GOALS, values, strict=True)
        for share, value in zip(_SHARES, of_goal, strict=True)
    )
    return shares, pd.DataFrame({"p": experiment.p_grid, "t": times})


def _quality_by_share(trials: _Trials) -> torch.Tensor:
    """Mean quality if trials stop by each share that is tried, ``[goals, shares]``."""
    n = len(trials.all)
    stops = torch.stack([steps.stopping_steps(trials.z, share) for share in _SHARES])
    # Many shares stop a trial at the same t: what is decoded there is judged once.
    places, back = (stops * n + trials.all).unique(return_inverse=True)
    found = trials.quality(trials.images(places // n, places % n), places % n)
    return found[:, back.cpu()].mean(2)


class _Method(NamedTuple):
    """One method on the test images.

    Attributes:
        quality: float64 ``[goals, P, n]``.
        steps: mean over images, ``[goals, P]``; NaN where nothing is inferred repeatedly.
    """

    quality: torch.Tensor
    steps: torch.Tensor


def _of_test_images(
    networks: _Networks,
    experiment: Experiment,
    shares: Mapping[str, float],
    memory_times: list[float],
) -> tuple[torch.Tensor, dict[str, _Method], dict[str, np.ndarray]]:
    """Quality by step, ``[goals, P, steps, n]``; the methods; the examples.

    Args:
        networks: the three.
        experiment: as of :func:`run`.
        shares: of each goal.
        memory_times: of each noise fraction.
    """
    test, at = _sample(experiment, "test"), torch.tensor(looked_at(experiment.steps))
    shown_p = min(experiment.p_grid, key=lambda p: abs(p - experiment.p))
    curves, at_each_p, examples = [], [], {}
    for p, memory_time in zip(experiment.p_grid, memory_times, strict=True):
        trials = _Trials(networks, test, p, experiment)
        curve = torch.stack([trials.quality_at(t) for t in at.tolist()], 1)
        stops = {goal: steps.stopping_steps(trials.z, shares[goal]) for goal in GOALS}
        advised = round(memory_time)
        with torch.no_grad():
            cleaned = networks.denoiser.decode_mean(networks.denoiser.encode_mean(trials.x0))
        curves.append(curve)
        at_each_p.append(
            {
                NOISY: (trials.quality(trials.x0, trials.all), _NOT_INFERRED),
                ONE_PASS: (curve[:, 0], torch.zeros_like(_NOT_INFERRED)),
                ADVICE: _advised(trials, curve[1], at, advised),
                RULE: _recommended(trials, stops),
                BEST: _best(curve, at),
                BEST_EACH: _best_of_each(curve, at),
                DENOISER: (trials.quality(cleaned, trials.all), _NOT_INFERRED),
            }
        )
        if p == shown_p:
            few = trials.all[:_SHOWN]
            pictures = {
                "clean image": test.clean[: len(few)],
                f"{NOISY}, p = {p:g}": trials.x0[few],
                ONE_PASS: trials.images(0, few),
                ADVICE: trials.images(advised, few),
                RULE: trials.images(stops["denoise"][few], few),
                DENOISER: cleaned[few],
            }
            examples = {name: images.cpu().numpy() for name, images in pictures.items()}
    found = {}
    for name in METHODS:
        quality, taken = zip(*(one[name] for one in at_each_p), strict=True)
        found[name] = _Method(torch.stack(quality, 1), torch.stack(taken, 1))
    return torch.stack(curves, 1), found, examples


_OfOneP = tuple[torch.Tensor, torch.Tensor]
"""Of one noise fraction the quality ``[goals, n]`` and the mean number of steps ``[goals]``."""


def _advised(trials: _Trials, right: torch.Tensor, at: torch.Tensor, advised: int) -> _OfOneP:
    """The step that the time to the memory advises; for labels the mean over 20 to 30 steps."""
    window = steps_advice.in_window(at.tolist())
    psnr, _ = trials.quality_at(advised)
    quality = torch.stack([psnr, right[window].mean(0)])
    return quality, torch.stack([torch.tensor(float(advised)), at[window].float().mean()]).double()


def _recommended(trials: _Trials, stops: Mapping[str, torch.Tensor]) -> _OfOneP:
    quality = [trials.quality_at(stops[goal])[i] for i, goal in enumerate(GOALS)]
    taken = [stops[goal].double().mean().cpu() for goal in GOALS]
    return torch.stack(quality), torch.stack(taken)


def _best(curve: torch.Tensor, at: torch.Tensor) -> _OfOneP:
    places = steps_advice.best(curve.mean(2))
    return curve[torch.arange(len(places)), places], at[places].double()


def _best_of_each(curve: torch.Tensor, at: torch.Tensor) -> _OfOneP:
    """By the best step of each image; if its label is never right, none are taken."""
    places = steps_advice.best(curve.movedim(1, -1))
    return curve.gather(1, places[:, None])[:, 0], at[places].double().mean(1)


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


def _methods(found: Mapping[str, _Method], p_grid: Any, weights: torch.Tensor) -> pd.DataFrame:
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


def _best_steps(
    curves: torch.Tensor, p_grid: tuple[float, ...], at: list[int], weights: torch.Tensor
) -> pd.DataFrame:
    steps_at = torch.tensor(at, dtype=torch.float64)
    resampled = steps_at[steps_advice.best((curves @ weights.T).movedim(-1, 0))]
    low, high = bootstrap.interval(resampled)
    index = pd.MultiIndex.from_product([GOALS, p_grid], names=["goal", "p"])
    best = torch.tensor(at)[steps_advice.best(curves.mean(3))]
    columns = {"t": best.flatten(), "low": low.flatten(), "high": high.flatten()}
    return pd.DataFrame(columns, index).reset_index()


def _by_goal(overall: pd.DataFrame) -> dict[str, dict[str, float | None]]:
    values = overall.assign(value=overall.value.astype(object).where(overall.value.notna(), None))
    return {
        str(goal): of_goal.set_index("method").value.to_dict()
        for goal, of_goal in values.groupby("goal", sort=False)
    }


def _finding(experiment: Experiment, found: dict[str, Any]) -> str:
    title, p = data.DATASETS[experiment.dataset].title, found["p_judged"]
    psnr, accuracy = (found["overall"][goal] for goal in GOALS)

    def both(method: str) -> str:
        values = zip((psnr[method], accuracy[method]), ("{:.1f} dB", "{:.0%}"), strict=True)
        return " and ".join("none" if v is None else text.format(v) for v, text in values)

    return (
        f"On noisy test images of {title} ($N_z = {experiment.n_z}$, mean over $p$ from {p[0]:g} "
        f"to {p[-1]:g}) a single pass gives a PSNR and an accuracy of {both(ONE_PASS)}. The "
        f"paper's advice gives {both(ADVICE)}, the recommended number of steps {both(RULE)}, the "
        f"best one for each $p$ {both(BEST)}, and a denoising autoencoder {both(DENOISER)}."
    )
