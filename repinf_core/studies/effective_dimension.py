"""How many dimensions networks of other trainings use, beside the numbers that the paper prints."""

import dataclasses
import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Any, cast

import pandas as pd
import torch

from repinf_core import data, geometry, models
from repinf_core.data import LabelledImages
from repinf_core.models.mlp import VAE, VAESpec
from repinf_core.profiles import PROFILES
from repinf_core.studies.fashion_mnist import FASHION
from repinf_core.studies.printed_facts import ACTIVE, ALL, MOST
from repinf_core.studies.training_grid import ONE_HALF
from repinf_core.training import shipped, store, sweep_table
from repinf_core.training.run import TrainingRun

COLUMNS = {
    "dataset": object,
    "network": object,
    "beta": float,
    "active": "Int64",
    "all": "Int64",
    "most": "Int64",
    "share": float,
    "epochs": "Int64",
    "seed": "Int64",
    "minibatch": "Int64",
    "rates": object,
}
"""Columns of the table of dimensions, with their types."""
PRINTED, OWN, OTHER = "the paper prints", "of this page", "ships too"
SHORTER, SWEPT = "shorter", "of page 08"
"""What stands in its column ``network``."""
FROM_EPOCH = 100
"""The fall of the active latent variables is told from here on: before, all networks lose most."""


def measure(memories: torch.Tensor) -> dict[str, int]:
    """The numbers of Fig. 7: active latent variables, and components for 99.9% and 70%.

    Args:
        memories: ``[N, N_z]``.
    """
    return {
        "active_latents": int(geometry.active_latents(memories).sum()),
        "components_for_99.9_percent": geometry.components(memories, 0.999),
        "components_for_70_percent": geometry.components(memories, 0.7),
    }


def other_trainings(runs: Sequence[TrainingRun], device: str) -> list[TrainingRun]:
    """The shipped networks of the data set, N_z and architecture of ``runs``, without these.

    They differ in beta, seed, minibatch or length of training, and are ordered by these.

    Args:
        runs: networks that differ in beta only.
        device: device of the networks.

    Raises:
        CheckpointError: as :func:`repinf_core.training.store.load_or_train`.
    """
    specs = (
        models.spec_from_json(json.dumps(entry["spec"])) for entry in shipped.manifest().values()
    )
    alike = sorted(_others(runs, specs), key=_setting)
    return [store.load_or_train(spec, device) for spec in alike]


def by_epoch(runs: Sequence[TrainingRun], others: Sequence[TrainingRun]) -> pd.DataFrame:
    """The number of active latent variables on the test images after every epoch.

    Args:
        runs: the networks of the page.
        others: from :func:`other_trainings`.

    Returns:
        a row for each network and ``epoch``: the ``network`` in words, its ``beta``, whether it is
        ``compared`` on the page, and the number ``active``.
    """
    one = cast(VAESpec, runs[0].spec)
    return pd.DataFrame(
        {
            "network": in_words(cast(VAESpec, run.spec), one),
            "beta": cast(VAESpec, run.spec).beta,
            "compared": compared,
            "epoch": record.epoch,
            "active": int(record.test["active_latents"]),
        }
        for group, compared in ((runs, True), (others, False))
        for run in group
        for record in run.history
    )


def fall(active: pd.DataFrame) -> str:
    """How the number of active latent variables changes late in each training, in a sentence.

    Args:
        active: the table of :func:`by_epoch`.
    """
    changes = []
    for network, of_network in active.groupby("network", sort=False):
        later = of_network[of_network.epoch >= FROM_EPOCH]
        if len(later) > 1:
            first, last = later.iloc[0], later.iloc[-1]
            changes.append(
                f"from {first.active} at epoch {first.epoch:,} to {last.active} at epoch "
                f"{last.epoch:,} ({network})"
            )
    if not changes:
        return f"No training here is longer than {FROM_EPOCH} epochs."
    return f"The number of active latent variables changes {', '.join(changes)}."


def beside_printed(
    runs: Sequence[TrainingRun],
    found: Sequence[dict[str, Any]],
    others: Sequence[TrainingRun],
    shorter: Sequence[dict[str, Any]],
    train: LabelledImages,
) -> pd.DataFrame:
    """The table of dimensions.

    Args:
        runs: the networks of the page.
        found: the numbers of :func:`measure` of each.
        others: from :func:`other_trainings`.
        shorter: the recorded numbers of networks that are trained like ``runs``, but shorter.
        train: their training set.

    Returns:
        a row for the printed numbers, for each network of the page, for each of ``others`` and of
        ``shorter``, for the trainings of the same network in the shipped table of page 08, and for
        the book's Fashion-MNIST network if it is available: its ``dataset``, the ``network`` (of
        this page or not), ``beta``, the number of ``active`` latent variables, the numbers of
        principal components that hold 99.9% (``all``) and 70% (``most``) of the variance of the
        memories, the ``share`` most / active, ``epochs`` trained, ``seed``, ``minibatch`` and
        learning ``rates``.  Page 08 keeps no weights: its networks lack the components, and their
        active latents are those on the test images.
    """
    printed = {"active": ACTIVE, "all": ALL, "most": MOST}
    rows = [
        {"dataset": data.DATASETS["mnist"].title, "network": PRINTED, **printed},
        *(_row(OWN, run, dimensions) for run, dimensions in zip(runs, found, strict=True)),
        *(_row(OTHER, run, measure(_memories(run, train))) for run in others),
        *(_shorter(cast(VAESpec, runs[0].spec), one) for one in shorter),
        *_swept(runs),
        *_fashion(runs[0]),
    ]
    table = pd.DataFrame(rows, columns=[*COLUMNS]).astype(COLUMNS)
    some_active = table.active.where(table.active > 0)
    return table.assign(share=(table.most / some_active).astype(float))


