"""What does repeated inference do to inputs that the network does not know?  Beyond the paper."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from repinf_core import bootstrap, data, roc
from repinf_core.profiles import Experiment
from repinf_core.studies.familiarity import (
    OF_TRAJECTORY,
    OTHER,
    PLAIN,
    SAMPLES,
    SCORES,
    TEST,
    Followed,
    draw,
    follow,
    times_of,
)
from repinf_core.studies.other_dataset import on_dataset
from repinf_core.studies.study import Study, default_device, stacked, trained

CONFIDENCE = 0.95


@dataclass(frozen=True)
class UnfamiliarInputs(Study):
    """The tables of familiar and unfamiliar inputs, for one network or two.

    Attributes:
        networks: a row for each network: the ``title`` of the data set that it knows and of the
            ``other`` (missing where there is none), ``n_z``, the ``epochs`` trained, the test
            ``objective`` (nats per image), and the number of ``images`` of each kind.
        inputs: a row for each network, kind and input: all of ``familiarity.SCORES`` (distances and
            lengths Euclidean, in latent space; -ELBO in nats per image).
        separations: a row for each network, kind but the test images, and score: the area under
            the ROC curve (``auroc``) of the kind against test images, from ``low`` to ``high``
            (95%); the ``difference`` to the area of the plain -ELBO, from ``difference_low`` to
            ``difference_high`` (95%), and from ``strict_low`` to ``strict_high``, wider so that
            the intervals of all ``familiarity.OF_TRAJECTORY`` hold together at 95%.
        areas: the same areas, a row for each network and kind and a column for each score.
        curves: a row for each network, kind, quantity (of ``familiarity.QUANTITIES``) and ``t``
            (steps): ``median`` over the inputs and the quartiles ``lower`` and ``upper``, and the
            ``auroc`` of the quantity at that t (missing for the test images themselves).  The step
            at t leads from z(t) to z(t+1); -ELBO is that of x(t).
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

    The other data set is Fashion-MNIST; beside Fashion-MNIST it is MNIST.  If it is available, its
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
        times=times_of(experiment.steps),
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
    inputs = draw(network.train.images, test.images, other, count, generator)
    epsilon = torch.randn(SAMPLES, count, experiment.n_z, generator=generator)
    followed = {
        kind: follow(network, x0, epsilon[:, : len(x0)], experiment.steps)
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
        curves=_curves(followed),
        samples={kind: one.sample for kind, one in followed.items()},
    )


def _separations(followed: dict[str, Followed], generator: torch.Generator) -> pd.DataFrame:
    """Of every kind but the test images, told from these; columns but ``network``."""
    known = torch.stack(list(followed[TEST].scores.values()))
    tables = {}
    for kind, one in followed.items():
        if kind == TEST:
            continue
        these = torch.stack(list(one.scores.values()))
        area = roc.areas(known, these)
        resampled = roc.resampled_areas(known, these, generator)
        differences = resampled - resampled[:, :1]
        low, high = bootstrap.interval(resampled, CONFIDENCE)
        difference_low, difference_high = bootstrap.interval(differences, CONFIDENCE)
        # Bonferroni's: of any of the trajectory's scores it may be asked whether it does better.
        strict_low, strict_high = bootstrap.interval(
            differences, 1 - (1 - CONFIDENCE) / len(OF_TRAJECTORY)
        )
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
    return stacked(tables, "kind")


def _curves(followed: dict[str, Followed]) -> pd.DataFrame:
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
    return stacked(tables, "kind", "quantity")


def _table(columns_by_kind: dict[str, dict[str, torch.Tensor]], row: str) -> pd.DataFrame:
    """Tables with the same columns, one below the other; ``row`` counts in each from 0."""
    tables = {kind: pd.DataFrame(columns) for kind, columns in columns_by_kind.items()}
    return pd.concat(tables, names=["kind", row]).reset_index()


def _together(measured: list[_Measured], table: str) -> pd.DataFrame:
    return stacked({one.title: getattr(one, table) for one in measured}, "network")


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
    """The areas of the plain -ELBO and of the first step, for the first of the kinds.

    A score is better if the whole interval of the difference is above 0.
    """
    kind = one.separations.kind.iloc[0]
    foreign = f"images of {one.about.other[0]}" if kind == OTHER else "turned test images"
    of_kind = one.separations[one.separations.kind == kind].set_index("score")
    plain, step = (
        "{auroc:.2f} ({low:.2f} to {high:.2f})".format(**of_kind.loc[score])
        for score in (PLAIN, "first_step")
    )
    of_step = of_kind.loc["first_step"]
    told = (
        "better"
        if of_step.difference_low > 0
        else "less well"
        if of_step.difference_high < 0
        else "neither better nor worse"
    )
    return (
        f"To the network trained on {one.title}, {foreign} are unfamiliar: the AUROC against its "
        f"test images is {plain} by the plain -ELBO and {step} by the length of the first step, "
        f"which tells them {told}."
    )
