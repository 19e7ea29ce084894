"""The command line of the model store: train a model, resuming it; add it to what ships.

    repinf-train --profile paper -p n_z 20 -p beta 3 --until 600
    repinf-ship --profile paper -p n_z 20 -p beta 3 --machine "one core of an AMD EPYC CPU"

``python -m repinf_core.cli`` is ``repinf-train`` too.
"""

import argparse
import contextlib
import dataclasses
import sys
from collections.abc import Iterator, Sequence

import torch

from repinf_core import profiles, results, weights
from repinf_core.data import DataError
from repinf_core.training import BelowFloor, Spec, TrainingDiverged, TrainingRun, progress, store
from repinf_core.training.checkpoint import CheckpointError

_INTERRUPTED = 130  # a shell's status for a command that SIGINT ended
_ERRORS = (
    profiles.ParameterError,
    store.StoreError,
    CheckpointError,
    DataError,
    TrainingDiverged,
    BelowFloor,
    OSError,
    torch.cuda.OutOfMemoryError,
)


def train(arguments: Sequence[str] | None = None) -> None:
    """``repinf-train``: from the last checkpoint to the last epoch, or until one that is given."""
    parser = _parser("Train a model in the model store, from where it stopped.")
    parser.add_argument(
        "--until", type=int, metavar="EPOCH", help="stop after this epoch, with a checkpoint"
    )
    options = parser.parse_args(arguments)
    with _one_sentence_per_error():
        spec = _spec(options)
        if options.until is not None and not 1 <= options.until <= spec.epochs:
            raise profiles.ParameterError(
                f"Epoch --until is {options.until}; allowed is an integer from 1 to {spec.epochs}."
            )
        print(f"{spec.name} in {store.models_folder()}", flush=True)
        _tell_if_only_shipped(spec)
        try:
            with progress.bar(spec, options.until) as report:
                run = store.train(spec, _device(), report, options.until)
        except KeyboardInterrupt:
            print(
                "Stopped; the same command goes on after the last complete epoch.", file=sys.stderr
            )
            sys.exit(_INTERRUPTED)
        print(_summary(run))


def ship(arguments: Sequence[str] | None = None) -> None:
    """``repinf-ship``: a model as far as it is trained and saved, into the package's weights."""
    parser = _parser("Add a model, as far as it is trained, to those that ship.")
    parser.add_argument("--machine", required=True, help="what trained it, in words")
    options = parser.parse_args(arguments)
    with _one_sentence_per_error():
        spec = _spec(options)
        run = store.reached(spec, _device())
        if run is None:
            raise store.StoreError(
                f"{spec.name} is not in {store.models_folder()}; train it with repinf-train."
            )
        path = weights.ship(run, results.revision(), options.machine)
        print(f"{_summary(run)}\nShips as {path}")


def _parser(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--profile", default="quick", help="smoke, quick (default) or paper")
    parser.add_argument(
        "-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), dest="parameters",
        help="a parameter of the model, of repinf_core/profiles.py, and again: -p n_z 20 -p beta 3",
    )  # fmt: skip
    return parser


def _spec(options: argparse.Namespace) -> Spec:
    given = {name: profiles.value(text) for name, text in options.parameters}
    shaping = [field.name for field in dataclasses.fields(Spec)]
    for name in given:
        if name not in shaping:
            raise profiles.ParameterError(
                f"Parameter {name} shapes no model; allowed are {', '.join(shaping)}."
            )
    return Spec.of(profiles.experiment(options.profile, given))


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _tell_if_only_shipped(spec: Spec) -> None:
    entry = weights.manifest().get(spec.name)
    if entry and store.reached(spec, _device()) is None:
        print(
            f"This model ships, trained for {entry['epochs_trained']:,} of {spec.epochs:,} epochs, "
            f"but without the optimiser's state: training begins at the first epoch.",
            flush=True,
        )


def _summary(run: TrainingRun) -> str:
    last = run.history[-1]
    return (
        f"{run.spec.name}: {run.epoch:,} of {run.spec.epochs:,} epochs, test -ELBO "
        f"{last.test_negative_elbo:.2f} nats, {last.active_latents} active latents"
    )


@contextlib.contextmanager
def _one_sentence_per_error() -> Iterator[None]:
    try:
        yield
    except _ERRORS as error:
        sys.exit(str(error))


if __name__ == "__main__":
    train()
