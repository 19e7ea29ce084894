"""Which landmark is approached closest as the noise grows?  Fig. 4, and Fig. 6 as measured."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd
import torch

from repinf_core import data, geometry
from repinf_core.agreement import rank_correlation
from repinf_core.dynamics import approach, rollout
from repinf_core.dynamics.approach import LANDMARKS, ClosestApproach
from repinf_core.noise import noisy_trials
from repinf_core.profiles import Experiment
from repinf_core.studies.study import Study, Trained, network_in_words, trained

STAGES = ("I", "II", "III")
"""The paper's numbers for the stages, in the order of the landmarks."""
_SHOWN = 6  # trajectories in the plane: more are hard to follow
_COLUMNS = ["what", "trial", "t", "right", "up"]


@dataclass(frozen=True)
class NoiseAndHierarchy(Study):
    """The tables of Fig. 4, and of the plane in which Fig. 6 is measured.

    Attributes:
        landmarks: a row for each landmark (of ``approach.LANDMARKS``) and noise fraction ``p``:
            means over the trials of the smallest ``distance`` over t (Euclidean, in latent space)
            and of its ``time`` (steps), each with two standard errors, ``distance_two_sem`` and
            ``time_two_sem``.
        noise_fractions: a row for each ``p``: the landmark that is ``nearest`` on average;
            ``ahead``, the difference to the distance of the second (mean over the trials, with
            ``ahead_two_sem``); whether this is more than two standard errors (``clear``); and the
            landmark that is reached ``earliest`` (missing if two share the smallest mean time).
        stages: a row for each range of p with one nearest landmark: its number as ``stage``, the
            ``nearest`` landmark, the p at which it begins and ends (``start``, ``stop``), the
            number of ``noise_fractions`` of the grid in it, and at how many it is ``clear``.
        times: a row for each landmark: ``smallest`` and ``largest`` mean time over p and their
            difference ``range`` (steps), the ``rank_correlation`` of p and mean time, and the
            number of noise fractions at which it is reached first (``earliest``).
        displacement: one row on the displacement of z(0) at the noise fraction ``p``: the numbers
            of ``latents``, of ``active`` latents and of ``components`` that hold 99% of the
            memories' variance, and the share of the squared displacement from the memory that is
            ``outside`` these components (missing if nothing is displaced, or if no component is
            left).
        plane: points in the plane of the mean displacement by noise (``up``) and the main
            direction of the label's memories (``right``): ``what`` is a memory of the label,
            the own memory of a ``trial``, a trajectory at ``t``, the concept or the abstract
            concept.  The table is empty if there is no such plane, that is, without noise or with
            one latent variable.
    """

    landmarks: pd.DataFrame
    noise_fractions: pd.DataFrame
    stages: pd.DataFrame
    times: pd.DataFrame
    displacement: pd.DataFrame
    plane: pd.DataFrame


def run(experiment: Experiment, device: str | None = None) -> NoiseAndHierarchy:
    """Follow images of one label at every noise fraction; measure which landmark is closest.

    Args:
        experiment: uses ``label``, ``p_grid``, ``trials_per_p``, ``noise``, ``trial_seed``,
            ``steps``, ``p`` for the plane, and the parameters of the network.
        device: as in :func:`repinf_core.studies.study.trained`, whose errors it raises.
    """
    network = trained(experiment, device)
    closest = approach.closest_approach_by_noise(
        network.model, network.train, network.memories.to(network.device), experiment
    )
    landmarks = _landmarks(experiment.p_grid, closest)
    noise_fractions = _noise_fractions(experiment.p_grid, closest)
    stages = _stages(experiment.p_grid, closest, noise_fractions)
    displaced = _displaced(network, experiment)
    displacement = _displacement(network, experiment.p, displaced)
    return NoiseAndHierarchy(
        experiment=experiment,
        device=network.device,
        numbers=_numbers(network, landmarks, stages, displaced),
        finding=_finding(network, experiment, stages),
        landmarks=landmarks,
        noise_fractions=noise_fractions,
        stages=stages,
        times=_times(landmarks, noise_fractions),
        displacement=displacement,
        plane=_plane(network, experiment.label, displaced),
    )


