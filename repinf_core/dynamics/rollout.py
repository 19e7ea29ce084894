"""Repeated inference: x(t+1) = E_p(x|z(t))[x], z(t) = E_q(z|x(t))[z] (preprint Eqs. 6-7).

Repeated inference is deterministic given x(0).  Observables of x(t) and z(t) are computed while the
trajectories run, one chunk of trials at a time.  Memory therefore holds the observables, but never
all images (trials x 784 x T).
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from repinf_core.dynamics.means import OneDNNMeans, supports_onednn
from repinf_core.kernels.cuda_graph import Captured, graphs_of
from repinf_core.models import Autoencoder

_TOLERANCE = 1e-4  # of a captured step, relative and absolute; float32 rounds far below it

Observable = Callable[[torch.Tensor, torch.Tensor, slice], torch.Tensor]
"""``(x [n, 784], z [n, N_z], trials) -> [n, ...]``; ``trials``: their slice of all trials.

x is the image x(t), and z is its encoding z(t); at t = 0, x is the noisy image.  z(t) generates the
image x(t+1), which is the x of the next step.  To observe the images that z(0) ... z(T) generate,
take T + 1 steps and observe at t = 1 ... T + 1.

The next step overwrites x and z.  An observable must return its value, which is copied, and must
not keep references to x or z.
"""


def images(x: torch.Tensor, z: torch.Tensor, trials: slice) -> torch.Tensor:
    """Observable x(t): 784 numbers for each step and trial, so for a few trials only."""
    return x


def latents(x: torch.Tensor, z: torch.Tensor, trials: slice) -> torch.Tensor:
    """Observable z(t): N_z numbers for each step and trial."""
    return z


@dataclass(frozen=True)
class Rollout:
    """Trajectories of all trials over t = 0 ... T, on the device of x(0).

    Attributes:
        observed: one ``[T+1, trials, ...]`` tensor per observable; with the argument
            ``at``, one row for each of its steps.
        z_first: z(0), ``[trials, N_z]``.
        z_last: z(T), ``[trials, N_z]``.
    """

    observed: dict[str, torch.Tensor]
    z_first: torch.Tensor
    z_last: torch.Tensor


Step = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
"""``z(t) [n, N_z] -> (x(t+1) [n, 784], z(t+1) [n, N_z])``: decoding, then encoding."""


def inference_step(means: Autoencoder) -> Step:
    """One repeated inference with these means (preprint Eqs. 6-7)."""

    def step(z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = means.decode_mean(z)
        return x, means.encode_mean(x)

    return step


def proven(fast: Step, step: Step, z: torch.Tensor) -> Step:
    """The fast step, if it agrees with the plain step from ``z``; otherwise the plain step.

    If the fast step raises an error or differs by more than rounding, a warning says so.  A graph
    that is wrong on an untested GPU therefore cannot falsify a run.

    Args:
        fast: the same step, made for speed.
        step: the plain step.
        z: states from which both are tried, ``[n, N_z]``.
    """
    try:
        for found, expected in zip(fast(z), step(z), strict=True):
            torch.testing.assert_close(found, expected, rtol=_TOLERANCE, atol=_TOLERANCE)
    except (AssertionError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        warnings.warn(f"Inference steps are not captured on this GPU: {reason}", stacklevel=3)
        return step
    return fast


def trajectory(
    model: Autoencoder, x0: torch.Tensor, steps: int, step: Step | None = None
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield ``(x(t), z(t))`` for t = 0 ... T: the repeated inference itself.

    The model itself computes z(0): without noise it is the memory, up to rounding.

    Args:
        model: encoder and decoder means.
        x0: initial images x(0), ``[n, 784]``.
        steps: T.
        step: a faster form of the model's :func:`inference_step`; by default the plain one.
    """
    step = step or inference_step(model)
    x, z = x0, model.encode_mean(x0)
    yield x, z
    for _ in range(steps):
        x, z = step(z)
        yield x, z


@torch.no_grad()
def rollout(
    model: Autoencoder,
    x0: torch.Tensor,
    steps: int,
    observe: Mapping[str, Observable] | None = None,
    at: Sequence[int] | None = None,
    chunk: int | None = None,
) -> Rollout:
    """Infer repeatedly from the images ``x0``, ``[trials, 784]``, for T = ``steps`` steps.

    Args:
        model: encoder and decoder means.
        x0: initial images x(0), noisy ones in the paper.
        steps: T.
        observe: observables by name.
        at: the steps t at which the observables are evaluated, increasing; by default 0 ... T.
        chunk: number of trials that run together, which does not enter the mathematics.  By
            default 1,024, so that a step's arrays fit into a CPU's cache, and 16,384 on a GPU,
            which needs many.

    Raises:
        ValueError: T < 1, no trials, or ``at`` is empty, not increasing or not within 0 ... T.
    """
    trials = len(x0)
    if steps < 1:
        raise ValueError(f"The number of steps T is {steps}; allowed is an integer from 1.")
    if trials == 0:
        raise ValueError("x0 holds 0 trials; allowed is 1 or more.")
    at = list(range(steps + 1) if at is None else at)
    if not at or at != sorted(set(at) & set(range(steps + 1))):
        raise ValueError(f"at is {at}; allowed are increasing steps from 0 to {steps}.")
    row_of = {t: row for row, t in enumerate(at)}
    observed: dict[str, torch.Tensor] = {}
    ends = x0.new_empty(0)  # z(0) and z(T), once their dtype and N_z are known
    chunk = chunk or (16_384 if x0.is_cuda else 1024)
    step = inference_step(OneDNNMeans(model) if supports_onednn(model) else model)
    if x0.is_cuda:
        step = proven(Captured(step, graphs=graphs_of(model)), step, model.encode_mean(x0[:chunk]))
    for start in range(0, trials, chunk):
        here = slice(start, min(start + chunk, trials))
        for t, (x, z) in enumerate(trajectory(model, x0[here], steps, step)):
            if not len(ends):
                ends = z.new_empty(2, trials, z.shape[1])
            if t == 0:
                ends[0, here] = z
            if t not in row_of:
                continue
            for name, observable in (observe or {}).items():
                value = observable(x, z, here)
                if name not in observed:
                    observed[name] = value.new_empty(len(at), trials, *value.shape[1:])
                observed[name][row_of[t], here] = value
        ends[1, here] = z
    return Rollout(observed, ends[0], ends[1])
