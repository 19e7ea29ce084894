"""How fast are training and repeated inference?  The results of the programs in ``benchmarks``."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from repinf_core.errors import ReaderError
from repinf_core.profiles import Experiment
from repinf_core.studies.study import Study

FOLDER = Path(__file__).parents[2] / "benchmarks" / "results"
OURS = "ours, float32"
"""The contestant whose median time counts as 1."""
_FILES = {
    "training": "training",
    "inference": "rollout",
    "neighbour": "neighbour",
    "the companion's training": "conv",
    "ranks": "ranks",
}
_TURNS = {"by itself": "300,000 (OpenMP's own)", "a moment": "10,000 (ours)", "none": "none"}


class BenchmarksNotFound(ReaderError, FileNotFoundError):
    """A file of the benchmarks' results does not exist."""


@dataclass(frozen=True)
class Performance(Study):
    """The tables of the benchmarks, with ratios, because seconds depend on the machine.

    Attributes:
        epochs: a row for each contestant and repeat of an epoch of training: ``contestant``,
            ``precision``, ``seconds``, and ``ratio``, the time divided by the median of ours in
            float32.
        training: a row for each contestant, the slowest first: its median ``ratio``, the
            ``share`` of the median time that the matrix products alone would take, and the test
            ``objective`` after one epoch (nats per image).
        rollouts: a row for each number of ``trials``, ``contestant``, ``library`` and repeat of a
            repeated inference: ``share`` of the rate at which the library multiplies large square
            matrices.
        inference: a row for each number of ``trials`` and contestant: the ``steps``, the median
            shares of ``sgemm`` and of ``oneDNN``, and the peak ``memory`` (MiB, missing if it was
            not measured).
        neighbours: a row for each number of ``turns`` that a waiting thread makes, each load
            ``beside`` the training, and each repeat: ``seconds``, and ``ratio``, the time divided
            by the median of our turns, alone.
        companions: a row for each of the companion's networks: the ``precision``, the ``relative``
            number of images per second of our training (the plain loop's = 1; of medians), its
            ``range`` over the turns, and the test objective of ``ours`` and of the ``loop`` after
            one epoch (nats per image).
        ranks: a row for each number of ``images`` whose ranks were computed: ``relative``, the
            median time of a loop over images (ours = 1).
        machines: a row for each benchmark: its machine, its libraries, and its number of
            ``repeats``.
    """

    epochs: pd.DataFrame
    training: pd.DataFrame
    rollouts: pd.DataFrame
    inference: pd.DataFrame
    neighbours: pd.DataFrame
    companions: pd.DataFrame
    ranks: pd.DataFrame
    machines: pd.DataFrame


def run(experiment: Experiment, folder: str | Path = FOLDER) -> Performance:
    """Read the results of the benchmarks; nothing is measured here.

    Args:
        experiment: is recorded only; the benchmarks always use the paper's network.
        folder: folder of the benchmarks' results.

    Raises:
        BenchmarksNotFound: a file is missing.
    """
    found = {name: _read(Path(folder), file) for name, file in _FILES.items()}
    training, rollout, neighbour, conv, ranks = found.values()
    own = training["median_seconds"][OURS]
    ratios = {name: seconds / own for name, seconds in training["median_seconds"].items()}
    alone = neighbour["median_seconds"]["a moment, alone"]
    return Performance(
        experiment=experiment,
        device="cpu",
        numbers={
            "epoch_relative_to_ours_in_float32": ratios,
            "rollout_share_of_product_rate": {
                str(size["trials"]): size["share_of"] for size in rollout["sizes"]
            },
            "epoch_relative_to_a_moment_alone": {
                name: seconds / alone for name, seconds in neighbour["median_seconds"].items()
            },
            "companions_images_per_second_relative_to_loop": conv["ours_relative_to_plain_loop"],
        },
        finding=_finding(ratios),
        epochs=_epochs(training, own),
        training=_training(training, ratios),
        rollouts=_rollouts(rollout),
        inference=_inference(rollout),
        neighbours=_neighbours(neighbour, alone),
        companions=_companions(conv),
        ranks=_ranks(ranks),
        machines=_machines(found),
    )