def nearest(dimensions: pd.DataFrame) -> str:
    """Which networks are nearest to the printed numbers, by the sum of the three differences.

    Args:
        dimensions: the table of :func:`beside_printed`.
    """
    names = ["active", "all", "most"]
    known = dimensions[dimensions.network != PRINTED].dropna(subset=names)
    apart = (known[names] - [ACTIVE, ALL, MOST]).abs().sum(axis=1)
    first, *rest = sorted(apart.unique())
    told = f"Nearest to the printed numbers: {_named(known[apart == first])}."
    return f"{told} Next: {_named(known[apart == rest[0]])}." if rest else told


def _named(networks: pd.DataFrame) -> str:
    return "; ".join(
        f"{row.dataset}, β = {row.beta:g}, {row.epochs:,} epochs, seed {row.seed} "
        f"({row.active}, {row.all}, {row.most})"
        for row in networks.itertuples()
    )


def told(dimensions: pd.DataFrame) -> str:
    """What the table of dimensions has of other trainings, in words."""
    own = dimensions[dimensions.network == OWN]
    others = dimensions[(dimensions.network == OTHER) & dimensions.dataset.isin(own.dataset)]
    lacks = [
        f"another {name}"
        for name, column in (("seed", "seed"), ("minibatch", "minibatch"), ("β", "beta"))
        if others[column].isin(own[column]).all()
    ]
    said = (
        f"Networks with {' or '.join(lacks)} than this page's do not ship so far."
        if lacks
        else "Networks with another seed, minibatch and β than this page's ship as well."
    )
    if SWEPT not in set(dimensions.network):
        return said
    return (
        f"{said} [Page 08](08_generalization.ipynb) keeps no weights: of its networks only the "
        f"active latent variables on the test images are known."
    )


def _others(runs: Sequence[TrainingRun], specs: Any) -> Iterator[VAESpec]:
    """The ``specs`` of the networks of ``runs`` trained otherwise."""
    own = {run.spec for run in runs}
    alike = _network(cast(VAESpec, runs[0].spec))
    return (
        spec
        for spec in specs
        if isinstance(spec, VAESpec) and spec not in own and _network(spec) == alike
    )


def _network(spec: VAESpec) -> tuple[str, int, int, int]:
    return spec.dataset, spec.n_z, spec.n_hidden, spec.n_samples


def _setting(spec: VAESpec) -> tuple[Any, ...]:
    return spec.beta, spec.minibatch, spec.seed, spec.learning_rates, spec.epochs


def _swept(runs: Sequence[TrainingRun]) -> list[dict[str, Any]]:
    """Of each setting in the table of page 08 the longest training, if it learned something."""
    table = sweep_table.load()
    specs = sorted(_others(runs, table), key=_setting)
    longest = [[*same][-1] for _, same in itertools.groupby(specs, lambda s: _setting(s)[:-1])]
    return [
        {**_training(spec, spec.epochs), "network": SWEPT, "active": table[spec].active_latents}
        for spec in longest
        if (table[spec].test_negative_elbo or ONE_HALF) < ONE_HALF
    ]


def _fashion(run: TrainingRun) -> list[dict[str, Any]]:
    """The row of the book's Fashion-MNIST network, with the text's beta; none if it is not there.

    It is compared with networks of other data sets only.
    """
    spec = VAESpec.of(dataclasses.replace(PROFILES["paper"], dataset=FASHION))
    if run.spec.dataset == FASHION or not store.is_available(spec):
        return []
    try:
        train = data.load(FASHION, "train")
    except data.DataError:
        return []
    clothes = store.load_or_train(spec, run.device)
    return [_row(OTHER, clothes, measure(_memories(clothes, train)))]


def _shorter(own: VAESpec, found: dict[str, Any]) -> dict[str, Any]:
    spec = dataclasses.replace(own, beta=found["beta"])
    return {**_training(spec, found["epochs_trained"]), **_dimensions(SHORTER, found)}


def _row(network: str, run: TrainingRun, dimensions: dict[str, Any]) -> dict[str, Any]:
    training = _training(cast(VAESpec, run.spec), run.epoch)
    return {**training, **_dimensions(network, dimensions)}


def _dimensions(network: str, dimensions: dict[str, Any]) -> dict[str, Any]:
    return {
        "network": network,
        "active": dimensions["active_latents"],
        "all": dimensions["components_for_99.9_percent"],
        "most": dimensions["components_for_70_percent"],
    }


def _training(spec: VAESpec, epochs: int) -> dict[str, Any]:
    return {
        "dataset": data.DATASETS[spec.dataset].title,
        "beta": spec.beta,
        "seed": spec.seed,
        "minibatch": spec.minibatch,
        "rates": _rates(spec),
        "epochs": epochs,
    }


def _rates(spec: VAESpec) -> str:
    return ", ".join(f"{rate:g}" for rate in spec.learning_rates)


def _memories(run: TrainingRun, train: LabelledImages) -> torch.Tensor:
    return models.memories(cast(VAE, run.model), train.images.to(run.device))


def in_words(spec: VAESpec, one: VAESpec) -> str:
    """A network's beta, and in what else its training differs from ``one``."""
    differs = {
        f"seed {spec.seed}": spec.seed != one.seed,
        f"minibatch {spec.minibatch}": spec.minibatch != one.minibatch,
        f"{spec.epochs:,} epochs": spec.epochs != one.epochs,
        f"rates {_rates(spec)}": spec.learning_rates != one.learning_rates,
        spec.precision: spec.precision != one.precision,
    }
    return ", ".join([f"β = {spec.beta:g}", *(name for name, so in differs.items() if so)])
