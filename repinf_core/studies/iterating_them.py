"""Does the approach to the cluster centre belong to the VAE?  Other autoencoders, iterated."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
import torch

from repinf_core import data
from repinf_core.dynamics import rollout
from repinf_core.models import Autoencoder
from repinf_core.models.conv import ConvSpec, controls, variants
from repinf_core.noise import noisy_trials
from repinf_core.profiles import Experiment
from repinf_core.studies import convolutional, iterated_depths
from repinf_core.studies.iterated_ends import Ends, ends
from repinf_core.studies.iterated_networks import Clusters, Followed, clusters, follow
from repinf_core.studies.study import Study, Trained, stacked, trained

MOST_TRIALS = 100
"""A label has no more trials than this, for a convolutional step takes long on a CPU."""
MOST_STEPS = 1000
"""No trajectory is followed to its end for longer."""
_SHOWN = (0, 1, 2, 5, 10, 30)  # times of images, besides the last


@dataclass(frozen=True)
class IteratingThem(Study):
    """The tables of four networks and two controls, iterated from the same noisy images.

    The controls have one difference: the linear CAE lacks the relu on its latents, the rectified
    VAE has it on its mean.

    All lengths in latent space are in units of the typical distance of memories from their concept,
    the root of its mean square over the training images of the label.

    Attributes:
        networks: a row for each ``network``: the number ``n_z`` of its latent variables and of
            ``epochs`` trained; over the labels the mean ``spread`` (the typical distance,
            Euclidean), ``first``, ``minimum`` and ``last`` distance to the concept and
            ``travelled``, the median ``step``, the mean ``depth``, ``wrong_depth`` and
            ``excess_depth`` and the shares ``nearest_first`` and ``nearest_last``; the numbers of
            labels that approach the concept by the ``whole_chord`` and at the ``same_time``,
            likewise the wrong concept, and of those (``deeper``) whose ``excess_depth`` is above 0.
        labels: a row for each network and ``label``: whether the mean curve of the distance to the
            concept approaches it by the ``whole_chord`` and at the ``same_time``; ``step`` and
            ``minimum`` of the curve, its ``first`` and ``last`` distance; the ``depth`` of the
            approach below the chord at the same time (0 if there is none); ``wrong_whole_chord``,
            ``wrong_same_time`` and ``wrong_depth`` of the next label's concept, and the difference
            ``excess_depth``; the distance to the own memory at the first and the last step
            (``memory_first``, ``memory_last``); the share of trials to which the own concept is the
            nearest at t = 0 (``nearest_first``) and at T (``nearest_last``); the mean distance
            ``travelled`` from z(0) to z(T); the ``spread`` (Euclidean).
        margins: a row for each label, of :func:`iterated_depths.margins`: by how much both VAEs
            approach more deeply than CAE and DAE, with what a bootstrap over the trials says of it.
        curves: a row for each network, ``target`` (of ``iterated_networks.TARGETS``), label and
            ``t`` (steps): ``mean`` and ``sem`` of the distance over trials, and of the ``chord``
            the mean.
        means: a row for each network, target and ``t``: over the labels the means of ``mean`` and
            ``chord``.
        steps: a row for each network and ``t`` from 1 on: ``median`` and quartiles (``lower``,
            ``upper``) over all trials of the length of the step to z(t).
        ends: a row for each network and trajectory: ``label``, ``outcome`` (at rest, cycle, not at
            rest), ``steps`` taken, length of the ``last_step``, distance from the end to the own
            ``concept``, whether this is the nearest (``nearest_own``), and the number of the
            ``end_point`` (missing unless at rest).
        outcomes: a row for each network: the number of ``trajectories``, the shares ``at_rest``, on
            a ``cycle`` and ``not_at_rest``, the number of distinct ``end_points`` of those at rest,
            the medians of ``last_step`` and ``concept``, and the share ``nearest_own``.
        spectra: a row for each network, label and place ``where`` (concept, end point): length of
            the ``step`` taken there, spectral ``radius`` and largest singular value ``stretch`` of
            its Jacobian (missing where the iteration did not converge).
        places: a row for each network and ``where``: ``points``, how many of them are ``missing``,
            and medians of ``step``, ``radius`` and ``stretch``.
        times: of the images shown, in steps.
        samples: by network, x(t) at these times of one noisy image, ``[times, 784]``.
        concept_images: what the networks decode from its concept, ``[networks, 784]``.
    """

    networks: pd.DataFrame
    labels: pd.DataFrame
    margins: pd.DataFrame
    curves: pd.DataFrame
    means: pd.DataFrame
    steps: pd.DataFrame
    ends: pd.DataFrame
    outcomes: pd.DataFrame
    spectra: pd.DataFrame
    places: pd.DataFrame
    times: tuple[int, ...]
    samples: dict[str, np.ndarray]
    concept_images: np.ndarray


def run(experiment: Experiment, device: str | None = None) -> IteratingThem:
    """Iterate the paper's VAE and the convolutional networks from the same noisy images.

    Args:
        experiment: uses ``trials`` (at most :data:`MOST_TRIALS`), ``p``, ``noise``, ``trial_seed``,
            ``steps``, ``settling_steps`` (at most :data:`MOST_STEPS`), ``label`` of the images
            shown, and all that names the networks.
        device: as in :func:`repinf_core.studies.study.trained`, whose errors it raises.
    """
    papers = trained(experiment, device)
    companions = convolutional.trained(experiment, papers.device, _specs(experiment))
    runs = {"paper's VAE": papers.run, **companions.runs}
    models = {name: cast(Autoencoder, run.model) for name, run in runs.items()}
    rows, x0 = _trials(papers.train, experiment)
    label = experiment.label
    shown = label * (len(x0) // 10)
    times = (*(t for t in _SHOWN if t < experiment.steps), experiment.steps)
    weights = iterated_depths.draws(10, len(x0) // 10, experiment.trial_seed)
    measured = {
        name: _measure(model, papers, rows, x0, weights, experiment)
        for name, model in models.items()
    }
    labels = stacked({name: one.followed.labels for name, one in measured.items()}, "network")
    curves = stacked({name: one.followed.curves for name, one in measured.items()}, "network")
    of_ends = stacked({name: one.ends.ends for name, one in measured.items()}, "network")
    spectra = stacked({name: one.ends.spectra for name, one in measured.items()}, "network")
    networks, outcomes = _networks(labels), _outcomes(of_ends)
    excess = {name: one.followed.labels.excess_depth for name, one in measured.items()}
    anew = {name: one.followed.excess for name, one in measured.items()}
    margins, told = iterated_depths.margins(excess, anew, papers.class_names)
    networks.insert(1, "n_z", [one.found.concepts.shape[1] for one in measured.values()])
    networks.insert(2, "epochs", [run.epoch for run in runs.values()])
    numbers = {
        "epochs_trained": papers.run.epoch,
        "conv_epochs_trained": companions.epochs,
        "trials": len(x0) // 10,
        "networks": _numbers(networks, labels, outcomes, spectra),
        "margins": told,
    }
    return IteratingThem(
        experiment=experiment,
        device=papers.device,
        numbers=numbers,
        finding=_finding(experiment, networks, margins, told),
        networks=networks,
        labels=labels,
        margins=margins,
        curves=curves,
        means=curves.groupby(["network", "target", "t"], sort=False)[["mean", "chord"]]
        .mean()
        .reset_index(),
        steps=stacked({name: one.followed.steps for name, one in measured.items()}, "network"),
        ends=of_ends,
        outcomes=outcomes,
        spectra=spectra,
        places=_places(spectra),
        times=times,
        samples={
            name: _sample(model, x0[[shown]], times, papers.device)
            for name, model in models.items()
        },
        concept_images=np.concatenate(
            [_decoded(model, measured[name].found, label) for name, model in models.items()]
        ),
    )


def _specs(experiment: Experiment) -> dict[str, ConvSpec]:
    """The convolutional networks, and two that differ from one of them in the relu alone."""
    three, others = variants(experiment), controls(experiment)
    return {
        "conv VAE": three["VAE"],
        "CAE": three["CAE"],
        "DAE": three["DAE"],
        "rectified VAE": others["VAE, rectified mean"],
        "linear CAE": others["CAE, linear latents"],
    }


def _trials(
    train: data.LabelledImages, experiment: Experiment
) -> tuple[torch.Tensor, torch.Tensor]:
    """The first of chapter 4's noisy images of each label."""
    rows, x0 = noisy_trials(
        train, range(10), experiment.trials, experiment.p, experiment.noise, experiment.trial_seed
    )
    first = [part.unflatten(0, (10, -1))[:, :MOST_TRIALS].flatten(0, 1) for part in (rows, x0)]
    return first[0], first[1]