def _landmarks(p_grid: tuple[float, ...], closest: ClosestApproach) -> pd.DataFrame:
    distance, distance_error = approach.mean_and_two_sem(closest.distance)
    time, time_error = approach.mean_and_two_sem(closest.step)
    return pd.DataFrame(
        {
            "landmark": [name for name in LANDMARKS for _ in p_grid],
            "p": [*p_grid] * len(LANDMARKS),
            "distance": distance.flatten(),
            "distance_two_sem": distance_error.flatten(),
            "time": time.flatten(),
            "time_two_sem": time_error.flatten(),
        }
    )


def _noise_fractions(p_grid: tuple[float, ...], closest: ClosestApproach) -> pd.DataFrame:
    """The table ``noise_fractions``.

    Landmarks are compared trial by trial, because all noise fractions have the same trials.
    """
    rank = closest.distance.mean(-1).argsort(0)
    trials = closest.distance.shape[-1]
    first, second = closest.distance.gather(0, rank[:2, :, None].expand(-1, -1, trials))
    ahead, error = approach.mean_and_two_sem(second - first)
    times = closest.step.mean(-1)
    alone = (times == times.min(0).values).sum(0) == 1
    earliest = [LANDMARKS[k] for k in times.argmin(0)]
    return pd.DataFrame(
        {
            "p": p_grid,
            "nearest": [LANDMARKS[k] for k in rank[0]],
            "ahead": ahead,
            "ahead_two_sem": error,
            "clear": ahead > error,
            "earliest": pd.Series(earliest, dtype=object).where(pd.Series(alone), None),
        }
    )


def _stages(
    p_grid: tuple[float, ...], closest: ClosestApproach, noise_fractions: pd.DataFrame
) -> pd.DataFrame:
    found = geometry.stages(torch.tensor(p_grid, dtype=torch.float64), closest.distance.mean(-1))
    nearest = noise_fractions.nearest
    clear = noise_fractions.clear.groupby((nearest != nearest.shift()).cumsum())
    return pd.DataFrame(
        {
            "stage": [STAGES[one.nearest] for one in found],
            "nearest": [LANDMARKS[one.nearest] for one in found],
            "start": [one.start for one in found],
            "stop": [one.stop for one in found],
            "noise_fractions": clear.size().to_numpy(),
            "clear": clear.sum().to_numpy(),
        }
    )


def _times(landmarks: pd.DataFrame, noise_fractions: pd.DataFrame) -> pd.DataFrame:
    of_landmark = [landmarks[landmarks.landmark == name] for name in LANDMARKS]
    return pd.DataFrame(
        {
            "landmark": LANDMARKS,
            "smallest": [one.time.min() for one in of_landmark],
            "largest": [one.time.max() for one in of_landmark],
            "range": [one.time.max() - one.time.min() for one in of_landmark],
            "rank_correlation": [rank_correlation(one.p, one.time) for one in of_landmark],
            "earliest": [int((noise_fractions.earliest == name).sum()) for name in LANDMARKS],
        }
    )


class _Displaced(NamedTuple):
    """The trials at one noise fraction.

    Attributes:
        z: the first trajectories, ``[T+1, shown, N_z]``.
        own: the memory of each trial, ``[trials, N_z]``.
        displacement: z(0) minus this memory, ``[trials, N_z]``.
        components: number of principal components that hold 99% of the memories' variance.
        outside: share of the squared displacement outside these; None if nothing is displaced.
    """

    z: torch.Tensor
    own: torch.Tensor
    displacement: torch.Tensor
    components: int
    outside: float | None


