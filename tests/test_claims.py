"""The verdicts follow from the numbers by the criteria, and from nothing else."""

import copy
import dataclasses
import json
from pathlib import Path

import pytest
import yaml

from repinf_core import claims, profiles
from repinf_core.claims import NOT_REPRODUCED, NOT_RUN, PARTLY, REPRODUCED

ROOT = Path(__file__).parents[1]

LABEL = {"step": 3, "last": 5.0, "minimum": 3.0, "minimum_sem": 0.1}
CLUSTER = {
    "labels": {str(k): dict(LABEL) for k in range(10)},
    "labels_approaching": 10,
    "labels_approaching_by_the_weaker_reading": 10,
    "share_of_trials_approaching": 0.9,
    "labels_with_memory_in_the_first_quarter": 10,
    "Mahalanobis": {"labels_approaching": 10},
}
# Results in which everything is as the paper says.
PAPER = {
    "03_collective_dynamics": {
        "branch_time": 10,
        "share_nearest_own_concept": [0.1, 0.9],
        "silhouette": 0.7,
    },
    "04_cluster_centers": CLUSTER,
    "09_fashion_mnist": {
        "datasets": {
            name: {"labels_approaching": 9, "stages": [{"nearest": "memory"}]}
            for name in ("mnist", "fashion_mnist")
        }
    },
    "05_noise_and_hierarchy": {
        "p": [0.0, 0.3, 0.6, 0.9],
        "mean_time": {
            "memory": [0, 5, 10, 20],
            "concept": [22, 24, 25, 27],
            "abstract concept": [50, 51, 52, 53],
        },
        "two_sem_of_time": {"memory": [1.0] * 4, "concept": [1.0] * 4},
        "stages": [
            {"nearest": "memory", "start": 0.0, "stop": 0.1},
            {"nearest": "concept", "start": 0.1, "stop": 0.4},
            {"nearest": "abstract concept", "start": 0.4, "stop": 1.0},
        ],
    },
    "06_label_detection": {
        "classifier": {"test_accuracy": 0.9925},
        "labels": {
            "6": {
                "right_at_every_step_up_to_p": 0.35,
                "right_at_every_step_fails_at_p": 0.4,
                "right_in_some_window_up_to_p": 0.65,
                "right_in_some_window_fails_at_p": 0.7,
                "window": [10, 25],
            }
        },
        "final": {
            "label": "6",
            "step": 80,
            "trials": 300,
            "judged_own": 193,
            "share_judged_own": 193 / 300,
            "distance_to_concept": {
                "all": {"approaches": True},
                "staying": {"approaches": True},
            },
        },
    },
    "07_latent_dimension": {
        "active_latents": 14,
        "components_for_70_percent": 9,
        "components_for_99.9_percent": 14,
        "mean_absolute_cosine": 0.05,
        "nearly_orthogonal": True,
        "largest_absolute_cosine": 0.3,
        "orthogonality_levels_off_at": 14,
        "by_n_z": {
            str(n_z): {"label_approaches": n_z >= 10} for n_z in (2, 3, 5, 8, 10, 14, 20, 50, 100)
        },
    },
    "08_generalization": {"n_z_star": 14, "smallest_error": 98.0, "flat_afterwards": True},
}

# Claim, where its number lies, and another number with the verdict that it must bring.
CHANGES = [
    ("two branches", "share_nearest_own_concept", [0.5, 0.9], PARTLY),
    ("two branches", "share_nearest_own_concept", [0.8, 0.9], NOT_REPRODUCED),
    ("two branches", "silhouette", 0.4, PARTLY),
    ("approach", "labels_approaching", 9, PARTLY),
    ("leaves again", "labels/3/last", 3.2, PARTLY),
    ("leaves again", "labels/3/step", 0, PARTLY),
    ("memory early", "labels_with_memory_in_the_first_quarter", 4, NOT_REPRODUCED),
    ("memory early", "labels_with_memory_in_the_first_quarter", 5, PARTLY),
    ("not the metric", "Mahalanobis/labels_approaching", 4, NOT_REPRODUCED),
    ("Fashion-MNIST", "datasets/fashion_mnist/labels_approaching", 5, PARTLY),
    ("Fashion-MNIST", "datasets/fashion_mnist/stages/0/nearest", "concept", PARTLY),
    ("Fashion-MNIST", "datasets", {"mnist": {"labels_approaching": 9, "stages": []}}, NOT_RUN),
    ("stages", "stages/2/start", 0.6, PARTLY),
    ("stages", "stages/1/nearest", "memory", NOT_REPRODUCED),
    ("memory time", "mean_time/memory", [20, 10, 5, 0], PARTLY),
    ("memory time", "mean_time/memory", [60, 60, 55, 0], NOT_REPRODUCED),
    ("concept time", "mean_time/concept", [32, 34, 35, 37], PARTLY),
    ("concept time", "mean_time/concept", [22, 34, 35, 90], NOT_REPRODUCED),
    ("concept time", "mean_time/abstract concept", [50, 51, 52, 90], PARTLY),
    ("active latents", "active_latents", 17, PARTLY),
    ("active latents", "active_latents", 21, NOT_REPRODUCED),
    ("dimensions", "components_for_70_percent", 11, PARTLY),
    ("orthogonal concepts", "nearly_orthogonal", False, PARTLY),
    ("orthogonality levels off", "orthogonality_levels_off_at", 50, PARTLY),
    ("orthogonality levels off", "orthogonality_levels_off_at", None, NOT_REPRODUCED),
    ("needs dimensions", "by_n_z/5/label_approaches", True, PARTLY),
    ("needs dimensions", "by_n_z", {"2": {"label_approaches": False}}, NOT_RUN),
    ("needs dimensions", "by_n_z/20/label_approaches", False, PARTLY),
    ("label detection", "labels/6/right_at_every_step_fails_at_p", 0.0, PARTLY),
    ("label detection", "labels/6/right_in_some_window_fails_at_p", None, PARTLY),
    ("label detection", "labels/6/window", [31, 60], PARTLY),
    ("still the same class", "final/share_judged_own", 0.54, PARTLY),
    ("still the same class", "final/share_judged_own", 0.4, NOT_REPRODUCED),
    ("no other label's pull", "final/distance_to_concept/all/approaches", False, PARTLY),
    ("generalization", "n_z_star", 50, PARTLY),
    ("generalization", "flat_afterwards", None, PARTLY),
    ("the judge", "classifier/test_accuracy", 0.985, PARTLY),
    ("the judge", "classifier/test_accuracy", 0.97, NOT_REPRODUCED),
]


