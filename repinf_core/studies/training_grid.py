"""The trainings of Fig. 9: a grid of latent dimensions, learning rates and minibatches."""

import dataclasses
import math
from collections.abc import Sequence
from typing import cast

import pandas as pd

from repinf_core import data
from repinf_core.models.mlp import VAESpec
from repinf_core.profiles import Experiment
from repinf_core.training import progress, store, sweep, sweep_table
from repinf_core.training.sweep_table import Outcome

ONE_HALF = 784 * math.log(2)
"""Nats per image of a model that gives every pixel one half; above it, nothing is learned."""
TRAINED, NOTHING_LEARNED = "trained", "nothing learned"


def cells_of(experiment: Experiment) -> list[VAESpec]:
    """The specs of the grid in its order; the minibatch varies fastest.

    Args:
        experiment: uses ``n_z_grid``, ``selection_rates``, ``selection_minibatches``,
            ``selection_epochs`` and the other parameters of the networks.
    """
    cells = sweep.product(
        dataclasses.replace(VAESpec.of(experiment), epochs=experiment.selection_epochs),
        n_z=experiment.n_z_grid,
        learning_rates=[(rate,) for rate in experiment.selection_rates],
        minibatch=experiment.selection_minibatches,
    )
    return cast(list[VAESpec], cells)


def outcomes(
    cells: Sequence[VAESpec], device: str, table: dict[VAESpec, Outcome]
) -> dict[VAESpec, Outcome]:
    """The outcome of every cell: from the table, or trained now.

    Args:
        cells: specs of the grid.
        device: device of the training.
        table: known outcomes; they are not trained again.

    Raises:
        DataError, StoreError: as :func:`repinf_core.training.sweep.train`.
    """
    to_train = [cell for cell in cells if cell not in table]
    if len(to_train) < len(cells):
        print(f"table    {len(cells) - len(to_train)} of {len(cells)} trainings are read from it")
    failures = {}
    if to_train:
        n_images = len(data.load(to_train[0].dataset, "train").images)
        print(progress.estimate_runtime(to_train, device, n_images))
        try:
            sweep.train(to_train, device)
        except sweep.SweepError as error:  # the other cells are enough to go on
            failures = error.failures

    def outcome(cell: VAESpec) -> Outcome:
        if cell in table:
            return table[cell]
        if cell in failures:
            return sweep_table.failed(failures[cell])
        return sweep_table.reached(store.load_or_train(cell))

    return {cell: outcome(cell) for cell in cells}


def as_table(found: dict[VAESpec, Outcome]) -> pd.DataFrame:
    """The outcomes as the table ``trainings`` of the study.

    The columns are described in :class:`repinf_core.studies.generalization.Generalization`.
    """
    rows = [
        {
            "n_z": cell.n_z,
            "rate": cell.learning_rates[0],
            "minibatch": cell.minibatch,
            "epochs": None if outcome.failure else cell.epochs,
            "error": outcome.test_negative_elbo,
            "before": outcome.before,
            "active_latents": outcome.active_latents,
            "outcome": _in_words(outcome),
        }
        for cell, outcome in found.items()
    ]
    types = {
        "n_z": int,
        "rate": float,
        "minibatch": int,
        "epochs": "Int64",
        "error": float,
        "before": float,
        "active_latents": "Int64",
        "outcome": object,
    }
    trainings = pd.DataFrame(rows, columns=[*types]).astype(types)
    return trainings.assign(fall=trainings.before - trainings.error)


def _in_words(outcome: Outcome) -> str:
    if outcome.test_negative_elbo is None:
        return outcome.failure.split(":")[0]
    return NOTHING_LEARNED if outcome.test_negative_elbo > ONE_HALF else TRAINED
