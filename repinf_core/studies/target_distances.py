"""Distances of trajectories and their chords to concepts, memories and controls (chapter 04)."""

from typing import Any

import torch

from repinf_core import geometry
from repinf_core.dynamics import approach, rollout
from repinf_core.studies.study import Trained

TARGETS = ("concept", "memory", "wrong concept", "Mahalanobis")
"""To what distances are measured; the last is the Mahalanobis distance to the concept."""


def follow(
    network: Trained, rows: torch.Tensor, x0: torch.Tensor, steps: int
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor], dict[str, Any], torch.Tensor]:
    """Follow trials, and measure how far they and their chords are from each target.

    Args:
        network: the trained one.
        rows: places of the trials' images in the training set, as many of each label, in order.
        x0: the noisy images, ``[10 * trials, 784]``.
        steps: T.

    Returns:
        distances and chords by target, ``[10, T+1, trials]`` each; ``trials_approaching`` and
        ``nearest_own`` of each label; z(0) on the CPU.
    """
    device, labels = network.device, network.train.labels[rows]
    concepts = network.concepts.to(device)
    own, memory = labels.to(device), network.memories[rows].to(device)
    concept, wrong = concepts[own], concepts[(own + 1) % 10]  # of the next label: a control
    whitened = _Whitened(network, own)
    white = whitened(concept, slice(None))
    ran = rollout.rollout(
        network.model,
        x0.to(device),
        steps,
        {
            "concept": geometry.distance_to(concept),
            "memory": geometry.distance_to(memory),
            "wrong concept": geometry.distance_to(wrong),
            "Mahalanobis": lambda x, z, trials: geometry.distance(
                whitened(z, trials), white[trials]
            ),
            "nearest is own": lambda x, z, trials: (
                torch.cdist(z, concepts).argmin(1) == own[trials]
            ).float(),
        },
    )
    first, last, every = ran.z_first, ran.z_last, slice(None)
    ends = dict.fromkeys(TARGETS, (first, last)) | {
        "Mahalanobis": (whitened(first, every), whitened(last, every))
    }
    of_target = {"concept": concept, "memory": memory, "wrong concept": wrong, "Mahalanobis": white}
    distances = {name: approach.by_group(ran.observed[name], 10) for name in TARGETS}
    chords = {
        name: approach.by_group(geometry.chord_distances(*ends[name], target, steps), 10)
        for name, target in of_target.items()
    }
    single = geometry.approach(
        ran.observed["concept"].cpu(), geometry.chord_minimum(first, last, concept).cpu()
    )
    nearest = ran.observed["nearest is own"].cpu().gather(0, single.step[None])
    shares = {
        "trials_approaching": single.approaches.float().view(10, -1).mean(1).tolist(),
        "nearest_own": nearest.view(10, -1).mean(1).tolist(),
    }
    return distances, chords, shares, first.cpu()


class _Whitened:
    """Active latents in the coordinates in which the class of each trial is a ball (Suppl. C)."""

    def __init__(self, network: Trained, own: torch.Tensor) -> None:
        active = geometry.active_latents(network.memories)
        if not active.any():  # a collapsed model: then all latents are as good as any
            active[:] = True
        self.own, self.active = own, active.to(own.device)
        classes = [network.memories[network.train.labels == k][:, active] for k in range(10)]
        self.maps = torch.stack([geometry.whitening(of_class) for of_class in classes]).to(
            own.device
        )

    def __call__(self, z: torch.Tensor, trials: slice) -> torch.Tensor:
        z, labels = z[:, self.active], self.own[trials]
        balls = torch.empty_like(z)
        for k in labels.unique():  # a matrix for each label, not for each trial
            balls[labels == k] = z[labels == k] @ self.maps[k]
        return balls
