"""What does repeated inference do to inputs that the network does not know?  Beyond the paper."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from repinf_core import data, geometry, roc
from repinf_core.dynamics import rollout
from repinf_core.models.mlp import negative_elbo_of_images
from repinf_core.profiles import Experiment
from repinf_core.studies.other_dataset import on_dataset
from repinf_core.studies.study import Study, Trained, default_device, trained

TEST, TRAINING, OTHER = "test", "training", "other data set"
UNFAMILIAR = (OTHER, "quarter turn", "uniform noise", "blank")
"""The kinds of input that the network was not trained for."""
PLAIN = "negative_elbo"
"""The score that needs no trajectory, with which the others are compared."""
SCORES = {
    PLAIN: "-ELBO of x(0)",
    "nearest_concept": "concept, t = 0",
    "closest_concept": "concept, any t",
    "first_step": "first step",
    "path_length": "all steps",
    "first_fall": "-ELBO, first fall",
    "whole_fall": "-ELBO, whole fall",
}
"""Every score and what it is called; the larger, the less familiar."""
OF_TRAJECTORY = tuple(SCORES)[2:]
SAMPLES = 10
"""Of z for each image, from which -ELBO is estimated."""
RESAMPLES = 2000
"""Bootstrap samples of each interval."""
CONFIDENCE = 0.95
QUANTITIES = ("step length", "distance to the nearest concept", "-ELBO")
_TIMES = (0, 1, 2, 5, 10, 20, 50)  # at which -ELBO and images are taken, and at the last one


@dataclass(frozen=True)
class UnfamiliarInputs(Study):
    """The tables of familiar and unfamiliar inputs, for one network or two.

    Attributes:
        networks: a row for each network: the ``title`` of the data set that it knows and of the
            ``other`` (missing where there is none), ``n_z``, the ``epochs`` trained, the test
            ``objective`` (nats per image), and the number of ``images`` of each kind.
        inputs: a row for each network, kind and input: all of :data:`SCORES` (distances and
            lengths Euclidean, in latent space; -ELBO in nats per image).
        separations: a row for each network, kind but the test images, and score: the area under
            the ROC curve (``auroc``) of the kind against test images, from ``low`` to ``high``
            (95%); the ``difference`` to the area of the plain -ELBO, from ``difference_low`` to
            ``difference_high`` (95%), and from ``strict_low`` to ``strict_high``, wider so that
            the intervals of all :data:`OF_TRAJECTORY` hold together at 95%.
        areas: the same areas, a row for each network and kind and a column for each score.
        curves: a row for each network, kind, quantity (of :data:`QUANTITIES`) and ``t`` (steps):
            ``median`` over the inputs and the quartiles ``lower`` and ``upper``, and the ``auroc``
            of the quantity at that t (missing for the test images themselves).  The step at t
            leads from z(t) to z(t+1); -ELBO is that of x(t).
        times: of the images shown, in steps.
        samples: by the network's title and the kind: x(t) at these times of the input whose first
            step is the median of its kind, ``[times, 784]``.
    """

    networks: pd.DataFrame
    inputs: pd.DataFrame
    separations: pd.DataFrame
    areas: pd.DataFrame
    curves: pd.DataFrame
    times: tuple[int, ...]
    samples: dict[str, dict[str, np.ndarray]]


def run(experiment: Experiment, device: str | None = None) -> UnfamiliarInputs:
    """Score inputs of every kind along their trajectories, and tell each kind from test images.

    The other data set is Fashion-MNIST; beside Fashion-MNIST it is MNIST.  If it is to be had, its
    own network is asked the same about the experiment's images.  If not, the finding says so.

    Args:
        experiment: of it ``inputs_per_kind``, ``steps`` and ``trial_seed`` are taken, and all that
            names the network.
        device: as in :func:`repinf_core.studies.study.trained`, whose errors it raises.
    """
    other = "mnist" if experiment.dataset == "fashion_mnist" else "fashion_mnist"
    back = on_dataset(experiment, other)
    if back is None:
        measured = [_measure(experiment, None, device)]
    else:
        asked = ((experiment, other), (back, experiment.dataset))
        measured = [_measure(known, foreign, device) for known, foreign in asked]
    separations = _together(measured, "separations")
    numbers = {
        "epochs_trained": min(one.epochs for one in measured),
        "lacks_data": back is None,
        "samples": SAMPLES,
        "networks": {one.dataset: _by_kind(one.separations) for one in measured},
    }
    return UnfamiliarInputs(
        experiment=experiment,
        device=device or default_device(),
        numbers=numbers,
        finding=_finding(measured, other),
        networks=_together(measured, "about"),
        inputs=_together(measured, "inputs"),
        separations=separations,
        areas=_areas(separations),
        curves=_together(measured, "curves"),
        times=_times(experiment.steps),
        samples={one.title: one.samples for one in measured},
    )


@dataclass(frozen=True)
class _Measured:
    """What is measured with one network; its tables as those of :class:`UnfamiliarInputs`."""

    dataset: str
    title: str
    epochs: int
    about: pd.DataFrame
    inputs: pd.DataFrame
    separations: pd.DataFrame
    curves: pd.DataFrame
    samples: dict[str, np.ndarray]


def _measure(experiment: Experiment, foreign: str | None, device: str | None) -> _Measured:
    network = trained(experiment, device)
    test = data.load(experiment.dataset, "test")
    other = data.load(foreign, "test").images if foreign else None
    generator = torch.Generator().manual_seed(experiment.trial_seed)
    count = min(experiment.inputs_per_kind, len(test.images) // 2)
    inputs = _inputs(network.train.images, test.images, other, count, generator)
    epsilon = torch.randn(SAMPLES, count, experiment.n_z, generator=generator)
    followed = {
        kind: _follow(network, x0, epsilon[:, : len(x0)], experiment.steps)
        for kind, x0 in inputs.items()
    }
    title = data.DATASETS[experiment.dataset].title
    about = {
        "title": title,
        "other": data.DATASETS[foreign].title if foreign else None,
        "n_z": experiment.n_z,
        "epochs": network.run.epoch,
        "objective": network.run.history[-1].test["negative_elbo"],
        "images": count,
    }
    return _Measured(
        dataset=experiment.dataset,
        title=title,
        epochs=network.run.epoch,
        about=pd.DataFrame([about]),
        inputs=_table({kind: one.scores for kind, one in followed.items()}, "input"),
        separations=_separations(followed, generator),
        curves=_curves(followed, experiment.steps),
        samples={kind: one.sample for kind, one in followed.items()},
    )


def _inputs(
    train: torch.Tensor,
    test: torch.Tensor,
    other: torch.Tensor | None,
    count: int,
    generator: torch.Generator,
) -> dict[str, torch.Tensor]:
    """x(0) of every kind, ``[count, 784]`` each, and one blank image; those of training last.

    The images that are turned are other ones than the test images that are not, so that the two
    groups are independent.
    """
    of_test = test[_drawn(test, 2 * count, generator)]
    training = train[_drawn(train, count, generator)]
    noise = torch.rand(count, data.N_PIXELS, generator=generator)
    foreign = {} if other is None else {OTHER: other[_drawn(other, count, generator)]}
    turned = of_test[count:].view(-1, 28, 28).rot90(1, (1, 2)).reshape(-1, data.N_PIXELS)
    unfamiliar = (turned, noise, torch.zeros(1, data.N_PIXELS))
    return {
        TEST: of_test[:count],
        **foreign,
        **dict(zip(UNFAMILIAR[1:], unfamiliar, strict=True)),
        TRAINING: training,
    }


def _drawn(images: torch.Tensor, count: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randperm(len(images), generator=generator)[:count]


class _Followed(NamedTuple):
    """Trajectories of one kind of input, on the CPU.

    Attributes:
        quantities: by its name, the times at which it was taken and its values
            ``[times, n]``.
        scores: by its name, ``[n]``.
        sample: images x(t) of the input whose first step is the median, ``[times, 784]``.
    """

    quantities: dict[str, tuple[tuple[int, ...], torch.Tensor]]
    scores: dict[str, torch.Tensor]
    sample: np.ndarray


@torch.no_grad()
def _follow(network: Trained, x0: torch.Tensor, epsilon: torch.Tensor, steps: int) -> _Followed:
    model, x0, epsilon = network.model, x0.to(network.device), epsilon.to(network.device)
    concepts = network.concepts.to(network.device)
    z = rollout.rollout(model, x0, steps, {"z": rollout.latents}).observed["z"]
    lengths = geometry.distance(z[1:], z[:-1]).cpu()
    nearest = torch.stack([geometry.distance(at[:, None], concepts).amin(1) for at in z]).cpu()
    times = _times(steps)
    images = [x0 if t == 0 else model.decode_mean(z[t - 1]) for t in times]
    bound = torch.stack([negative_elbo_of_images(model, x, epsilon) for x in images]).cpu()
    scores = {
        PLAIN: bound[0],
        "nearest_concept": nearest[0],
        "closest_concept": nearest.amin(0),
        "first_step": lengths[0],
        "path_length": lengths.sum(0),
        "first_fall": bound[0] - bound[1],
        "whole_fall": bound[0] - bound[-1],
    }
    median = lengths[0].argsort(stable=True)[(len(x0) - 1) // 2]
    every = tuple(range(steps + 1))
    measured = ((every[:-1], lengths), (every, nearest), (times, bound))
    return _Followed(
        dict(zip(QUANTITIES, measured, strict=True)),
        scores,
        torch.stack([x[median] for x in images]).cpu().numpy(),
    )


def _times(steps: int) -> tuple[int, ...]:
    return (*(t for t in _TIMES if t < steps), steps)


def _separations(followed: dict[str, _Followed], generator: torch.Generator) -> pd.DataFrame:
    """Of every kind but the test images, told from these; columns but ``network``."""
    known = torch.stack(list(followed[TEST].scores.values()))
    tables = {}
    for kind, one in followed.items():
        if kind == TEST:
            continue
        these = torch.stack(list(one.scores.values()))
        area = roc.areas(known, these)
        resampled = roc.resampled_areas(known, these, RESAMPLES, generator)
        differences = resampled - resampled[:, :1]
        low, high = _interval(resampled, CONFIDENCE)
        difference_low, difference_high = _interval(differences, CONFIDENCE)
        # Bonferroni's: of any of the trajectory's scores it may be asked whether it does better.
        strict_low, strict_high = _interval(differences, 1 - (1 - CONFIDENCE) / len(OF_TRAJECTORY))
        tables[kind] = pd.DataFrame(
            {
                "score": [*SCORES],
                "auroc": area,
                "low": low,
                "high": high,
                "difference": area - area[0],
                "difference_low": difference_low,
                "difference_high": difference_high,
                "strict_low": strict_low,
                "strict_high": strict_high,
            }
        )
    return pd.concat(tables, names=["kind"]).reset_index("kind").reset_index(drop=True)


def _interval(samples: torch.Tensor, confidence: float) -> torch.Tensor:
    """Of bootstrap samples ``[resamples, scores]``: the lower and the upper quantile."""
    outside = torch.tensor((1 - confidence) / 2, dtype=samples.dtype)
    return torch.quantile(samples, torch.stack([outside, 1 - outside]), dim=0)


def _curves(followed: dict[str, _Followed], steps: int) -> pd.DataFrame:
    tables = {}
    quartiles = torch.tensor([0.25, 0.5, 0.75])
    for kind, one in followed.items():
        for quantity, (times, values) in one.quantities.items():
            lower, median, upper = torch.quantile(values, quartiles, dim=1)
            known = followed[TEST].quantities[quantity][1]
            tables[kind, quantity] = pd.DataFrame(
                {
                    "t": times,
                    "median": median,
                    "lower": lower,
                    "upper": upper,
                    "auroc": torch.nan if kind == TEST else roc.areas(known, values),
                }
            )
    names = ["kind", "quantity"]
    return pd.concat(tables, names=names).reset_index(names).reset_index(drop=True)


def _table(columns_by_kind: dict[str, dict[str, torch.Tensor]], row: str) -> pd.DataFrame:
    """Tables with the same columns, one below the other; ``row`` counts in each from 0."""
    tables = {kind: pd.DataFrame(columns) for kind, columns in columns_by_kind.items()}
    return pd.concat(tables, names=["kind", row]).reset_index()


def _together(measured: list[_Measured], table: str) -> pd.DataFrame:
    by_network = {one.title: getattr(one, table) for one in measured}
    tables = pd.concat(by_network, names=["network"])
    return tables.reset_index("network").reset_index(drop=True)


def _areas(separations: pd.DataFrame) -> pd.DataFrame:
    wide = separations.pivot(index=["network", "kind"], columns="score", values="auroc")
    order = separations[["network", "kind"]].drop_duplicates()
    return wide.loc[list(order.itertuples(index=False, name=None)), [*SCORES]].reset_index()


def _by_kind(separations: pd.DataFrame) -> dict[str, Any]:
    """The columns of ``separations`` by kind and score."""
    return {
        kind: table.drop(columns="kind").set_index("score").to_dict("index")
        for kind, table in separations.groupby("kind", sort=False)
    }


def _finding(measured: list[_Measured], other: str) -> str:
    told = " ".join(_told(one) for one in measured)
    if OTHER in set(measured[0].separations.kind):
        return told
    title = data.DATASETS[other].title
    return (
        f"{told} {title} was not available where this page was run. Set `REPINF_DATA` to a folder "
        f"that has an intact copy of it in torchvision's layout."
    )


def _told(one: _Measured) -> str:
    """The areas of the plain -ELBO and of the first step, for the first of the kinds."""
    kind = one.separations.kind.iloc[0]
    foreign = f"images of {one.about.other[0]}" if kind == OTHER else "turned test images"
    of_kind = one.separations[one.separations.kind == kind].set_index("score")
    plain, step = (
        "{auroc:.2f} ({low:.2f} to {high:.2f})".format(**of_kind.loc[score])
        for score in (PLAIN, "first_step")
    )
    return (
        f"To the network trained on {one.title}, {foreign} are unfamiliar: the AUROC against its "
        f"test images is {plain} by the plain -ELBO and {step} by the length of the first step."
    )
