"""The rule stops where the trajectory's own steps are short, on maps whose steps are known."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from repinf_core.dynamics import steps

ROOT = Path(__file__).parents[1]


class Affine:
    """z(t+1) = centre + factor * (z(t) - centre); images are latents."""

    def __init__(self, factor, centre):
        self.factor, self.centre = factor, centre

    def encode_mean(self, x):
        return x

    def decode_mean(self, z):
        return self.centre + self.factor * (z - self.centre)


def starts(n=40):
    return 3 * torch.randn(n, 2, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 1.0])
@pytest.mark.parametrize("factor", [0.5, 0.9, -0.7])
def test_on_a_contraction_it_stops_when_the_known_step_is_short(factor, share):
    centre = np.array([1.0, 2.0])
    model = Affine(factor, torch.tensor(centre))
    x = starts().double()
    found = steps.recommend_steps(model, x, share=share, at_most=60)
    for start, stop in zip(x.numpy(), found.tolist(), strict=True):
        t = np.arange(61)[:, None]
        path = centre + factor**t * (start - centre)
        length = abs(1 - factor) * abs(factor) ** t[:, 0] * np.linalg.norm(start - centre)
        expected = np.flatnonzero(length <= share * np.linalg.norm(path, axis=1))[0]
        assert stop == expected


def test_a_fixed_point_takes_no_step_and_a_cycle_takes_all():
    centre = torch.tensor([1.0, 2.0])
    assert steps.recommend_steps(Affine(0.5, centre), centre[None]).tolist() == [0]
    cycle = Affine(-1.0, torch.zeros(2))  # every step is twice as long as the state
    assert set(steps.recommend_steps(cycle, starts(), at_most=17).tolist()) == {17}
    origin = torch.zeros(1, 2)  # as all states of a collapsed network are
    assert steps.recommend_steps(cycle, origin).tolist() == [0]


def test_images_are_judged_one_by_one_however_many_there_are():
    model = Affine(0.8, torch.tensor([1.0, 2.0]))
    few = starts(30)
    many = few.repeat(50, 1)
    found = steps.recommend_steps(model, many, share=0.05)
    assert found.tolist() == steps.recommend_steps(model, few, share=0.05).tolist() * 50
    assert len(set(found.tolist())) > 1


def test_each_goal_has_its_share():
    model, x = Affine(0.8, torch.tensor([1.0, 2.0])), starts()
    for goal, share in steps.SHARES.items():
        found = steps.recommend_steps(model, x, goal)
        assert found.tolist() == steps.recommend_steps(model, x, share=share).tolist()
    with pytest.raises(ValueError, match="Goal is 'sharpen'; allowed is one of denoise, label"):
        steps.recommend_steps(model, x, "sharpen")


def test_the_best_share_is_chosen_and_of_equals_the_one_that_stops_first():
    assert steps.choose_share([0.1, 0.2, 0.4], [1.0, 3.0, 2.0]) == 0.2
    assert steps.choose_share([0.1, 0.2, 0.4], [3.0, 1.0, 3.0]) == 0.4


def test_the_shares_are_those_of_the_published_chapter():
    path = ROOT / "book" / "results" / "21_how_many_steps.json"
    if not path.exists():
        pytest.skip("the chapter is not published yet")
    published = json.loads(path.read_text())["results"]["shares"]
    assert published == pytest.approx(steps.SHARES, rel=0.01)
