"""Repeated inference: x(t+1) = E_p(x|z(t))[x], z(t) = E_q(z|x(t))[z] (preprint Eqs. 6-7).

Deterministic once x(0) is given.  What is wanted of z(t) is computed as the trajectories run,
a chunk of trials at a time, so memory holds the observables and never trials x 784 x T.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from repinf_core.dynamics.means import Means, has_means
from repinf_core.kernels.cuda_graph import Captured

Observable = Callable[[torch.Tensor, slice], torch.Tensor]
"""``(z [n, N_z], trials) -> [n, ...]``; ``trials`` says which n of all trials these are.

The next step overwrites ``z``: what is to last is returned (and copied), not kept.
"""


class Autoencoder(Protocol):
    """What is iterated; :class:`repinf_core.models.mlp.VAE` is one."""

    def encode_mean(self, x: torch.Tensor) -> torch.Tensor:
        """Images ``[n, 784]`` to latents ``[n, N_z]``."""

    def decode_mean(self, z: torch.Tensor) -> torch.Tensor:
        """Latents ``[n, N_z]`` to images ``[n, 784]``."""


@dataclass(frozen=True)
class Rollout:
    """Trajectories of all trials over t = 0 ... T, on the device of x(0).

    Attributes:
        observed: one ``[T+1, trials, ...]`` tensor per observable.
        z_first: z(0), ``[trials, N_z]``.
        z_last: z(T), ``[trials, N_z]``.
        images: x(t) of the trials that were asked for, ``[T+1, len(keep_images), 784]``.
    """

    observed: dict[str, torch.Tensor]
    z_first: torch.Tensor
    z_last: torch.Tensor
    images: torch.Tensor


Step = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
"""``z(t) [n, N_z] -> (x(t+1) [n, 784], z(t+1) [n, N_z])``: decoding, then encoding."""


def inference_step(means: Autoencoder) -> Step:
    """One repeated inference with these means (preprint Eqs. 6-7)."""

    def step(z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = means.decode_mean(z)
        return x, means.encode_mean(x)

    return step


def step_derivative(model: Autoencoder, z: torch.Tensor) -> torch.Tensor:
    """How one repeated inference moves what is close to ``z``: d z(t+1) / d z(t).

    Args:
        model: encoder and decoder means.
        z: one point, ``[N_z]``.

    Returns:
        ``[N_z, N_z]``; a displacement d of z(t) becomes this matrix times d at t+1.
    """
    return torch.func.jacrev(lambda at: model.encode_mean(model.decode_mean(at)))(z).detach()


def trajectory(
    model: Autoencoder, x0: torch.Tensor, steps: int, step: Step | None = None
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield ``(x(t), z(t))`` for t = 0 ... T: the repeated inference itself.

    z(0) is the model's own: without noise it is the memory, but for rounding.

    Args:
        model: encoder and decoder means.
        x0: initial images x(0), ``[n, 784]``.
        steps: T.
        step: the model's :func:`inference_step`, made for speed.
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
    keep_images: Sequence[int] = (),
    chunk: int | None = None,
) -> Rollout:
    """Infer repeatedly from the images ``x0``, ``[trials, 784]``, for T = ``steps`` steps.

    Args:
        model: encoder and decoder means.
        x0: initial images x(0), noisy ones in the paper.
        steps: T; z(t) is observed at t = 0 ... T.
        observe: name to observable, evaluated at every step.
        keep_images: indices of the trials whose x(t) is kept.
        chunk: trials that run together; it does not enter the mathematics.  By default 1,024,
            which keep a step's arrays in a CPU's cache, and 16,384 on a GPU, which needs many.

    Raises:
        ValueError: T < 1, no trials, or a trial to keep that does not exist.
    """
    trials = len(x0)
    if steps < 1:
        raise ValueError(f"The number of steps T is {steps}; allowed is an integer from 1.")
    if trials == 0:
        raise ValueError("x0 holds 0 trials; allowed is 1 or more.")
    if not all(0 <= trial < trials for trial in keep_images):
        raise ValueError(
            f"keep_images is {list(keep_images)}; allowed are trials 0 to {trials - 1}."
        )
    kept = torch.tensor(list(keep_images), dtype=torch.long, device=x0.device)
    images = x0.new_empty(steps + 1, len(kept), x0.shape[1])
    observed: dict[str, torch.Tensor] = {}
    ends: torch.Tensor | None = None  # z(0) and z(T)
    chunk = chunk or (16_384 if x0.is_cuda else 1024)
    step = inference_step(Means(model) if has_means(model) else model)
    if x0.is_cuda:
        step = Captured(step)
    for start in range(0, trials, chunk):
        rows = slice(start, min(start + chunk, trials))
        in_chunk = (kept >= rows.start) & (kept < rows.stop)
        places, kept_rows = in_chunk.nonzero()[:, 0], kept[in_chunk] - rows.start
        for t, (x, z) in enumerate(trajectory(model, x0[rows], steps, step)):
            if ends is None:
                ends = z.new_empty(2, trials, z.shape[1])
            if t == 0:
                ends[0, rows] = z
            if len(places):
                images[t, places] = x[kept_rows]
            for name, observable in (observe or {}).items():
                value = observable(z, rows)
                if name not in observed:
                    observed[name] = value.new_empty(steps + 1, trials, *value.shape[1:])
                observed[name][t, rows] = value
        ends[1, rows] = z
    return Rollout(observed, *ends, images)
