"""The study of the number of steps against plain numpy in float64, and its criteria on plants."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import references
import torch
from pages import SMOKE, TEST, TRAIN, closest_steps, judge_of, model_of, stored_weights

from repinf_core import claims, figures
from repinf_core.claims import NOT_REPRODUCED, NOT_RUN, PARTLY, REPRODUCED
from repinf_core.models.denoiser import DenoiserSpec
from repinf_core.studies import how_many_steps, steps_advice
from repinf_core.studies.step_methods import GOALS, METHODS, looked_at

SMALL = dataclasses.replace(
    SMOKE, n_z=3, n_hidden=16, epochs=8, classifier_epochs=1, denoiser_epochs=3,
    p_grid=(0.0, 0.2, 0.4, 1.0), trials_per_p=12, steps=30,
)  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("models")
        patch.setenv("REPINF_MODELS", str(folder))
        yield folder


@pytest.fixture(scope="module")
def study(store):
    return how_many_steps.run(SMALL, "cpu")


@pytest.fixture(scope="module")
def judge(study, store):
    return judge_of(SMALL, store)


def sample(split, p):
    """The same draws as the study makes: clean images, labels, noisy images; by a plain loop."""
    data, numbers = (TRAIN, (22, 23)) if split == "train" else (TEST, (24, 25))
    seeds = [
        int(np.random.SeedSequence((SMALL.trial_seed, number)).generate_state(1)[0])
        for number in numbers
    ]
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    n = SMALL.trials_per_p
    rows = torch.randperm(len(data.labels), generator=generators[0])[:n].numpy()
    clean = references.array(data.images)[rows]
    noisy = clean.copy()
    uniform = torch.rand(n, 784, generator=generators[1]).numpy()
    for image, u in zip(noisy, uniform, strict=True):
        selected = np.flatnonzero(u < p)
        image[selected] = image[selected[u[selected].argsort(kind="stable")]]
    return clean, data.labels.numpy()[rows], noisy


def psnr(images, clean):
    return -10 * np.log10(((images - clean) ** 2).mean(-1))


def test_the_noisy_image_is_told_to_be_better_than_one_pass_where_it_is(study, inferred):
    better = []
    for p in SMALL.p_grid:
        clean, _, noisy, images, _ = inferred["test", p]
        with np.errstate(divide="ignore", invalid="ignore"):
            gain = psnr(noisy, clean) - psnr(images[0], clean)
        if np.isinf(gain).any():
            better.append(True)
            continue
        errors = gain.mean() / (gain.std(ddof=1) / len(gain) ** 0.5)
        assert abs(errors - 1.96) > 0.5  # not so near that the bootstrap could tell otherwise
        better.append(errors > 1.96)
    assert better[0]  # without noise it is the clean image
    lasting = better.index(False) if False in better else len(better)
    last = SMALL.p_grid[lasting - 1]
    assert study.numbers["noisy_image_better_up_to_p"] == last
    assert f"up to $p = {last:g}$ its PSNR" in study.finding


def test_the_finding_names_the_seed_of_another_training(store):
    again = how_many_steps.run(dataclasses.replace(SMALL, seed=1), "cpu")
    assert "($N_z = 3$, seed 1, mean over" in again.finding


def test_a_rule_that_takes_no_step_is_told_to_be_the_single_pass(study):
    none = study.numbers | {"steps_of_the_rule": {"denoise": 0.0, "label": 0.0}}
    assert "takes no step after the first encoding" in how_many_steps._finding(SMALL, none)
    one = study.numbers | {"steps_of_the_rule": {"denoise": 0.0, "label": 0.5}}
    assert "stops after 0.0 and 0.5 steps" in how_many_steps._finding(SMALL, one)


def test_no_noisy_image_may_be_better_than_one_pass():
    table = pd.DataFrame(
        [("noisy image", "denoise", 0.1, -0.01), ("one pass", "denoise", 0.1, 0.0),
         ("noisy image", "label", 0.1, 0.5), ("one pass", "label", 0.1, 0.0)],
        columns=["method", "goal", "p", "gain_low"],
    )  # fmt: skip
    assert how_many_steps._noisy_better(table, (0.1,)) is None
    table.loc[0, "gain_low"] = np.nan  # infinite
    assert how_many_steps._noisy_better(table, (0.1,)) == 0.1


@pytest.fixture(scope="module")
def inferred(study, store):
    """By split and p: what a plain network gives, images decoded from z(t) and z(t)."""
    weights = model_of(SMALL, store)
    found = {}
    for split in ("train", "test"):
        for p in SMALL.p_grid:
            clean, labels, noisy = sample(split, p)
            images, z = references.rollout(weights, noisy, SMALL.steps + 1)
            found[split, p] = clean, labels, noisy, images[1:], z[:-1]
    return found


def rows(table, **where):
    for name, value in where.items():
        table = table[table[name] == value]
    return table


@pytest.mark.parametrize("p", SMALL.p_grid)
def test_the_curves_are_those_of_a_plain_network(study, judge, inferred, p):
    clean, labels, _, images, _ = inferred["test", p]
    of_psnr, of_labels = (rows(study.curves, goal=goal, p=p) for goal in GOALS)
    at = of_psnr.t.tolist()
    assert at == [*range(11), 12, 14, 16, 18, 20, 22, 24, 26, 28, 30]
    np.testing.assert_allclose(of_psnr.value, psnr(images[at], clean).mean(1), rtol=1e-4)
    for row, t in zip(of_labels.itertuples(), at, strict=True):
        chances = references.classify(judge, images[t])
        low, best = np.sort(chances, -1)[:, -2:].T
        unsure = (best - low < 1e-4).sum()  # float32 may name these otherwise
        right = (chances.argmax(1) == labels).sum()
        assert abs(row.value * len(labels) - right) <= unsure + 1e-6
    for table in (of_psnr, of_labels):
        assert (table.low <= table.value + 1e-9).all()
        assert (table.value <= table.high + 1e-9).all()


@pytest.mark.parametrize("p", SMALL.p_grid)
def test_the_methods_are_those_of_a_plain_network(study, store, inferred, p):
    clean, _, noisy, images, z = inferred["test", p]
    n = range(len(clean))
    length, step = np.linalg.norm(z, axis=2), np.linalg.norm(np.diff(z, axis=0), axis=2)
    share = study.numbers["shares"]["denoise"]
    short = [np.flatnonzero(step[:, i] <= share * length[:-1, i]) for i in n]
    stops = [int(found[0]) if len(found) else SMALL.steps for found in short]
    *_, of_train, path = inferred["train", p]
    memories = references.encode(model_of(SMALL, store), inferred["train", 0.0][2])[0]
    assert of_train.shape == images.shape
    _, earliest, latest = closest_steps(np.linalg.norm(path - memories, axis=2))
    time = rows(study.memory_times, p=p).t.item()
    assert earliest.mean() - 1e-6 <= time <= latest.mean() + 1e-6
    advised = round(time)
    at = rows(study.curves, goal="denoise", p=p).t.to_numpy()
    values = psnr(images, clean)
    means = values[at].mean(1)
    best = at[(means > means.max() - steps_advice.TIE).argmax()]
    each = at[(values[at] > values[at].max(0) - steps_advice.TIE).argmax(0)]
    denoiser = stored_weights(DenoiserSpec.of(SMALL), store)
    code = np.tanh(noisy @ denoiser["encoder_hidden.weight"].T + denoiser["encoder_hidden.bias"])
    code = code @ denoiser["encoder_out.weight"].T + denoiser["encoder_out.bias"]
    expected = {
        "one pass": (values[0], 0),
        "paper's advice": (values[advised], advised),
        "recommended": (values[stops, n], np.mean(stops)),
        "best t of each p": (values[best], best),
        "best t of each image": (values[each, n], each.mean()),
        "denoising autoencoder": (psnr(references.decode_mean(denoiser, code), clean), None),
    }
    of_p = rows(study.methods, goal="denoise", p=p).set_index("method")
    for method, (quality, taken) in expected.items():
        row = of_p.loc[method]
        assert row.value == pytest.approx(quality.mean(), rel=1e-4)
        assert row.gain == pytest.approx((quality - values[0]).mean(), rel=1e-3, abs=2e-3)
        if taken is None:
            assert np.isnan(row.steps)
        else:
            assert row.steps == pytest.approx(taken, abs=0.1)
    noisy_row = of_p.loc["noisy image"]
    if p:
        assert noisy_row.value == pytest.approx(psnr(noisy, clean).mean(), rel=1e-5)
    else:
        assert np.isnan([noisy_row.value, noisy_row.low, noisy_row.gain_high]).all()


def test_the_share_is_the_best_on_training_images(study, inferred):
    """Of the noise fractions that are judged, and of no test image."""
    of_goal = rows(study.shares, goal="denoise")
    for row in of_goal.iloc[::5].itertuples():
        means = []
        for p in (0.0, 0.2, 0.4):
            clean, _, _, images, z = inferred["train", p]
            length, step = np.linalg.norm(z, axis=2), np.linalg.norm(np.diff(z, axis=0), axis=2)
            short = np.vstack([step <= row.share * length[:-1], np.ones(len(clean), bool)])
            means.append(psnr(images[short.argmax(0), range(len(clean))], clean).mean())
        assert row.value == pytest.approx(np.mean(means), abs=0.02)
    for goal in GOALS:
        table = rows(study.shares, goal=goal)
        (chosen,) = table[table.chosen].itertuples()
        assert chosen.value == table.value.max()
        assert study.numbers["shares"][goal] == chosen.share


def test_the_tables_agree_with_one_another(study):
    of_all = study.methods.set_index(["method", "goal", "p"])
    for row in study.overall.itertuples():
        judged = [of_all.value[row.method, row.goal, p] for p in (0.0, 0.2, 0.4)]
        assert row.value == pytest.approx(np.mean(judged), nan_ok=True)
    assert set(study.methods.method) == set(METHODS)
    best, each = (of_all.value[name] for name in ("best t of each p", "best t of each image"))
    assert (each >= best - steps_advice.TIE)[each.notna()].all()
    assert (of_all.gain["one pass"] == 0).all()
    clean, *others = study.examples.values()
    assert {one.shape for one in others} == {clean.shape} == {(4, 784)}


P = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.9)
AT = looked_at(100)


def planted(best, height=5.0, n=60, seed=0):
    """PSNR that is largest at the step ``best(p)``, with independent images."""
    generator = torch.Generator().manual_seed(seed)
    steps = torch.tensor(AT, dtype=torch.float64)
    curves = torch.stack([-height * ((steps - best(p)) / 30).square() for p in P])
    level = torch.randn(len(P), 1, n, generator=generator, dtype=torch.float64)
    small = 0.01 * torch.randn(len(P), len(AT), n, generator=generator, dtype=torch.float64)
    return curves[..., None] + level + small


def verdict(name, numbers):
    (claim,) = [claim for claim in claims.how_many_steps.CLAIMS if claim.name == name]
    return claim.measure(numbers).verdict


@pytest.mark.parametrize(
    ("best", "correlation", "expected"),
    [
        (lambda p: 40 * p, 1, REPRODUCED),
        (lambda p: 20 - 40 * p, -1, NOT_REPRODUCED),
        (lambda p: 8, 0, NOT_REPRODUCED),
    ],
)
def test_a_planted_best_step_is_found(best, correlation, expected):
    found = steps_advice.denoising(planted(best), P, AT, 0)
    assert found["rank_correlation"]["value"] == pytest.approx(correlation)
    assert (found["first_p"], found["last_p"]) == (0.0, 0.5)
    assert (found["first_best"], found["last_best"]) == (best(0), best(0.5))
    if correlation:
        # Against the best single step, 10 of 0, 4, ... 20: squares of 10, 6, 2, 2, 6, 10.
        assert found["adapting"]["value"] == pytest.approx(5 * 280 / 6 / 900, abs=0.01)
    assert verdict("more steps with more noise", {"denoising": found}) == expected


def test_a_rise_that_does_not_pay_is_partly():
    """The curves differ by so little that the halves do not agree on it."""
    found = steps_advice.denoising(planted(lambda p: 40 * p), P, AT, 0)
    found["adapting"] |= {"low": -0.01}
    assert verdict("more steps with more noise", {"denoising": found}) == PARTLY


def right(chance, n=400, seed=0):
    """1 or 0 for each image: right at t with the probability ``chance(p, t)``, nested in t."""
    generator = torch.Generator().manual_seed(seed)
    ease = torch.rand(len(P), 1, n, generator=generator, dtype=torch.float64)
    chances = torch.tensor([[chance(p, t) for t in AT] for p in P], dtype=torch.float64)
    return (ease < chances[..., None]).double()


@pytest.mark.parametrize(
    ("chance", "better", "expected"),
    [
        (lambda p, t: 0.9 - p / 2 - 0.2 * (not 20 <= t <= 30), [], REPRODUCED),
        (lambda p, t: 0.9 - p / 2 - 0.01 * min(t, 30), P[:6], NOT_REPRODUCED),
        (lambda p, t: 0.5, [], NOT_REPRODUCED),  # the number of steps does not matter
        (
            lambda p, t: (0.9 if p > 0.1 else 0.7) - 0.2 * (t < 20) + 0.2 * (t > 40) * (p < 0.2),
            P[:2],
            PARTLY,
        ),
    ],
)
def test_planted_accuracies_are_told_apart(chance, better, expected):
    found = steps_advice.labels(right(chance), P, AT, 0)
    low = {p: other["low"] for p, other in found["others"].items()}
    assert list(low) == ["0", "0.1", "0.2", "0.3", "0.4", "0.5"]
    assert [p for p, one in low.items() if one > 0.01] == [f"{p:g}" for p in better]
    assert all(not 20 <= other["step"] <= 30 for other in found["others"].values())
    assert verdict("20 to 30 steps for labels", {"labels": found}) == expected


def test_the_more_steps_need_to_be_better_to_be_best():
    means = torch.tensor([[1.0, 1.0 + steps_advice.TIE / 2, 0.5], [1.0, 1.1, 1.1]])
    assert steps_advice.best(means).tolist() == [0, 1]


@pytest.mark.parametrize("last", [2, 30, 100, 1000, 12_345])
def test_the_steps_looked_at_are_few_and_hold_the_first_and_the_window(last):
    at = looked_at(last)
    assert at == sorted(set(at))
    assert len(at) <= 32
    assert at[:3] == [0, 1, 2]
    assert at[-1] <= last
    assert set(range(20, 31, 2)) <= set(at) or last < 30


@pytest.mark.parametrize(
    "changes",
    [
        {"n_z": 1},
        {"beta": 1000.0},
        {"beta": 0.0},
        {"p_grid": (0.8, 1.0)},
        {"p_grid": (0.0, 0.1), "steps": 2},
        {"noise": "invert", "trials_per_p": 2},
    ],
)
def test_extreme_parameters_give_tables_figures_and_verdicts(store, monkeypatch, changes):
    monkeypatch.setenv("REPINF_MODELS", str(store))  # which has the classifier
    small = {"epochs": 2, "trials_per_p": 3, "steps": 3, "denoiser_epochs": 1} | changes
    found = how_many_steps.run(dataclasses.replace(SMALL, **small), "cpu")
    for figure in (
        *(figures.quality_by_step(found.curves, found.methods, goal) for goal in GOALS),
        figures.methods_by_noise(found.methods),
        figures.share_choice(found.shares),
    ):
        figure.savefig("/dev/null", format="png")
    cards = claims.cards(
        claims.how_many_steps.CLAIMS, found.numbers, dataclasses.asdict(found.experiment)
    )
    assert [card.judged.verdict for card in cards] == [NOT_RUN, NOT_RUN]
