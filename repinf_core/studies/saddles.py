"""Saddles near concepts, and near control points in their place (chapter 20)."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
import torch

from repinf_core import geometry, models
from repinf_core.dynamics import fixed_points, rollout
from repinf_core.dynamics.jacobian import jacobian
from repinf_core.noise import noisy_trials
from repinf_core.profiles import Experiment
from repinf_core.streams import Stream, generator
from repinf_core.studies.study import Trained

CONTROLS = ("random memory", "prior point", "prior point, one step on")
"""Kinds of control points; one of each kind takes the place of each label's concept."""
MIDPOINT = "midpoint"
"""Of a label's concept and the next label's: no control of the claim, but as far inside."""
CENTRES = ("concept", *CONTROLS, MIDPOINT)
"""Saddles are searched for near these points."""


class Saddles(NamedTuple):
    """What the searches found.

    Attributes:
        searches: the study's table of this name.
        saddles: likewise.
        by_trajectories: likewise.
        points: the saddle nearest to each concept that has one, float64 ``[N_z]``, by label.
        displaced: whether noise moves any z(0) away from its memory.
    """

    searches: pd.DataFrame
    saddles: pd.DataFrame
    by_trajectories: pd.DataFrame
    points: dict[int, torch.Tensor]
    displaced: bool


class Trials(NamedTuple):
    """Noisy images of every label, on the CPU.

    Attributes:
        rows: rows of the clean images in the training set, ``[trials]``, label by label.
        x0: the noisy images x(0), ``[trials, 784]``.
        z0: their latents z(0), ``[trials, N_z]``.
    """

    rows: torch.Tensor
    x0: torch.Tensor
    z0: torch.Tensor


def draw(network: Trained, experiment: Experiment, trials: int) -> Trials:
    """Noisy images of every label, ``trials`` each, with the experiment's noise and seed."""
    rows, x0 = noisy_trials(
        network.train, range(10), trials, experiment.p, experiment.noise, experiment.trial_seed
    )
    return Trials(rows, x0, models.memories(network.model, x0.to(network.device)).cpu())


def search(
    network: Trained,
    experiment: Experiment,
    trials: Trials,
    centres: Sequence[str] = CENTRES,
) -> Saddles:
    """Search near each concept and near each control point, by the criterion of the claim.

    There is a saddle near a centre if one of its searches ends at a fixed point of index >= 1 that
    is nearer to the centre than the median memory of the label is to its concept, and if a step at
    this point shrinks, on average, the displacements z(0) - xi of the label's trials.

    Args:
        network: the trained one.
        experiment: uses ``steps``, ``trial_seed`` and ``census_trials``, the number of trials of
            each label whose closest approach a search starts from, or all if there are fewer.
        trials: noisy images of every label.
        centres: some of :data:`CENTRES`, the concept among them.
    """
    around = _centres(network, experiment.trial_seed)
    around = {name: points for name, points in around.items() if name in centres}
    starts = _starts(network, experiment, trials, torch.stack([*around.values()]))
    searches = pd.concat(
        [
            _around(network, trials, name, points, of_centre)
            for (name, points), of_centre in zip(around.items(), starts, strict=True)
        ],
        ignore_index=True,
    )
    points = {}
    of_concept = searches[(searches.centre == "concept") & searches.saddle]
    best = of_concept.loc[of_concept.groupby("label_number").distance.idxmin()]
    for label, z in zip(best.label_number, best.z, strict=True):
        points[int(label)] = z
    return Saddles(
        searches.drop(columns=["z", "label_number"]),
        _saddles(network, trials, searches, best),
        _by_trajectories(searches),
        points,
        bool((_displaced(network, trials).norm(dim=2) > geometry.ROUNDING).any()),
    )


def _centres(network: Trained, seed: int) -> dict[str, torch.Tensor]:
    """The concepts, one random point of each kind of control for each, midpoints: ``[10, N_z]``."""
    drawing = generator(seed, Stream.SADDLES)
    rows = [
        int(of_label[torch.randint(len(of_label), (1,), generator=drawing)])
        for k in range(10)
        for of_label in [(network.train.labels == k).nonzero()[:, 0]]
    ]
    prior = torch.randn(10, network.model.n_z, generator=drawing)
    step = rollout.inference_step(network.model)
    with torch.no_grad():
        after = step(prior.to(network.device))[1].cpu()
    between = (network.concepts + network.concepts.roll(-1, 0)) / 2
    points = (network.concepts, network.memories[rows], prior, after, between)
    return dict(zip(CENTRES, points, strict=True))


def _starts(
    network: Trained, experiment: Experiment, trials: Trials, centres: torch.Tensor
) -> torch.Tensor:
    """Starts of the searches: each centre, and where its label's trajectories are closest to it.

    Args:
        network: the trained one.
        experiment: uses ``steps`` and ``census_trials``.
        trials: noisy images of every label.
        centres: centres of each kind, ``[kinds, 10, N_z]``.

    Returns:
        ``[kinds, 10, starts, N_z]``.
    """
    each = len(trials.rows) // 10
    followed = min(experiment.census_trials, each)
    x0 = trials.x0.unflatten(0, (10, each))[:, :followed].flatten(0, 1)
    targets = centres.transpose(0, 1).repeat_interleave(followed, 0)
    passing = closest_points(
        network.model, x0.to(network.device), targets.to(network.device), experiment.steps
    ).cpu()
    return torch.cat(
        [centres[:, :, None], passing.unflatten(0, (10, followed)).permute(2, 0, 1, 3)], 2
    )


