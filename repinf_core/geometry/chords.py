"""Chords, the control of the paper's "approaching", and the two readings of that word.

A chord is the straight segment from z(0) to z(T), the paper's "synthetic linear interpolation".
The text says "closer than its synthetic linear interpolation", but not at which point of it.  We
therefore use two readings.  Below the **whole chord** means below the chord's smallest distance.
Below the chord at the **same time** means below its distance at the time of the curve's minimum.
"""

from typing import NamedTuple

import torch

from repinf_core.geometry.centres import distance


def chord_distances(
    z_first: torch.Tensor, z_last: torch.Tensor, target: torch.Tensor, steps: int
) -> torch.Tensor:
    """Euclidean distances from the chord to ``target``, the control of "approaching".

    Args:
        z_first: z(0), ``[trials, N_z]``.
        z_last: z(T), ``[trials, N_z]``.
        target: ``[N_z]`` or ``[trials, N_z]``.
        steps: T; the chord is followed at constant speed, t = 0 ... T.

    Returns:
        ``[T+1, trials]``.
    """
    fractions = torch.linspace(0, 1, steps + 1, dtype=z_first.dtype, device=z_first.device)
    # Rows of one array: small tensors that stay between large ones that go would keep the memory of
    # the large ones from being used again, and 10,000 steps would need gigabytes.
    distances = z_first.new_empty(steps + 1, len(z_first))
    for row, s in zip(distances, fractions, strict=True):
        row.copy_(distance(torch.lerp(z_first, z_last, s), target))
    return distances


def chord_minimum(
    z_first: torch.Tensor, z_last: torch.Tensor, target: torch.Tensor
) -> torch.Tensor:
    """Smallest Euclidean distance from anywhere on the chord to ``target``, exactly.

    Args:
        z_first: z(0), ``[trials, N_z]``.
        z_last: z(T), ``[trials, N_z]``.
        target: ``[N_z]`` or ``[trials, N_z]``.

    Returns:
        ``[trials]``.
    """
    along = z_last - z_first
    length2 = along.square().sum(-1)
    projected = ((target - z_first) * along).sum(-1)
    fraction = (projected / length2.clamp_min(torch.finfo(along.dtype).tiny)).clamp(0, 1)
    return distance(z_first + fraction[..., None] * along, target)


class Approach(NamedTuple):
    """Whether curves approach their target, and where each is closest; shapes ``[...]``.

    Attributes:
        approaches: whether the curve approaches, bool.
        step: time of the minimum, in steps.
        minimum: smallest distance, Euclidean, in latent space.
    """

    approaches: torch.Tensor
    step: torch.Tensor
    minimum: torch.Tensor


def approach(distances: torch.Tensor, control: torch.Tensor) -> Approach:
    """Our criterion of the paper's "approaching" (Results, before journal Eq. 7).

    A trajectory approaches its target if its smallest distance is taken at a single t, 0 < t < T
    ("a minimum at a unique halfway point"), and is smaller than the control.

    Args:
        distances: ``[T+1, ...]``, a curve for each trial or the mean curve.
        control: ``[...]``, a distance of the chord: the smallest (whole chord), or that at the
            time of the curve's minimum (same time).
    """
    minimum, step = distances.min(0)
    unique = (distances == minimum).sum(0) == 1
    inside = (step > 0) & (step < len(distances) - 1)
    return Approach(unique & inside & (minimum < control), step, minimum)


def approach_of_means(
    distances: torch.Tensor, chords: torch.Tensor
) -> tuple[Approach, torch.Tensor]:
    """Which labels' mean curves approach their concept, in both readings.

    The control is the mean chord of a label.  Means are taken in float64: in float32 two steps near
    a flat minimum may have the same mean, and the minimum would not be unique.

    Args:
        distances: distances of the trajectories, ``[labels, T+1, trials]``.
        chords: distances of their chords, likewise.

    Returns:
        the :func:`approach` below the whole chord, ``[labels]`` each; whether the curves approach
        below the chord at the same time, bool ``[labels]``.
    """
    mean, chord = (of.double().mean(2).T for of in (distances, chords))
    whole_chord = approach(mean, chord.min(0).values)
    same_time = approach(mean, chord.gather(0, whole_chord.step[None])[0])
    return whole_chord, same_time.approaches
