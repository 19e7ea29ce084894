"""What repeated inference does in one network: distances along trajectories, and their steps.

Networks differ in the dimension and in the scale of their latent spaces.  All lengths are therefore
in units of the typical distance of memories from their concept, the root of its mean square over
the training images of the label.
"""

from typing import NamedTuple

import pandas as pd
import torch

from repinf_core import geometry
from repinf_core.data import LabelledImages
from repinf_core.dynamics import approach, rollout
from repinf_core.models import Autoencoder
from repinf_core.studies.iterated_depths import depths, resampled
from repinf_core.studies.study import mean_curves, stacked

TARGETS = ("concept", "wrong concept", "memory")
"""To what distances are measured; the wrong concept is that of the next label, a control."""
_CHUNK = 1000  # images encoded at once
_TOGETHER = 250  # trials; a convolutional step takes much memory


class Clusters(NamedTuple):
    """The clusters of memories in a network's latent space, on the network's device.

    Attributes:
        concepts: mean memory of each label, ``[K, N_z]``.
        spread: typical distance of memories from their concept, Euclidean, ``[K]``; the root of the
            mean square over the label's training images.
    """

    concepts: torch.Tensor
    spread: torch.Tensor


@torch.no_grad()
def clusters(model: Autoencoder, train: LabelledImages, device: str) -> Clusters:
    """The clusters of all memories, of which no more than a few are kept at a time.

    Args:
        model: the network, on ``device``.
        train: the training set, on the CPU.
        device: of the computation.
    """
    labels = int(train.labels.max()) + 1
    sums: torch.Tensor | float = 0.0
    squares = torch.zeros(labels, dtype=torch.float64, device=device)
    for images, of_images in zip(
        train.images.split(_CHUNK), train.labels.split(_CHUNK), strict=True
    ):
        z = model.encode_mean(images.to(device)).double()
        own = torch.nn.functional.one_hot(of_images, labels).to(z)
        sums = sums + own.T @ z
        squares += own.T @ z.square().sum(1)
    counts = torch.bincount(train.labels, minlength=labels).to(squares)
    concepts = sums / counts[:, None]
    variance = squares / counts - concepts.square().sum(1)
    # A network may give all images of a label the same latents.
    spread = variance.clamp_min(torch.finfo(torch.float32).tiny).sqrt()
    return Clusters(concepts.float(), spread.float())


class Followed(NamedTuple):
    """What is measured along trajectories.  Lengths are in units of the label's spread.

    Attributes:
        curves: a row for each ``target``, ``label`` and ``t`` (steps): ``mean`` and ``sem`` over
            trials of the distance of z(t), and the mean distance of the ``chord``.
        labels: a row for each ``label``, as documented in
            :class:`repinf_core.studies.iterating_them.IteratingThem`, without ``network``.
        steps: a row for each ``t`` from 1 on: ``median`` over all trials of the length of the step
            from z(t-1) to z(t), and its quartiles ``lower`` and ``upper``.
        excess: ``excess_depth`` with the trials drawn anew, float64 ``[RESAMPLES, labels]``.
    """

    curves: pd.DataFrame
    labels: pd.DataFrame
    steps: pd.DataFrame
    excess: torch.Tensor


