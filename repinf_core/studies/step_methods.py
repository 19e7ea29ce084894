"""Ways to choose the number of steps, tried on noisy images."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from repinf_core import data, models
from repinf_core.dynamics import rollout, steps
from repinf_core.geometry import distance
from repinf_core.models.classifier import Classifier
from repinf_core.models.denoiser import DenoisingAutoencoder
from repinf_core.noise import corrupt, psnr
from repinf_core.profiles import Experiment
from repinf_core.streams import Stream, stream_seed
from repinf_core.studies import steps_advice
from repinf_core.studies.study import Trained

GOALS = tuple(steps.SHARES)
"""What is wanted: a large PSNR to the clean image, or the image's own label."""
NOISY, ONE_PASS, ADVICE, RULE = "noisy image", "one pass", "paper's advice", "recommended"
BEST, BEST_EACH = "best t of each p", "best t of each image"
DENOISER = "denoising autoencoder"
METHODS = (NOISY, ONE_PASS, ADVICE, RULE, BEST, BEST_EACH, DENOISER)
"""What is compared; the two best ones look at the clean image, or at its label."""

_SHARES = tuple(2 ** (k / 4) for k in range(-16, 5))  # tried; with the largest few take a step
_STREAMS = {  # of the images that are drawn, and of their noise
    "train": (Stream.STEPS_TRAINING_IMAGES, Stream.STEPS_TRAINING_NOISE),
    "test": (Stream.STEPS_TEST_IMAGES, Stream.STEPS_TEST_NOISE),
}
_SHOWN = 4  # examples
_NOT_INFERRED = torch.full((len(GOALS),), torch.nan, dtype=torch.float64)


def looked_at(last: int) -> list[int]:
    """The steps t from 0 to ``last`` that are judged: each of the first, then fewer and fewer."""
    apart = max(10, last // 10)
    return [t for t in range(last + 1) if t <= 10 or (t <= 30 and t % 2 == 0) or t % apart == 0]


class Networks(NamedTuple):
    """The network, and the two that judge it and are compared with it."""

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
    of_images, of_noise = (stream_seed(experiment.trial_seed, one) for one in _STREAMS[split])
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
        self, networks: Networks, sample: _Sample, p: float, experiment: Experiment
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
        right = (named == self._sample.labels[trials]).double()
        return torch.stack([psnr(images.cpu(), self._sample.clean[trials]), right])

    def quality_at(self, stops: torch.Tensor | int) -> torch.Tensor:
        """The quality of all trials at t, one for all or one for each: ``[goals, n]``."""
        return self.quality(self.images(stops, self.all), self.all)


class Method(NamedTuple):
    """One method on the test images.

    Attributes:
        quality: float64 ``[goals, P, n]``.
        steps: mean over images, ``[goals, P]``; NaN where nothing is inferred repeatedly.
    """

    quality: torch.Tensor
    steps: torch.Tensor


def on_training_images(
    networks: Networks, experiment: Experiment
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables ``shares`` and ``memory_times`` of the study.

    Args:
        networks: the three networks.
        experiment: as in :func:`repinf_core.studies.how_many_steps.run`.
    """
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


def on_test_images(
    networks: Networks,
    experiment: Experiment,
    shares: Mapping[str, float],
    memory_times: list[float],
) -> tuple[torch.Tensor, dict[str, Method], dict[str, np.ndarray]]:
    """Quality by step, ``[goals, P, steps, n]``; the methods by name; the examples.

    Args:
        networks: the three networks.
        experiment: as in :func:`repinf_core.studies.how_many_steps.run`.
        shares: the share chosen for each goal.
        memory_times: the paper's advice for each noise fraction, in steps.
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
        found[name] = Method(torch.stack(quality, 1), torch.stack(taken, 1))
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