PARAMETERS = {"dataset": "mnist", "n_z": 100, "epochs": 1500}


def judged(folder, profile="paper", **changes):
    experiment = dataclasses.replace(profiles.PROFILES["paper"], **changes)
    return claims.judge(claims.CLAIMS, folder, profile, experiment)


def write(folder, results):
    for page, numbers in results.items():
        contents = {"profile": "paper", "results": numbers, "parameters": PARAMETERS}
        (folder / f"{page}.json").write_text(json.dumps(contents))


def verdicts(folder):
    return {one.claim.name: one.verdict for one in judged(folder)}


def test_what_the_paper_says_is_reproduced(tmp_path):
    write(tmp_path, PAPER)
    assert set(verdicts(tmp_path).values()) == {REPRODUCED}
    for one in judged(tmp_path):
        assert one.ours
        assert one.parameters == PARAMETERS


def test_the_epochs_are_those_really_trained(tmp_path):
    write(tmp_path, {"04_cluster_centers": CLUSTER | {"epochs_trained": 888}})
    epochs = {one.parameters["epochs"] for one in judged(tmp_path) if one.parameters}
    assert epochs == {888}


def test_a_verdict_knows_where_its_settings_are_not_those_of_the_paper(tmp_path):
    """Those of its own figure: another figure's shorter training is not held against it."""
    write(tmp_path, PAPER)
    assert [one.departures for one in judged(tmp_path)] == [[]] * len(claims.CLAIMS)
    trained = {"epochs_trained": 1500, "grid_epochs_trained": 150}
    write(tmp_path, {"07_latent_dimension": PAPER["07_latent_dimension"] | trained})
    trained = {"epochs_trained": 500}
    write(tmp_path, {"06_label_detection": PAPER["06_label_detection"] | trained})
    found = {one.claim.name: one.departures for one in judged(tmp_path) if one.departures}
    assert found == {
        "orthogonality levels off": ["grid_epochs 150 (1500)"],
        "needs dimensions": ["grid_epochs 150 (1500)"],
        "label detection": ["epochs 500 (1500)"],
        "still the same class": ["epochs 500 (1500)"],
        "no other label's pull": ["epochs 500 (1500)"],
    }


@pytest.mark.parametrize("other", [{"profile": "quick"}, {"dataset": "digits"}])
def test_results_of_another_edition_do_not_count(tmp_path, other):
    write(tmp_path, PAPER)
    assert {one.verdict for one in judged(tmp_path, **other)} == {NOT_RUN}


def test_results_of_another_n_z_count_where_that_number_is_not_theirs(tmp_path):
    """Figs. 8 and 9 have grids of it, and page 08 does not take it; the judge sees images."""
    write(tmp_path, PAPER)
    ran = {one.claim.name for one in judged(tmp_path, n_z=7) if one.verdict != NOT_RUN}
    grids = {"orthogonality levels off", "needs dimensions", "generalization"}
    assert ran == grids | {"the judge"}


@pytest.mark.parametrize(("name", "place", "value", "expected"), CHANGES)
def test_one_altered_number_alters_the_verdict(tmp_path, name, place, value, expected):
    (claim,) = [claim for claim in claims.CLAIMS if claim.name == name]
    altered = copy.deepcopy(PAPER)
    *parents, last = place.split("/")
    at = altered[claim.page]
    for key in parents:
        at = at[int(key) if isinstance(at, list) else key]
    at[int(last) if isinstance(at, list) else last] = value
    write(tmp_path, altered)
    assert verdicts(tmp_path)[name] == expected


def test_every_claim_can_fail():
    assert {name for name, *_ in CHANGES} == {claim.name for claim in claims.CLAIMS}


def test_a_page_that_was_not_run_is_said_to_be_so(tmp_path):
    assert set(verdicts(tmp_path).values()) == {NOT_RUN}
    write(tmp_path, {page: PAPER[page] for page in ("04_cluster_centers",)})
    ran = {one.claim.page for one in judged(tmp_path) if one.verdict != NOT_RUN}
    assert ran == {"04_cluster_centers"}


def test_a_claim_names_the_page_and_the_cell_that_measure_it():
    pages = yaml.safe_load((ROOT / "book/pages.yml").read_text())
    for claim in claims.CLAIMS:
        notebook = json.loads((ROOT / "notebooks" / pages[claim.page]["notebook"]).read_text())
        (cell,) = [cell for cell in notebook["cells"] if cell["id"] == claim.cell]
        assert cell["cell_type"] == "code"


def test_the_claims_are_told_apart():
    names = [claim.name for claim in claims.CLAIMS]
    assert len(set(names)) == len(names) >= 15