def _around(
    network: Trained, trials: Trials, name: str, centres: torch.Tensor, starts: torch.Tensor
) -> pd.DataFrame:
    """A row for each search: ten centres ``[10, N_z]``, each with starts ``[10, starts, N_z]``."""
    followed = starts.shape[1] - 1
    refined = fixed_points.refine(
        network.model,
        starts.flatten(0, 1).to(network.device),
        latents=geometry.active_latents(network.memories),
    )
    label = torch.arange(10).repeat_interleave(followed + 1)
    found = pd.DataFrame(
        {
            "centre": name,
            "label": [network.class_names[k] for k in label.tolist()],
            "label_number": label.numpy(),
            "start": (["itself"] + ["closest approach"] * followed) * 10,
            "trajectory": [*range(followed + 1)] * 10,
            "converged": refined.converged.numpy(),
            "distance": geometry.distance(refined.z, centres[label].double()).numpy(),
            "allowed": _radii(network)[label].numpy(),
            "z": [*refined.z],
        }
    )
    table = found.join(_at_fixed_points(network, trials, found[found.converged]))
    near = table.converged & (table.distance < table.allowed)
    unstable, shrinks = table["index"] >= 1, table.gain < 1
    table["saddle"] = near & (unstable & shrinks).fillna(False).astype(bool)
    numbers = fixed_points.distinct(refined.z[torch.tensor(table.saddle.to_numpy())])
    return table.assign(number=pd.Series(numbers.numpy(), table.index[table.saddle], dtype="Int64"))


def _at_fixed_points(network: Trained, trials: Trials, found: pd.DataFrame) -> pd.DataFrame:
    """How the step map acts at the fixed points that the searches found, a row for each."""
    z = torch.stack([*found.z]) if len(found) else network.concepts.double()[:0]
    maps = jacobian(network.model, z.to(network.device)).cpu()
    spectrum = fixed_points.spectrum(maps)
    displaced = _displaced(network, trials)
    gains = [
        geometry.directional_gains(one, displaced[k])[0]
        for one, k in zip(maps, found.label_number, strict=True)
    ]
    return pd.DataFrame(
        {
            "index": pd.array(spectrum.unstable.numpy(), dtype="Int64"),
            "radius": spectrum.radius.numpy(),
            "stretch": spectrum.stretch.numpy(),
            "gain": pd.array(gains, dtype="Float64"),
        },
        index=found.index,
    )


@torch.no_grad()
def closest_points(
    model: models.Autoencoder, x0: torch.Tensor, targets: torch.Tensor, steps: int
) -> torch.Tensor:
    """The points of each trajectory z(0) ... z(T) that are closest to its targets.

    Args:
        model: encoder and decoder means, on the device of ``x0``.
        x0: initial images x(0), ``[trials, 784]``.
        targets: targets of each trajectory, ``[trials, targets, N_z]``.
        steps: T.

    Returns:
        the closest point to each target (Euclidean distance in latent space), as ``targets``.
    """
    best = targets.new_full(targets.shape[:2], torch.inf)
    points = torch.empty_like(targets)
    for _, z in rollout.trajectory(model, x0, steps):
        distance = geometry.distance(z[:, None], targets)
        closer = distance < best
        best[closer], points[closer] = distance[closer], z[:, None].expand_as(targets)[closer]
    return points


def _radii(network: Trained) -> torch.Tensor:
    """The median distance of a label's memories to their concept, ``[10]``."""
    labels = network.train.labels
    distances = geometry.distance(network.memories, network.concepts[labels]).double()
    return torch.stack([distances[labels == k].median() for k in range(10)])


def _displaced(network: Trained, trials: Trials) -> torch.Tensor:
    """z(0) - xi, the displacements that noise makes, by label: float64 ``[10, trials, N_z]``."""
    return (trials.z0 - network.memories[trials.rows]).double().unflatten(0, (10, -1))


def _saddles(
    network: Trained, trials: Trials, searches: pd.DataFrame, best: pd.DataFrame
) -> pd.DataFrame:
    """The table ``saddles``: the one nearest to each concept, and whether each control has one."""
    found = searches.groupby(["label_number", "centre"]).saddle.any().unstack()
    table = pd.DataFrame({"label": network.class_names, "allowed": _radii(network).numpy()})
    columns = ["distance", "index", "radius", "stretch", "gain"]
    at_best = best.set_index("label_number")
    table = table.join(at_best[columns])
    displaced, active = _displaced(network, trials), geometry.active_latents(network.memories)
    noise = {
        label: geometry.share_within(
            displaced[label],
            fixed_points.growing_directions(jacobian(network.model, z[None].to(network.device))[0]),
        )
        for label, z in at_best.z.items()
    }
    table["noise_share"] = pd.Series(noise, table.index, dtype=float)
    table["by_chance"] = table["index"] / int(active.sum())
    for name in found:
        table[name] = found[name].to_numpy()
    return table


def _by_trajectories(searches: pd.DataFrame) -> pd.DataFrame:
    """The table ``by_trajectories``: how the count of labels rises with the number of searches."""
    followed = searches.trajectory.max()
    numbers = sorted({n for n in (1, 3, 10, 30, 100, 300) if n < followed} | {0, followed})
    names = dict.fromkeys(searches.centre)
    return pd.DataFrame(
        {
            "centre": name,
            "trajectories": n,
            "labels": searches[
                (searches.centre == name) & searches.saddle & (searches.trajectory <= n)
            ].label_number.nunique(),
        }
        for name in names
        for n in numbers
    )
