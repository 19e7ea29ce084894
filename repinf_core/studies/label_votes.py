"""How long, and up to which noise, most trials are given the right label (Fig. 5).

The tables are parts of :class:`repinf_core.studies.label_detection.LabelDetection`, which describes
their columns.
"""

from typing import Any

import pandas as pd
import torch

from repinf_core import votes
from repinf_core.noise import until_failure
from repinf_core.profiles import Experiment

REGION = (20, 30)
"""First and last of the steps near which the paper finds the right label (text on Fig. 5)."""

_HORIZONS = (30, 40, 60)  # steps T after which the inference might stop


def votes_by_step(
    named: torch.Tensor, p_grid: tuple[float, ...], label: int, names: tuple[str, ...]
) -> pd.DataFrame:
    """The rows of ``votes`` for one label.

    Args:
        named: the label that each trial is given, ``[P, T+1, trials]``.
        p_grid: the P noise fractions.
        label: the images' own label.
        names: names of all labels.
    """
    n_p, n_steps, _ = named.shape
    vote = votes.vote(named)
    return pd.DataFrame(
        {
            "label": pd.Categorical.from_codes([label] * n_p * n_steps, names),
            "p": [p for p in p_grid for _ in range(n_steps)],
            "t": [*range(n_steps)] * n_p,
            "vote": pd.Categorical.from_codes(vote.label.flatten(), names),
            "share": vote.share.flatten(),
            "own": (named == label).double().mean(2).flatten(),
        }
    )


def longest_runs(
    voted: pd.DataFrame, right: dict[str, torch.Tensor], p_grid: tuple[float, ...]
) -> pd.DataFrame:
    """The table ``runs``.

    Args:
        voted: the table ``votes``.
        right: whether the vote is right, bool ``[P, T+1]``, by the name of the label.
        p_grid: the P noise fractions.
    """
    rows: list[dict[str, Any]] = []
    for label, of_label in right.items():
        for p, steps in zip(p_grid, of_label, strict=True):
            run = votes.longest_run(steps)
            start, stop = run or (None, None)
            here = voted.vote[(voted.label == label) & (voted.p == p)]
            rows.append(
                {
                    "label": label,
                    "p": p,
                    "every_step": bool(steps.all()),
                    "start": start,
                    "stop": stop,
                    "length": run[1] - run[0] + 1 if run else 0,
                    "in_region": run is not None and run[0] <= REGION[1] and run[1] >= REGION[0],
                    "first_vote": here.iloc[0],
                    "last_vote": here.iloc[-1],
                }
            )
    return pd.DataFrame(rows).astype({"start": "Int64", "stop": "Int64"})


_CRITERIA = {
    "right_at_every_step": "at every step",
    "right_in_some_window": "at some step",
    "window_near_20_to_30": "in a window near 20 to 30",
}


def limits_by_criterion(runs: pd.DataFrame, p_grid: tuple[float, ...]) -> pd.DataFrame:
    """The table ``limits``: the p up to which the vote is right, by each criterion."""
    rows = []
    for label, of_label in runs.groupby("label", sort=False):
        holds = of_label.every_step, of_label.length > 0, of_label.in_region
        rows += [
            {"label": label, "criterion": criterion, **_up_to(p_grid, passes.tolist())}
            for criterion, passes in zip(_CRITERIA.values(), holds, strict=True)
        ]
    return _with_missing_p(rows)


def limits_by_horizon(right: dict[str, torch.Tensor], experiment: Experiment) -> pd.DataFrame:
    """The table ``horizons``: the p up to which the vote is right at every step of fewer steps.

    Args:
        right: whether the vote is right, bool ``[P, T+1]``, by the name of the label.
        experiment: uses ``p_grid`` and ``steps``.
    """
    stops = [*(steps for steps in _HORIZONS if steps < experiment.steps), experiment.steps]
    rows = [
        {
            "label": label,
            "steps": steps,
            **_up_to(experiment.p_grid, of_label[:, : steps + 1].all(1).tolist()),
        }
        for label, of_label in right.items()
        for steps in stops
    ]
    return _with_missing_p(rows)


def _up_to(p_grid: tuple[float, ...], passes: list[bool]) -> dict[str, float | None]:
    """The last noise fraction before the first that fails, and the first that fails."""
    return dict(zip(("up_to_p", "fails_at_p"), until_failure(p_grid, passes), strict=True))


def _with_missing_p(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows).astype({"up_to_p": "Float64", "fails_at_p": "Float64"})


def numbers_of_label(
    label: str, voted: pd.DataFrame, runs: pd.DataFrame, limits: pd.DataFrame
) -> dict[str, Any]:
    """The contents of the three tables for a label, as plain numbers; None if missing."""
    own, of_label = runs[runs.label == label], limits[limits.label == label]
    spans = [
        None if pd.isna(start) else [int(start), int(stop)]
        for start, stop in zip(own.start, own.stop, strict=True)
    ]
    found: dict[str, Any] = {
        "modal_label": [
            "".join(map(str, row.vote.cat.codes))
            for _, row in voted[voted.label == label].groupby("p")
        ],
    }
    for key, limit in zip(_CRITERIA, of_label.itertuples(), strict=True):
        found[f"{key}_up_to_p"] = _none_if_missing(limit.up_to_p)
        found[f"{key}_fails_at_p"] = _none_if_missing(limit.fails_at_p)
    last = found["right_in_some_window_up_to_p"]
    wrong = own[~own.every_step]
    return found | {
        "window": None if last is None else spans[own.p.tolist().index(last)],
        "longest_run_at_each_p": spans,
        "where_it_fails_first_labels": wrong.first_vote.tolist(),
        "where_it_fails_last_labels": wrong.last_vote.tolist(),
    }


def _none_if_missing(p: Any) -> float | None:
    return None if pd.isna(p) else float(p)
