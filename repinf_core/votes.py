"""The label that most trials are given, and how long it is the right one (Fig. 5)."""

import itertools
from typing import NamedTuple

import torch


class Vote(NamedTuple):
    """The label given most often; shapes ``[...]``.

    Attributes:
        label: the most frequent class; the lowest if several are equally frequent.
        share: share of the trials that are given this label.
    """

    label: torch.Tensor
    share: torch.Tensor


def vote(predicted: torch.Tensor) -> Vote:
    """The vote over the trials, the last axis of the classes ``predicted`` ``[..., trials]``."""
    counts = torch.nn.functional.one_hot(predicted).sum(-2)
    votes, label = counts.max(-1)
    return Vote(label, votes / predicted.shape[-1])


def longest_run(right: torch.Tensor) -> tuple[int, int] | None:
    """First and last step of the longest run of True in ``[T+1]``; None if nothing is True.

    If several runs are equally long, the earliest counts.
    """
    runs, start = [], 0
    for value, group in itertools.groupby(right.tolist()):
        stop = start + len(list(group))
        if value:
            runs.append((start, stop - 1))
        start = stop
    return max(runs, key=lambda run: run[1] - run[0], default=None)
