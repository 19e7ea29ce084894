"""Page 12's study shows what the benchmarks wrote down."""

import json

import numpy as np
import pytest

from repinf_core import profiles
from repinf_core.studies import performance

SMOKE = profiles.PROFILES["smoke"]
WRITTEN = {
    name: json.loads((performance.FOLDER / f"{name}.json").read_text())
    for name in ("training", "rollout", "neighbour", "conv", "ranks")
}


@pytest.fixture(scope="module")
def study():
    return performance.run(SMOKE)


def test_ratios_are_of_the_median_of_ours_in_float32(study):
    seconds = WRITTEN["training"]["seconds_per_epoch"]
    ours = np.median(seconds["ours, float32"])
    assert len(study.epochs) == sum(map(len, seconds.values()))
    medians = study.epochs.groupby(["contestant", "precision"]).ratio.median()
    for (contestant, precision), ratio in medians.items():
        expected = np.median(seconds[f"{contestant}, {precision}"]) / ours
        assert ratio == pytest.approx(expected)
        assert study.numbers["epoch_relative_to_ours_in_float32"][
            f"{contestant}, {precision}"
        ] == pytest.approx(expected)
    assert study.training.ratio.is_monotonic_decreasing
    assert ("torch.compile", "float32") in medians.index


def test_the_share_of_the_product_rate_is_that_of_the_products_time(study):
    written = WRITTEN["training"]
    for row in study.training.itertuples():
        rate = written["product_operations_per_second"][row.precision]
        products = written["operations_per_epoch"] / rate
        seconds = written["seconds_per_epoch"][f"{row.contestant}, {row.precision}"]
        assert row.share == pytest.approx(products / np.median(seconds))


def test_every_repeat_of_an_inference_is_a_row_and_the_medians_are_theirs(study):
    for row in study.inference.itertuples():
        for library in ("sgemm", "oneDNN"):
            repeats = study.rollouts.query(
                "trials == @row.trials and contestant == @row.contestant and library == @library"
            )
            assert len(repeats) == WRITTEN["rollout"]["repeats"]
            assert repeats.share.median() == pytest.approx(getattr(row, library))
    measured = study.inference.set_index(["contestant", "trials"]).memory
    (size,) = [size for size in WRITTEN["rollout"]["sizes"] if size["trials"] == 300]
    assert measured["ours", 300] == size["peak_memory_bytes"]["ours"] / 2**20
    assert measured["products alone"].isna().all()


def test_a_neighbour_is_told_for_every_number_of_turns(study):
    alone = np.median(WRITTEN["neighbour"]["seconds"]["a moment, alone"])
    own = study.neighbours[study.neighbours.turns.str.contains("ours")]
    assert set(own.beside) == {"alone", "beside a neighbour"}
    assert own[own.beside == "alone"].ratio.median() == pytest.approx(1)
    np.testing.assert_allclose(study.neighbours.ratio, study.neighbours.seconds / alone)
    assert study.neighbours.turns.nunique() == 3


def test_the_companions_networks_are_told_by_images_per_second_relative_to_the_loop(study):
    seconds = WRITTEN["conv"]["seconds_per_epoch"]
    told = study.companions.set_index("network").relative
    assert set(told.index) == set(seconds) == {"CAE", "DAE", "VAE"}
    for network, of in seconds.items():
        expected = np.median(of["plain loop"]) / np.median(of["ours"])
        assert told[network] == pytest.approx(expected)
    for row in study.ranks.itertuples():
        (size,) = [size for size in WRITTEN["ranks"]["sizes"] if size["images"] == row.images]
        expected = np.median(size["seconds"]["numpy loop"]) / np.median(size["seconds"]["ours"])
        assert row.relative == pytest.approx(expected)


def test_without_the_benchmarks_results_one_sentence_says_where_they_are(tmp_path):
    with pytest.raises(performance.BenchmarksNotFound, match="in a copy of the repository") as told:
        performance.run(SMOKE, tmp_path)
    assert "training.json" in str(told.value)
