"""Votes and runs as counted by hand."""

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from repinf_core import votes


@given(st.lists(st.lists(st.integers(0, 9), min_size=7, max_size=7), min_size=1, max_size=5))
def test_the_vote_is_the_most_frequent_label_and_its_share(predicted):
    label, share = votes.vote(torch.tensor(predicted))
    for t, said in enumerate(predicted):
        counts = Counter(said)
        most = max(counts.values())
        assert label[t] == min(k for k, count in counts.items() if count == most)
        assert share[t] == pytest.approx(most / 7)


def test_of_equals_the_lower_label_wins():
    assert votes.vote(torch.tensor([[9, 3, 9, 3, 5]])).label.tolist() == [3]


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_the_longest_run_is_that_of_a_search(right):
    candidates = [
        (start, stop)
        for start in range(len(right))
        for stop in range(start, len(right))
        if all(right[start : stop + 1])
    ]
    longest = max(candidates, key=lambda run: (run[1] - run[0], -run[0]), default=None)
    assert votes.longest_run(torch.tensor(right)) == longest