@dataclass(frozen=True)
class _Measured:
    found: Clusters
    followed: Followed
    ends: Ends


def _measure(
    model: Autoencoder,
    papers: Trained,
    rows: torch.Tensor,
    x0: torch.Tensor,
    weights: torch.Tensor,
    experiment: Experiment,
) -> _Measured:
    train, names = papers.train, papers.class_names
    found = clusters(model, train, papers.device)
    return _Measured(
        found,
        follow(model, found, train.images[rows], x0, names, experiment.steps, weights),
        ends(model, found, x0, names, min(experiment.settling_steps, MOST_STEPS)),
    )


def _sample(
    model: Autoencoder, x0: torch.Tensor, times: tuple[int, ...], device: str
) -> np.ndarray:
    observe = {"x": rollout.images}
    ran = rollout.rollout(model, x0.to(device), times[-1], observe, at=times)
    return ran.observed["x"][:, 0].cpu().numpy()


@torch.no_grad()
def _decoded(model: Autoencoder, found: Clusters, label: int) -> np.ndarray:
    return model.decode_mean(found.concepts[[label]]).cpu().numpy()


def _networks(labels: pd.DataFrame) -> pd.DataFrame:
    by = labels.groupby("network", sort=False)
    deeper = by.excess_depth.agg(lambda depths: int((depths > 0).sum())).rename("deeper")
    counted = ["whole_chord", "same_time", "wrong_whole_chord", "wrong_same_time"]
    averaged = [
        "spread", "first", "minimum", "last", "travelled", "depth", "wrong_depth", "excess_depth",
        "memory_first", "memory_last", "nearest_first", "nearest_last",
    ]  # fmt: skip
    tables = (by[averaged].mean(), by[["step"]].median(), deeper)
    return by[counted].sum().join([*tables]).reset_index()


