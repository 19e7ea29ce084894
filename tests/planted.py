"""Maps f whose fixed points and cycles are known, as models: z -> f(z) is decoding, then encoding."""

import math
from types import SimpleNamespace

import torch


def model(step):
    return SimpleNamespace(encode_mean=step, decode_mean=lambda z: z)


def linear(matrix, fixed_point):
    """z -> z* + A (z - z*)."""
    return model(lambda z: fixed_point + (z - fixed_point) @ matrix.T)


def saddle():
    """Contracts along the first axis; along the second it leaves 0 and ends at -1 or 1.

    Eigenvalues at the saddle (0, 0): 0.5 and 1.3; at (0, -1) and (0, 1): 0.5 and 0.4.
    """
    return model(
        lambda z: torch.stack([z[..., 0] / 2, 1.3 * z[..., 1] - 0.3 * z[..., 1] ** 3], dim=-1)
    )


def two_cycle():
    """z -> -1.3 z + 0.3 z^3: from -1 to 1 and back, with the multiplier (-0.4)^2; 0 repels."""
    return model(lambda z: -1.3 * z + 0.3 * z**3)


def circle(turn):
    """In polar coordinates r -> (r + 1) / 2 and a turn of so many radians; the origin is singular.

    Every other point ends on the circle of radius 1.
    """
    rotation = torch.tensor(
        [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]], dtype=torch.float64
    )

    def step(z):
        r = z.norm(dim=-1, keepdim=True)
        return (z * (r + 1) / (2 * r)) @ rotation.T

    return model(step)