def _read(folder: Path, name: str) -> dict[str, Any]:
    path = folder / f"{name}.json"
    if not path.exists():
        raise BenchmarksNotFound(
            f"{path} is not there; the benchmarks' results lie in the repository and not in the "
            f"installed package, so run this page in a copy of the repository."
        )
    return json.loads(path.read_text())


def _epochs(training: dict[str, Any], own: float) -> pd.DataFrame:
    table = pd.DataFrame(
        [
            (name, seconds)
            for name, times in training["seconds_per_epoch"].items()
            for seconds in times
        ],
        columns=["name", "seconds"],
    )
    table[["contestant", "precision"]] = table.name.str.split(", ", expand=True)
    return table.assign(ratio=table.seconds / own)[["contestant", "precision", "seconds", "ratio"]]


def _training(training: dict[str, Any], ratios: dict[str, float]) -> pd.DataFrame:
    rates, operations = (
        training["product_operations_per_second"],
        training["operations_per_epoch"],
    )
    rows = [
        {
            "contestant": contestant,
            "precision": precision,
            "ratio": ratios[name],
            "share": operations / rates[precision] / training["median_seconds"][name],
            "objective": training["negative_elbo_after_one_epoch"][name],
        }
        for name in ratios
        for contestant, precision in [name.split(", ")]
    ]
    return pd.DataFrame(rows).sort_values("ratio", ascending=False, ignore_index=True)


def _rollouts(rollout: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(
        {"trials": size["trials"], "contestant": name, "library": library, "share": share}
        for size in rollout["sizes"]
        for library, contestants in size["all_shares_of"].items()
        for name, shares in contestants.items()
        for share in shares
    )


def _inference(rollout: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "trials": size["trials"],
            "steps": size["steps"],
            "contestant": name,
            "sgemm": share,
            "oneDNN": size["share_of"]["oneDNN"][name],
            "memory": size["peak_memory_bytes"].get(name, float("nan")) / 2**20,
        }
        for size in rollout["sizes"]
        for name, share in size["share_of"]["sgemm"].items()
    )


def _neighbours(neighbour: dict[str, Any], alone: float) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "turns": _TURNS[turns],
            "beside": beside,
            "seconds": seconds,
            "ratio": seconds / alone,
        }
        for name, times in neighbour["seconds"].items()
        for turns, beside in [name.split(", ")]
        for seconds in times
    )


def _companions(conv: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "network": network,
            "precision": conv["precision"],
            "relative": ratio,
            "range": _range(conv["seconds_per_epoch"][network]),
            "ours": conv["objective_after_one_epoch"][network]["ours"],
            "loop": conv["objective_after_one_epoch"][network]["plain loop"],
        }
        for network, ratio in conv["ours_relative_to_plain_loop"].items()
    )


def _range(seconds: dict[str, list[float]]) -> str:
    turns = [loop / ours for loop, ours in zip(seconds["plain loop"], seconds["ours"], strict=True)]
    return f"{min(turns):.2f}–{max(turns):.2f}"


def _ranks(ranks: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "images": size["images"],
            "relative": size["median_seconds"]["numpy loop"] / size["median_seconds"]["ours"],
        }
        for size in ranks["sizes"]
    )


def _machines(benchmarks: dict[str, dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "benchmark": name,
            "repeats": found["repeats"],
            **{
                key: found["machine"][key]
                for key in ("processor", "cores", "threads", "vector_instructions", "python")
            },
            **found["machine"]["versions"],
        }
        for name, found in benchmarks.items()
    )


def _finding(ratios: dict[str, float]) -> str:
    slowest = max(ratios, key=lambda name: ratios[name])
    in_float32 = [name for name in ratios if name.endswith("float32")]
    fastest = min(in_float32, key=lambda name: ratios[name])
    return (
        f"Relative to our training in float32, the slowest contestant ({slowest}) takes "
        f"{ratios[slowest]:.2f} times as long per epoch, and the fastest in float32 ({fastest}) "
        f"{ratios[fastest]:.2f} times."
    )
