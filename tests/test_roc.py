"""Areas under the ROC curve against scipy, scikit-learn and counting by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_auc_score

from repinf_core import roc

SCORES = st.lists(st.integers(-3, 3), min_size=1, max_size=12)  # so few that many are equal


def area(first, second):
    (found,) = roc.areas(torch.tensor([first]).float(), torch.tensor([second]).float()).tolist()
    return found


@given(SCORES, SCORES)
def test_an_area_is_mann_and_whitneys_u_of_all_pairs(first, second):
    u = mannwhitneyu(second, first).statistic
    assert area(first, second) == pytest.approx(u / (len(first) * len(second)))
    labels = [0] * len(first) + [1] * len(second)
    assert area(first, second) == pytest.approx(roc_auc_score(labels, first + second))


@given(SCORES, SCORES)
def test_only_the_order_counts_and_the_groups_may_change_places(first, second):
    assert area(second, first) == pytest.approx(1 - area(first, second))
    assert area([s**3 - 7 for s in first], [s**3 - 7 for s in second]) == area(first, second)


def test_the_ends_and_the_middle():
    assert area([1, 2], [3, 4]) == 1
    assert area([3, 4], [1, 2]) == 0
    assert area([5, 5, 5], [5]) == 0.5


def test_a_bootstrap_sample_is_the_area_of_the_members_drawn():
    """The same members for both scores: with the second score twice the first, areas are equal."""
    generator = torch.Generator().manual_seed(1)
    first, second = torch.randn(6, generator=generator), torch.randn(4, generator=generator)
    both = [torch.stack([group, 2 * group, -group]) for group in (first, second)]
    found = roc.resampled_areas(*both, torch.Generator().manual_seed(2)).numpy()
    assert found.shape == (2000, 3)
    np.testing.assert_array_equal(found[:, 0], found[:, 1])
    np.testing.assert_allclose(found[:, 0] + found[:, 2], 1)
    redrawn = torch.Generator().manual_seed(2)
    rows = [torch.randint(n, (2000, n), generator=redrawn) for n in (6, 4)]
    expected = [area(first[a].tolist(), second[b].tolist()) for a, b in zip(*rows, strict=True)]
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-6)


def test_the_spread_of_the_bootstrap_is_hanley_and_mcneils():
    """Standard error of the area of two exponential distributions, in closed form (1982)."""
    generator = np.random.default_rng(0)
    first, second = generator.exponential(1, 400), generator.exponential(3, 300)
    true = 3 / 4  # P(second > first) = rate of the first / sum of the rates
    q1, q2 = true / (2 - true), 2 * true**2 / (1 + true)
    variance = (true * (1 - true) + 299 * (q1 - true**2) + 399 * (q2 - true**2)) / (400 * 300)
    drawn = roc.resampled_areas(
        torch.tensor(first)[None].float(),
        torch.tensor(second)[None].float(),
        torch.Generator().manual_seed(0),
    )
    assert drawn.std().item() == pytest.approx(variance**0.5, rel=0.15)
    low, high = torch.quantile(drawn[:, 0], torch.tensor([0.025, 0.975], dtype=drawn.dtype))
    assert low < true < high


def test_groups_that_do_not_overlap_have_an_area_of_exactly_one_in_every_sample():
    first, second = torch.rand(1, 77), 2 + torch.rand(1, 111)
    assert (roc.resampled_areas(first, second, torch.Generator()) == 1).all()


def test_of_one_member_only_the_other_group_varies():
    first = torch.arange(10.0)[None]
    drawn = roc.resampled_areas(first, torch.tensor([[100.0]]), torch.Generator())
    assert (drawn == 1).all()
    drawn = roc.resampled_areas(first, torch.tensor([[4.5]]), torch.Generator())
    assert drawn.std() > 0
