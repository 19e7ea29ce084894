"""The results of a sweep's trainings, in a table that ships with the package.

The table saves readers hours of training.  ``weights/sweeps.csv`` has a row for each training: its
spec, its results, and the device and revision that produced them.
"""

import csv
import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple, cast

import filelock

from repinf_core.atomic import replacing
from repinf_core.models.mlp import VAESpec
from repinf_core.training import shipped
from repinf_core.training.run import TrainingRun

_SINGLE = [field for field in fields(VAESpec) if field.name != "learning_rates"]
TABLE = shipped.FOLDER / "sweeps.csv"


class Outcome(NamedTuple):
    """The result of a training.

    Attributes:
        test_negative_elbo: after the last epoch, in nats per image; None if there is no model.
        before: the same after nine tenths of the epochs, or one epoch before the last.
        active_latents: number of active latents after the last epoch.
        seconds: duration of all epochs.
        failure: the reason, in words, why there is no model; empty if there is one.
    """

    test_negative_elbo: float | None
    before: float | None
    active_latents: int | None
    seconds: float | None
    failure: str = ""


_COLUMNS = [
    "name", *sorted(field.name for field in fields(VAESpec)), *Outcome._fields, "device", "revision"
]  # fmt: skip


def reached(run: TrainingRun) -> Outcome:
    """The outcome of a finished run; after a single epoch, ``before`` is the last value itself."""
    history, last = run.history, run.history[-1]
    before = history[max(0, len(history) - 1 - max(1, len(history) // 10))]
    return Outcome(
        last.test["negative_elbo"],
        before.test["negative_elbo"],
        int(last.test["active_latents"]),
        sum(record.seconds for record in history),
    )


def failed(reason: str) -> Outcome:
    """The outcome of a training that ended with an error, which ``reason`` describes."""
    return Outcome(None, None, None, None, reason)


def load(table: Path = TABLE) -> dict[VAESpec, Outcome]:
    """The outcome of every training in the table, by spec."""
    return {_spec(row): _outcome(row) for row in _rows(table)}


def ship(found: Mapping[VAESpec, Outcome], revision: str, device: str, table: Path = TABLE) -> None:
    """Add outcomes to the table.

    Args:
        found: outcomes of finished or failed trainings, by spec.
        revision: commit of the code that trained.
        device: the machine that trained, in words.
        table: CSV file, created if it does not exist.
    """
    new = {}
    for spec, outcome in found.items():
        whole = json.loads(spec.as_json())
        values = {field.name: whole[field.name] for field in fields(VAESpec)}
        values["learning_rates"] = " ".join(map(str, values["learning_rates"]))
        provenance = {"device": device, "revision": revision}
        new[spec.name] = {"name": spec.name, **values, **outcome._asdict(), **provenance}
    with filelock.FileLock(table.with_suffix(".lock")):  # another process may add rows too
        rows = {row["name"]: row for row in _rows(table)} | new
        with replacing(table) as temporary, open(temporary, "w", newline="") as file:
            writer = csv.DictWriter(file, _COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(row for _, row in sorted(rows.items()))


def _rows(table: Path) -> list[dict[str, Any]]:
    if not table.exists():
        return []
    with open(table, newline="") as file:
        return list(csv.DictReader(file))


def _spec(row: dict[str, str]) -> VAESpec:
    # A table, or a row, may be older than a field.
    values: dict[str, Any] = {
        f.name: cast(type, f.type)(row[f.name]) for f in _SINGLE if row.get(f.name)
    }
    rates = tuple(map(float, row["learning_rates"].split()))
    return VAESpec(**values, learning_rates=rates)


def _outcome(row: dict[str, str]) -> Outcome:
    if row["failure"]:
        return failed(row["failure"])
    return Outcome(
        float(row["test_negative_elbo"]),
        float(row["before"]),
        int(row["active_latents"]),
        float(row["seconds"]),
    )
