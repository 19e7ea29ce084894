"""Bootstrap intervals hold what theory says, and the same seed gives the same."""

import numpy as np
import pytest
import torch

from repinf_core import bootstrap


def test_a_resample_draws_as_many_images_with_replacement():
    weights = bootstrap.resamples(7, 1)
    counts = (weights * 7).round()
    torch.testing.assert_close(counts, weights * 7)
    assert (counts.sum(1) == 7).all()
    assert weights.shape == (bootstrap.RESAMPLES, 7)
    assert counts.max() > 1
    # Binomial: each image is drawn 7 times in 7, with a variance of 7 * 1/7 * 6/7.
    assert counts.mean(0).numpy() == pytest.approx(1, abs=0.1)
    assert counts.var(0).numpy() == pytest.approx(6 / 7, abs=0.15)


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution():
    values = torch.randn(400, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = bootstrap.mean(values, bootstrap.resamples(400, 5))
    error = float(values.std(correction=0)) / 20
    assert found.value == pytest.approx(float(values.mean()))
    assert found.low == pytest.approx(float(values.mean()) - 1.96 * error, abs=0.1 * error)
    assert found.high == pytest.approx(float(values.mean()) + 1.96 * error, abs=0.1 * error)
    wider = bootstrap.mean(values, bootstrap.resamples(400, 5), level=0.99)
    assert wider.low < found.low < found.high < wider.high


def test_the_ends_are_percentiles_and_a_missing_value_stays_missing():
    values = torch.arange(2000, dtype=torch.float64)[:, None] * torch.tensor([1.0, torch.nan])
    low, high = bootstrap.interval(values, 0.9)
    expected = np.percentile(np.arange(2000), [5, 95])
    assert [float(low[0]), float(high[0])] == pytest.approx(expected)
    assert low[1].isnan()
    assert high[1].isnan()


def test_equal_seeds_give_equal_intervals():
    values = torch.arange(10, dtype=torch.float64)
    one, same, other = (bootstrap.mean(values, bootstrap.resamples(10, seed)) for seed in (3, 3, 4))
    assert one == same
    assert one != other
