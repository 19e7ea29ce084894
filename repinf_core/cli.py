"""The command line: train models, ship them, and see which there are.

    repinf train --profile paper -p n_z 20 -p beta 3 --until 600
    repinf sweep --profile paper --over n_z "[2, 20]" --over seed "[0, 1]"
    repinf models

``python -m repinf_core.cli`` is ``repinf`` too.
"""

import argparse
import contextlib
import dataclasses
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from repinf_core import profiles
from repinf_core.errors import ReaderError

if TYPE_CHECKING:
    from repinf_core.models import Spec
    from repinf_core.training.run import TrainingRun

_INTERRUPTED = 130  # a shell's status for a command that SIGINT ended


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command ``repinf``.

    An error prints one sentence and ends with status 1; SIGINT ends with status 130.
    """
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except KeyboardInterrupt:
        print("Stopped; the same command goes on after the last complete epoch.", file=sys.stderr)
        sys.exit(_INTERRUPTED)
    except (ReaderError, OSError) as error:
        sys.exit(str(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="repinf", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, function: Callable, help: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help, description=help)
        added.set_defaults(command=function)
        return added

    train = command("train", _train, "Train a model, from where it stopped.")
    train.add_argument(
        "--until", type=int, metavar="EPOCH", help="stop after this epoch, with a checkpoint"
    )
    sweep = command("sweep", _sweep, "Train a grid of models, each from where it stopped.")
    sweep.add_argument(
        "--over", nargs=2, action="append", required=True, metavar=("NAME", "VALUES"),
        help="a parameter and its values, and again: --over n_z '[2, 20]' --over seed '[0, 1]'",
    )  # fmt: skip
    sweep.add_argument("--jobs", type=int, help="models at once on a CPU; default: one per thread")
    ship = command("ship", _ship, "Add a model, as far as it is trained, to those that ship.")
    ship.add_argument("--machine", required=True, help="what trained it, in words")
    for parser_of_a_model in (train, sweep, ship):
        parser_of_a_model.add_argument(
            "--profile", default="quick", help="smoke, quick (default) or paper"
        )
        parser_of_a_model.add_argument("--family", default="vae", help="of models; default: vae")
        parser_of_a_model.add_argument(
            "--network", help="of a family with several: --family conv --network DAE; default: CAE"
        )
        parser_of_a_model.add_argument(
            "-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"),
            dest="parameters",
            help="a parameter of the model, and again: -p n_z 20 -p beta 3",
        )  # fmt: skip
    command("models", _models, "List the models that ship and those in the store.")
    command("convert", _convert, "Carry models of version 0.1 in the store over to this version.")
    return parser


def _experiment(options: argparse.Namespace) -> profiles.Experiment:
    """The requested experiment.

    It is checked before torch is imported, so that a wrong parameter is reported at once.
    """
    given = {name: profiles.value(text) for name, text in options.parameters}
    return profiles.experiment(options.profile, given)


class _Reading:
    """An experiment that notes which of its parameters are read."""

    def __init__(self, experiment: profiles.Experiment) -> None:
        self._experiment = experiment
        self.read: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.read.append(name)
        return getattr(self._experiment, name)


def _spec(options: argparse.Namespace, experiment: profiles.Experiment) -> "Spec":
    """The spec of the requested network.

    Raises:
        ParameterError: the family or its network is unknown, a given parameter shapes no network of
            the family, or a grid is over what is no field of its specs.
    """
    from repinf_core.models import FAMILIES

    if options.family not in FAMILIES:
        raise profiles.ParameterError(
            f"--family is {options.family!r}; allowed is one of {', '.join(FAMILIES)}."
        )
    shaping = _Reading(experiment)
    networks = FAMILIES[options.family].networks(shaping)
    network = options.network or next(iter(networks))
    if network not in networks:
        raise profiles.ParameterError(
            f"--network is {network!r}; allowed is one of {', '.join(map(repr, networks))}."
        )
    spec = networks[network]
    fields = [field.name for field in dataclasses.fields(spec)]
    for given, allowed in (
        (dict(options.parameters), list(dict.fromkeys(shaping.read))),
        (dict(getattr(options, "over", [])), fields),
    ):
        for name in given:
            if name not in allowed:
                raise profiles.ParameterError(
                    f"Parameter {name} shapes no model of family {options.family}; allowed are "
                    f"{', '.join(allowed)}."
                )
    return spec


def _train(options: argparse.Namespace) -> None:
    spec, device = _spec(options, _experiment(options)), _device()
    if options.until is not None and not 1 <= options.until <= spec.epochs:
        raise profiles.ParameterError(
            f"Epoch --until is {options.until}; allowed is an integer from 1 to {spec.epochs}."
        )
    from repinf_core.training import progress, store

    print(f"{spec.name} in {store.models_folder()}", flush=True)
    _say_if_restarted(spec)
    with _expected_errors(), progress.bar(spec, options.until) as report:
        run = store.train(spec, device, report, options.until)
    print(_summary(run))


def _sweep(options: argparse.Namespace) -> None:
    experiment = _experiment(options)
    choices = {name: profiles.value(values) for name, values in options.over}
    for name, values in choices.items():
        if not isinstance(values, list) or not values:
            raise profiles.ParameterError(
                f"The values of --over {name} are {values!r}; allowed is a list of one or more."
            )
        checked = [profiles.experiment(options.profile, {name: value}) for value in values]
        choices[name] = [getattr(one, name) for one in checked]
    if options.jobs is not None and options.jobs < 1:
        raise profiles.ParameterError(f"--jobs is {options.jobs}; allowed is an integer from 1.")
    from repinf_core.training import store, sweep

    cells = sweep.product(_spec(options, experiment), **choices)
    print(f"{len(cells)} models in {store.models_folder()}", flush=True)
    for spec in cells:
        _say_if_restarted(spec)
    with _expected_errors():
        sweep.train(cells, _device(), options.jobs)
    for spec in cells:
        print(_summary(store.load_or_train(spec)))


def _ship(options: argparse.Namespace) -> None:
    experiment = _experiment(options)
    from repinf_core import results
    from repinf_core.training import shipped, store

    spec = _spec(options, experiment)
    run = store.latest_run(spec, _device())
    if run is None:
        raise store.StoreError(
            f"{spec.name} is not in {store.models_folder()}; train it with repinf train."
        )
    path = shipped.ship(run, results.revision(), options.machine)
    print(f"{_summary(run)}\nShips as {path}")


def _models(options: argparse.Namespace) -> None:
    from repinf_core.training import catalogue

    print(catalogue.table())


def _convert(options: argparse.Namespace) -> None:
    from repinf_core.training import convert, store

    count = 0
    for line in convert.convert_store(store.models_folder()):
        print(line, flush=True)
        count += 1
    print(f"{count} files carried over in {store.models_folder()}; the old ones stay.")


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _say_if_restarted(spec: "Spec") -> None:
    from repinf_core.training import shipped, store

    entry = shipped.manifest().get(spec.name)
    if entry and entry["epochs_trained"] < spec.epochs and store.latest_run(spec) is None:
        print(
            f"{spec.name} ships, trained for {entry['epochs_trained']:,} of {spec.epochs:,} "
            f"epochs, but without the optimiser's state: training begins at the first epoch.",
            flush=True,
        )


def _summary(run: "TrainingRun") -> str:
    last = run.history[-1]
    reached = ", ".join(f"test {name} {value:.6g}" for name, value in last.test.items())
    return f"{run.spec.name}: {run.epoch:,} of {run.spec.epochs:,} epochs, {reached}"


@contextlib.contextmanager
def _expected_errors() -> Iterator[None]:
    """Report a GPU without enough memory in one sentence too."""
    import torch

    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
