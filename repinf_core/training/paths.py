"""The path of a training: a fast path that passed its test on this machine, or the general one.

Without ``training/fast/`` the general path remains, with the same results up to rounding.
"""

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol

import torch

from repinf_core.data import LabelledImages
from repinf_core.training.general import GeneralPath
from repinf_core.training.run import BETAS, EPSILON, TrainingRun

PATHS: dict[tuple[type, str], type["Path"]] = {}
"""The fast path for a type of model and a kind of device."""

if importlib.util.find_spec("repinf_core.training.fast"):
    from repinf_core.training import fast

    PATHS |= fast.PATHS

TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 0.05}
"""Largest relative difference of a step from the general path's, for each dtype of products.

Rounding changes a gradient by less than 2e-6 in float32 and 0.012 in bfloat16 (N_z from 2 to 100,
16 to 1,024 hidden units).  A missing factor or term changes it by far more.
"""
_RATE = 1e-3

_proved: dict[tuple, bool] = {}


class Path(Protocol):
    """Trains runs for an epoch and evaluates a run, as :class:`GeneralPath` describes."""

    name: ClassVar[str]

    def __init__(self, runs: Sequence[TrainingRun], train: LabelledImages) -> None: ...

    def epoch(self, learning_rates: Sequence[float]) -> list[dict[str, float]]:
        """As :meth:`GeneralPath.epoch`."""
        ...

    def evaluate(self, run: TrainingRun, test: LabelledImages) -> dict[str, float]:
        """As :meth:`GeneralPath.evaluate`."""
        ...


def choose(runs: Sequence[TrainingRun], train: LabelledImages) -> Path:
    """The path that trains ``runs`` on ``train``.

    A fast path is registered for a type of model and of device.  A subclass may compute another
    formula, so it takes the general path.  At its first use for a kind of model, a fast path makes
    one step, which is compared with the general path's step from the same state.  If it raises an
    error or differs by more than :data:`TOLERANCE`, one line on stderr says so, and the general
    path is used.

    Raises:
        torch.cuda.OutOfMemoryError: the test step needs more memory than the GPU has.
    """
    registered = PATHS.get((type(runs[0].model), runs[0].device.type))
    if registered is None:
        return GeneralPath(runs, train)
    key = registered, type(runs[0].model), runs[0].device, runs[0].product_dtype, len(runs) > 1
    if key not in _proved:
        reason = _objection(registered, runs, train)
        _proved[key] = not reason
        if reason:
            print(
                f"The fast path '{registered.name}' is not used here: {reason}; training takes the "
                f"general path.",
                file=sys.stderr,
            )
    return registered(runs, train) if _proved[key] else GeneralPath(runs, train)


def _objection(fast: type[Path], runs: Sequence[TrainingRun], train: LabelledImages) -> str:
    """The reason not to use a fast path, after a step from the state of ``runs``; else empty."""
    one_step = LabelledImages(*(part[: runs[0].spec.minibatch] for part in train))
    try:
        quick, general = (_after_a_step(path, runs, one_step) for path in (fast, GeneralPath))
    except torch.cuda.OutOfMemoryError:
        raise
    except Exception as error:  # the general path does not depend on it
        return f"it raised {type(error).__name__} ({error})"
    tolerance = TOLERANCE[runs[0].product_dtype]
    for name, expected in general.items():
        difference = (quick[name] - expected).norm() / expected.norm().clamp_min(1e-30)
        if not difference <= tolerance:
            return f"{name} differs by {float(difference):.1e} relative, allowed is {tolerance:g}"
    return ""


def _after_a_step(
    path: type[Path], runs: Sequence[TrainingRun], train: LabelledImages
) -> Mapping[str, torch.Tensor]:
    """The results of a step of copies of ``runs``: terms, test values, and Adam's moments."""
    copies = [TrainingRun.from_state(run.state(), run.spec, run.device) for run in runs]
    made = path(copies, train)
    terms = made.epoch([_RATE] * len(runs))
    found = {}
    for i, (run, of_run) in enumerate(zip(copies, terms, strict=True)):
        tested = made.evaluate(run, train)
        for name, value in of_run.items():
            found[f"{name} in training, model {i}"] = torch.tensor(value)
            found[f"{name} of the evaluation, model {i}"] = torch.tensor(tested[name])
        found |= {f"{name}, model {i}": value for name, value in run.moments().items()}
    for i, (before, after) in enumerate(zip(runs, copies, strict=True)):
        own_steps = zip(before.model.parameters(), after.model.named_parameters(), strict=True)
        for start, (name, end) in own_steps:
            expected = _adam_step(after.optimiser.state[end])
            share = ((end - start) * expected).sum() / expected.square().sum().clamp_min(1e-30)
            found[f"Adam's step of {name}, model {i}"] = share.detach()
    return found


def _adam_step(state: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """The step given by Adam's moments, whose size is insensitive to a gradient's rounding."""
    first, second = (
        state[name] / (1 - beta ** float(state["step"]))
        for name, beta in zip(("exp_avg", "exp_avg_sq"), BETAS, strict=True)
    )
    return -_RATE * first / (second.sqrt() + EPSILON)