def follow(
    model: Autoencoder,
    found: Clusters,
    clean: torch.Tensor,
    x0: torch.Tensor,
    names: tuple[str, ...],
    steps: int,
    weights: torch.Tensor,
) -> Followed:
    """Follow the trials of every label for T = ``steps`` steps.

    Args:
        model: the network.
        found: its clusters, on its device.
        clean: images of the trials without noise, label by label, ``[labels * trials, 784]``.
        x0: the same images with noise.
        names: of the labels.
        steps: T.
        weights: of the trials in each resample, from :func:`iterated_depths.draws`.
    """
    concepts, labels = found.concepts, len(names)
    own = torch.arange(labels, device=concepts.device).repeat_interleave(len(x0) // labels)
    with torch.no_grad():
        memory = model.encode_mean(clean.to(concepts.device))
    targets = dict(zip(TARGETS, (concepts[own], concepts[(own + 1) % labels], memory), strict=True))
    ran = rollout.rollout(
        model,
        x0.to(concepts.device),
        steps,
        {
            **{name: geometry.distance_to(target) for name, target in targets.items()},
            "step": StepLengths(),
            "nearest is own": lambda x, z, trials: (
                torch.cdist(z, concepts).argmin(1) == own[trials]
            ).float(),
        },
        chunk=_TOGETHER,
    )
    unit = found.spread[own]
    distances = {name: approach.by_group(ran.observed[name] / unit, labels) for name in TARGETS}
    chords = {
        name: approach.by_group(
            geometry.chord_distances(ran.z_first, ran.z_last, target, steps) / unit, labels
        )
        for name, target in targets.items()
    }
    nearest = approach.by_group(ran.observed["nearest is own"], labels).mean(2)
    travelled = geometry.distance(ran.z_last, ran.z_first) / unit
    wrong = readings(distances["wrong concept"], chords["wrong concept"])
    of_labels = readings(distances["concept"], chords["concept"]).assign(
        wrong_whole_chord=wrong.whole_chord,
        wrong_same_time=wrong.same_time,
        wrong_depth=wrong.depth,
        memory_first=distances["memory"].mean(2)[:, 0].numpy(),
        memory_last=distances["memory"].mean(2)[:, -1].numpy(),
        nearest_first=nearest[:, 0].numpy(),
        nearest_last=nearest[:, -1].numpy(),
        travelled=travelled.view(labels, -1).mean(1).cpu().numpy(),
        spread=found.spread.cpu().numpy(),
    )
    of_labels["excess_depth"] = of_labels.depth - of_labels.wrong_depth
    of_labels.insert(0, "label", names)
    curves = {name: mean_curves(distances[name], chords[name], names) for name in TARGETS}
    lengths = (ran.observed["step"] / unit)[1:].cpu()
    quartiles = torch.tensor([0.25, 0.5, 0.75])
    lower, median, upper = torch.quantile(lengths, quartiles, dim=1).numpy()
    times = range(1, steps + 1)
    own_depth, wrong_depth = (
        resampled(distances[name], chords[name], weights) for name in TARGETS[:2]
    )
    return Followed(
        stacked(curves, "target"),
        of_labels,
        pd.DataFrame({"t": times, "median": median, "lower": lower, "upper": upper}),
        own_depth - wrong_depth,
    )


class StepLengths:
    """Observable of a rollout: the length of the step that led to z(t), and 0 at t = 0."""

    def __init__(self) -> None:
        self._trials, self._before = slice(0), torch.empty(0)

    def __call__(self, x: torch.Tensor, z: torch.Tensor, trials: slice) -> torch.Tensor:
        before = self._before if trials == self._trials else z
        length = geometry.distance(z, before)
        self._trials, self._before = trials, z.clone()
        return length


def readings(distances: torch.Tensor, chords: torch.Tensor) -> pd.DataFrame:
    """How the mean curve of each label approaches a target.

    Args:
        distances: of the trajectories, ``[labels, T+1, trials]``.
        chords: of their chords, likewise.

    Returns:
        a row for each label: whether it approaches below the ``whole_chord`` and below the chord at
        the ``same_time``; ``step`` and ``minimum`` of the curve, its ``first`` and ``last``
        distance; the ``depth`` of the minimum below the chord at the same time, 0 if it does not
        approach.
    """
    whole_chord, same_time = geometry.approach_of_means(distances, chords)
    mean, chord = distances.mean(2), chords.mean(2)
    columns = {
        "whole_chord": whole_chord.approaches,
        "same_time": same_time,
        "step": whole_chord.step,
        "minimum": whole_chord.minimum,
        "first": mean[:, 0],
        "last": mean[:, -1],
        "depth": depths(mean.T, chord.T),
    }
    return pd.DataFrame({name: values.numpy() for name, values in columns.items()})
