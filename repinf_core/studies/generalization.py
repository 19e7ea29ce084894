"""Which latent dimension generalizes best?  The test objective against N_z: Fig. 9."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from repinf_core import data
from repinf_core.models.mlp import VAESpec
from repinf_core.profiles import Experiment
from repinf_core.studies.study import Study, default_device
from repinf_core.studies.training_grid import NOTHING_LEARNED, TRAINED, as_table, cells_of, outcomes
from repinf_core.training import sweep, sweep_table
from repinf_core.training.sweep_table import Outcome


@dataclass(frozen=True)
class Generalization(Study):
    """The tables of Fig. 9.  An ``error`` is the objective on the test images, nats per image.

    Attributes:
        trainings: a row for each training: ``n_z``, learning ``rate``, ``minibatch``, ``epochs``,
            ``error`` after the last epoch and ``before`` the last tenth of the epochs, the
            ``fall`` between the two, and ``active_latents``, all missing if the training failed;
            the ``outcome``: "trained", "nothing learned" (error above
            ``training_grid.ONE_HALF``), or the name of the error that stopped it.
        best: a row for each ``n_z``: the training with the smallest error, with the columns of
            ``trainings`` (missing if all failed), and ``second``, the difference to the error of
            the second best setting (missing if there is none).
        curves: a row for each n_z and ``setting``.  A setting is a learning rate, with the
            smallest ``error`` over the minibatches; if there is only one rate, a minibatch.
        values: a row for each ``value`` of a ``parameter`` (learning rate or minibatch): ``best``,
            the number of N_z whose best setting has this value; the number of ``trainings``; and
            ``in_vain``, the number of these that failed or learned nothing.
        minimum: one row: the best N_z ``n_z_star`` and its ``error``; the ``gain``, the error at
            the smallest N_z minus the smallest error; the ``rise``, the largest error at any N_z
            larger than the best minus the smallest error; their ratio ``rise_to_gain``; whether
            the error is ``flat_afterwards``; ``second`` as above; ``largest_n_z`` and the number
            of its ``active_latents``.
        left_out: a row for each training in the shipped table that is of the same network but has
            settings that are not compared here: the columns of ``trainings``, and ``better_by``,
            the error of ``best`` minus its error (missing for other epochs or N_z).
        others: a row for each number of ``epochs`` in ``left_out``: the number of ``trainings``;
            the number in which ``nothing_learned``; the numbers of ``settings`` of rate and
            minibatch and of latent ``dimensions``; the number of dimensions whose smallest error
            is ``better`` than the one shown here (missing if not compared); the largest
            ``better_by``; and the ``rate`` and the ``minibatch`` that are best most often.
    """

    trainings: pd.DataFrame
    best: pd.DataFrame
    curves: pd.DataFrame
    values: pd.DataFrame
    minimum: pd.DataFrame
    left_out: pd.DataFrame
    others: pd.DataFrame


def run(
    experiment: Experiment, device: str | None = None, recompute: bool = False
) -> Generalization:
    """Read the results of the trainings of the grid from the shipped table, or train them.

    Args:
        experiment: uses ``n_z_grid``, ``selection_rates``, ``selection_minibatches``,
            ``selection_epochs`` and the other parameters of the networks.
        device: device of the training; by default a GPU if there is one, else the CPU.
        recompute: whether to repeat the trainings that the table holds.

    Raises:
        SweepError: every training failed.
        DataError, StoreError: as :func:`repinf_core.training.sweep.train`.
    """
    device = device or default_device()
    cells = cells_of(experiment)
    found = outcomes(cells, device, {} if recompute else sweep_table.load())
    if all(outcome.failure for outcome in found.values()):
        raise sweep.SweepError({cell: found[cell].failure for cell in cells}, len(cells))
    trainings = as_table(found)
    best = _best(trainings)
    minimum = _minimum(best)
    left_out = _left_out(found, best)
    numbers = _numbers(trainings, best, minimum)
    return Generalization(
        experiment=experiment,
        device=device,
        numbers=numbers,
        finding=_finding(experiment, numbers),
        trainings=trainings,
        best=best,
        curves=_curves(trainings),
        values=_values(trainings, best),
        minimum=minimum,
        left_out=left_out,
        others=_others(left_out),
    )


def _best(trainings: pd.DataFrame) -> pd.DataFrame:
    """The best setting of each N_z; of equal errors, the first."""
    rows = []
    for n_z, of_n_z in trainings.groupby("n_z"):
        ranked = of_n_z.dropna(subset="error").sort_values("error", kind="stable")
        first = ranked.iloc[0].to_dict() if len(ranked) else {"n_z": n_z}
        second = ranked.error.iloc[1] - ranked.error.iloc[0] if len(ranked) > 1 else math.nan
        rows.append(first | {"second": second})
    types = trainings.dtypes.to_dict() | {"minibatch": "Int64", "second": float}
    return pd.DataFrame(rows, columns=[*types]).astype(types)


def _curves(trainings: pd.DataFrame) -> pd.DataFrame:
    varied = "rate" if trainings.rate.nunique() > 1 else "minibatch"
    curves = trainings.groupby([varied, "n_z"], sort=False, as_index=False).error.min()
    curves.insert(0, "setting", [f"{varied} {value:g}" for value in curves[varied]])
    return curves[["setting", "n_z", "error"]]


def _values(trainings: pd.DataFrame, best: pd.DataFrame) -> pd.DataFrame:
    in_vain = trainings.outcome != TRAINED
    return pd.DataFrame(
        {
            "parameter": name,
            "value": value,
            "best": int((best[column] == value).sum()),
            "trainings": int((trainings[column] == value).sum()),
            "in_vain": int(in_vain[trainings[column] == value].sum()),
        }
        for name, column in (("learning rate", "rate"), ("minibatch", "minibatch"))
        for value in trainings[column].unique()
    )


def _minimum(best: pd.DataFrame) -> pd.DataFrame:
    """The table ``minimum``.

    Nothing is said about larger N_z if the best N_z is an end of the grid or if trainings failed.
    """
    star = int(best.error.argmin())
    smallest = best.error[star]
    gain = best.error[0] - smallest
    rise = best.error[star + 1 :].max() - smallest  # missing if there is none
    inside = 0 < star < len(best) - 1
    largest = best.dropna(subset="error").iloc[-1]
    flat = rise <= gain / 10 if inside and not math.isnan(gain) and not math.isnan(rise) else None
    return pd.DataFrame(
        {
            "n_z_star": [best.n_z[star]],
            "error": [smallest],
            "gain": [gain],
            "rise": [rise],
            "rise_to_gain": [rise / gain if inside else math.nan],
            "flat_afterwards": pd.array([flat], dtype="boolean"),
            "second": [best.second[star]],
            "largest_n_z": [largest.n_z],
            "active_latents": [largest.active_latents],
        }
    )


def _left_out(found: dict[VAESpec, Outcome], best: pd.DataFrame) -> pd.DataFrame:
    def alike(spec: VAESpec) -> VAESpec:
        return dataclasses.replace(spec, n_z=0, learning_rates=(), minibatch=0, epochs=0)

    one = next(iter(found))
    left_out = as_table(
        {
            spec: outcome
            for spec, outcome in sweep_table.load().items()
            if alike(spec) == alike(one) and spec not in found and not outcome.failure
        }
    )
    shown = left_out.n_z.map(best.set_index("n_z").error)
    compared = left_out.epochs == one.epochs
    return left_out.assign(better_by=(shown - left_out.error).where(compared))


def _others(left_out: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for epochs, same in left_out.groupby("epochs"):
        best = same.loc[same.groupby("n_z").error.idxmin()]
        compared = best.better_by.dropna()
        rows.append(
            {
                "epochs": epochs,
                "trainings": len(same),
                "nothing_learned": int((same.outcome == NOTHING_LEARNED).sum()),
                "settings": len(same[["rate", "minibatch"]].drop_duplicates()),
                "dimensions": len(best),
                "better": int((compared > 0).sum()) if len(compared) else None,
                "better_by": compared.max(),
                "rate": best.rate.mode()[0],
                "minibatch": best.minibatch.mode()[0],
            }
        )
    columns = [
        "epochs", "trainings", "nothing_learned", "settings", "dimensions", "better", "better_by",
        "rate", "minibatch",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns).astype({"better": "Int64"})


def _numbers(trainings: pd.DataFrame, best: pd.DataFrame, minimum: pd.DataFrame) -> dict[str, Any]:
    columns = ["n_z", "rate", "minibatch", "epochs", "error", "active_latents", "outcome"]

    def records(table: pd.DataFrame) -> list[dict[str, Any]]:
        plain = table[columns].rename(columns={"error": "test_negative_elbo"}).astype(object)
        return plain.where(plain.notna(), None).to_dict("records")

    def number(value: float) -> float | None:
        return None if math.isnan(value) else float(value)

    (found,) = minimum.itertuples()
    n_z = best.n_z.tolist()
    return {
        "n_z": n_z,
        "best": [row if row["outcome"] else None for row in records(best)],
        "n_z_star": int(found.n_z_star),
        "smallest_error": float(found.error),
        "star_is_at_an_end": found.n_z_star in (n_z[0], n_z[-1]),
        "gain": number(found.gain),
        "rise": number(found.rise),
        "flat_afterwards": None if pd.isna(found.flat_afterwards) else bool(found.flat_afterwards),
        "cells": records(trainings),
    }


def _finding(experiment: Experiment, found: dict[str, Any]) -> str:
    title, epochs = data.DATASETS[experiment.dataset].title, experiment.selection_epochs
    afterwards = {True: " and hardly rises beyond", False: " and rises beyond", None: ""}
    return (
        f"On {title} the test objective is best at $N_z = {found['n_z_star']}$ "
        f"({found['smallest_error']:.1f} nats per image after {epochs} epoch{'s' * (epochs > 1)})"
        f"{afterwards[found['flat_afterwards']]}."
    )
