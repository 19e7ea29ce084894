"""Tables of page 10, from the numbers of each reading.

Their columns are described in :class:`repinf_core.studies.readings.Readings`.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from repinf_core.studies.printed_facts import FACTS, Evidence


def readings(found: list[dict[str, Any]]) -> pd.DataFrame:
    """The table ``readings``, a row for each reading in ``found``."""
    names = {
        "reading": "reading",
        "noise": "noise",
        "beta": "beta",
        "epochs_trained": "epochs",
        "test_negative_elbo": "objective",
        "active_latents": "active",
        "components_for_70_percent": "components",
        "right_at_every_step_up_to_p": "right_up_to_p",
        "share_still_right": "still_right",
        "share_of_p_with_concept_time_20_to_30": "concept_time_20_to_30",
        "rank_correlation_of_memory_time": "rank_correlation",
        "labels_approaching_whole_chord": "whole_chord",
        "labels_approaching_same_time": "same_time",
    }
    table = pd.DataFrame(found)[[*names]].rename(columns=names)
    table["right_up_to_p"] = table.right_up_to_p.astype("Float64")
    return table.assign(met=[sum(one["met"].values()) for one in found])


def judged(readings: list[dict[str, Any]]) -> pd.DataFrame:
    """The table ``judged``, a row for each reading and fact."""
    return pd.DataFrame(
        {
            "reading": found["reading"],
            "noise": found["noise"],
            "beta": found["beta"],
            "fact": fact.letter,
            "found": fact.shown(found),
            "holds": found["met"][fact.letter],
        }
        for found in readings
        for fact in FACTS
    )


def times(readings: list[dict[str, Any]], p_grid: Sequence[float]) -> pd.DataFrame:
    """The table ``times``, a row for each reading, landmark and noise fraction p (steps)."""
    return pd.DataFrame(
        {
            "noise": found["noise"],
            "beta": found["beta"],
            "landmark": landmark,
            "p": p,
            "step": step,
        }
        for found in readings
        for landmark in ("memory", "concept")
        for p, step in zip(p_grid, found[f"{landmark}_time"], strict=True)
    )


def evidence(found: dict[str, dict[str, Evidence]]) -> pd.DataFrame:
    """The table ``evidence``, from the evidence by networks, in words, and open point."""
    asked = {"noise": "reading of the noise", "beta": "weight β of the KL term"}
    return pd.DataFrame(
        {
            "networks": networks,
            "open_point": asked[part],
            "best": None if of.verdict == "open" else _choice(of.best),
            "margin": of.margin,
            "unsuggested": None if of.verdict == "open" else of.unsuggested,
            "verdict": of.verdict,
        }
        for networks, of_networks in found.items()
        for part, of in of_networks.items()
    ).astype({"unsuggested": "Int64"})


def _choice(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:g}"