def _outcomes(of_ends: pd.DataFrame) -> pd.DataFrame:
    outcomes = ("at rest", "cycle", "not at rest")
    met = {outcome.replace(" ", "_"): of_ends.outcome == outcome for outcome in outcomes}
    by = of_ends.assign(**met).groupby("network", sort=False)
    medians, shares = by[["last_step", "concept"]].median(), by[[*met, "nearest_own"]].mean()
    counts = {"trajectories": by.size(), "end_points": by.end_point.nunique()}
    return medians.join(shares).assign(**counts).reset_index()


def _places(spectra: pd.DataFrame) -> pd.DataFrame:
    by = spectra.groupby(["network", "where"], sort=False)
    missing = by[["radius", "stretch"]].agg(lambda column: column.isna().sum()).max(axis=1)
    medians = by[["step", "radius", "stretch"]].median()
    return medians.assign(points=by.size(), missing=missing.astype(int)).reset_index()


def _numbers(
    networks: pd.DataFrame, labels: pd.DataFrame, outcomes: pd.DataFrame, spectra: pd.DataFrame
) -> dict[str, Any]:
    """By network all that its rows of these tables tell."""
    found: dict[str, Any] = {}
    for name, own in labels.groupby("network", sort=False):
        places = spectra[spectra.network == name].groupby("where", sort=False)
        found[name] = {
            "labels_approaching_whole_chord": int(own.whole_chord.sum()),
            "labels_approaching_same_time": int(own.same_time.sum()),
            "wrong_concept": {
                "labels_approaching_whole_chord": int(own.wrong_whole_chord.sum()),
                "labels_approaching_same_time": int(own.wrong_same_time.sum()),
            },
            **{column: own[column].tolist() for column in ("depth", "wrong_depth", "excess_depth")},
            **_row(networks, name, ("n_z", "spread", "first", "minimum", "last", "travelled")),
            **_row(
                outcomes, name, ("trajectories", "at_rest", "cycle", "not_at_rest", "end_points")
            ),
            "radius": places.radius.median().dropna().to_dict(),
            "stretch": places.stretch.median().dropna().to_dict(),
        }
    return found


def _row(table: pd.DataFrame, network: str, columns: tuple[str, ...]) -> dict[str, Any]:
    (row,) = table.loc[table.network == network, [*columns]].to_dict("records")
    return row


def _finding(
    experiment: Experiment,
    networks: pd.DataFrame,
    margins: pd.DataFrame,
    anew: dict[str, Any],
) -> str:
    title = data.DATASETS[experiment.dataset].title
    depth = networks.set_index("network").excess_depth
    fewest, most = anew["labels"]
    told = ", ".join(
        f"{name} {depth[name]:z.3f}" for name in (*iterated_depths.VAES, *iterated_depths.OTHERS)
    )
    return (
        f"On {title} with $p = {experiment.p:g}$ both VAEs approach their concept more deeply than "
        f"CAE and DAE for {sum(margins.margin > 0)} of 10 labels; with the trials drawn anew, for "
        f"{fewest} to {most} labels (95%), and for all ten in {anew['all']:.0%} of the samples. "
        f"Mean depth beyond that at a wrong concept, in units of the spread of a cluster: {told}."
    )