def _displaced(network: Trained, experiment: Experiment) -> _Displaced:
    rows, x0 = noisy_trials(
        network.train,
        [experiment.label],
        experiment.trials_per_p,
        experiment.p,
        experiment.noise,
        experiment.trial_seed,
    )
    observe = {"z": rollout.latents}
    ran = rollout.rollout(network.model, x0.to(network.device), experiment.steps, observe)
    z, own = ran.observed["z"].cpu(), network.memories[rows]
    displacement = z[0] - own
    components = geometry.components(network.memories, 0.99)
    space = geometry.principal_axes(network.memories)[1][:, :components].float()
    outside = None
    if bool((displacement.norm(dim=1) > geometry.ROUNDING).any()):
        left_over = displacement - displacement @ space @ space.T
        outside = float(left_over.square().sum() / displacement.square().sum())
    return _Displaced(z[:, :_SHOWN], own, displacement, components, outside)


def _displacement(network: Trained, p: float, displaced: _Displaced) -> pd.DataFrame:
    latents = network.memories.shape[1]
    some_left_over = displaced.components < latents
    return pd.DataFrame(
        {
            "p": [p],
            "latents": [latents],
            "active": [int(geometry.active_latents(network.memories).sum())],
            "components": [displaced.components],
            "outside": pd.array([displaced.outside if some_left_over else None], dtype="Float64"),
        }
    )


def _plane(network: Trained, label: int, displaced: _Displaced) -> pd.DataFrame:
    if displaced.outside is None or network.memories.shape[1] < 2:
        return pd.DataFrame(columns=_COLUMNS)
    of_label = network.memories[network.train.labels == label]
    up = torch.nn.functional.normalize(displaced.displacement.mean(0), dim=0)
    principal = geometry.principal_axes(of_label)[1][:, 0].float()
    right = torch.nn.functional.normalize(principal - (principal @ up) * up, dim=0)
    plane = torch.stack([right, up], 1)
    steps, shown, _ = displaced.z.shape
    trials = range(shown)
    rows = [
        *_points("memory of the label", of_label @ plane),
        *_points("own memory", displaced.own[:shown] @ plane, trials),
        *_points(
            "trajectory",
            (displaced.z @ plane).flatten(0, 1),
            [*trials] * steps,
            [t for t in range(steps) for _ in trials],
        ),
        *_points("concept", network.concepts[label, None] @ plane),
        *_points("abstract concept", geometry.abstract_concept(network.concepts)[None] @ plane),
    ]
    types = {"trial": "Int64", "t": "Int64"}
    return pd.DataFrame(rows, columns=_COLUMNS).astype(types)


def _points(what: str, points: torch.Tensor, trial: Any = None, t: Any = None) -> list[tuple]:
    """Rows of the plane for points ``[n, 2]``, each with its trial and t, if it has them."""
    none = [None] * len(points)
    both = zip(trial or none, t or none, points.tolist(), strict=True)
    return [(what, one, step, *point) for one, step, point in both]


def _numbers(
    network: Trained, landmarks: pd.DataFrame, stages: pd.DataFrame, displaced: _Displaced
) -> dict[str, Any]:
    def by_landmark(quantity: str) -> dict[str, list[float]]:
        of_landmark = landmarks.groupby("landmark", sort=False)[quantity]
        return {str(name): values.tolist() for name, values in of_landmark}

    return {
        "epochs_trained": network.run.epoch,
        "p": landmarks.p.unique().tolist(),
        "mean_smallest_distance": by_landmark("distance"),
        "two_sem_of_distance": by_landmark("distance_two_sem"),
        "mean_time": by_landmark("time"),
        "two_sem_of_time": by_landmark("time_two_sem"),
        "stages": stages[["nearest", "start", "stop"]].to_dict("records"),
        "share_of_displacement_outside": displaced.outside,
        "components_of_99_percent": displaced.components,
    }


def _finding(network: Trained, experiment: Experiment, stages: pd.DataFrame) -> str:
    first, *later = stages.itertuples()
    then = "".join(f", then to the {one.nearest} (from $p = {one.start:.2f}$)" for one in later)
    return (
        f"As the noise grows, trajectories from noisy images of "
        f"'{network.class_names[experiment.label]}' ({data.DATASETS[experiment.dataset].title}, "
        f"{network_in_words(experiment)}) come closest "
        + (
            f"first to the {first.nearest}{then}."
            if later
            else f"to the {first.nearest} throughout."
        )
    )
