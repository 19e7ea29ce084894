"""Runs that train together become what each becomes alone."""

import gc
import weakref

import pytest
import small

from repinf_core.models.mlp import VAE
from repinf_core.training import paths
from repinf_core.training.fast.ensemble import Ensemble
from repinf_core.training.fast.hand_written import HandWritten
from repinf_core.training.fit import TrainingDiverged, fit_together
from repinf_core.training.run import TrainingRun

# The widest is not the first; the rates and seeds differ, and 600 images leave a smaller minibatch.
SPECS = [
    small.spec(n_z=2, learning_rates=(1e-2, 1e-3)),
    small.spec(n_z=5, learning_rates=(3e-3, 1e-3), seed=4),
    small.spec(n_z=3, learning_rates=(1e-3,), seed=5),
]
IMAGES = small.digits(600)


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch):
    """The path of a GPU takes the trainings of several runs here too."""

    class Path(Ensemble):
        def __new__(cls, runs, train):
            made = Ensemble if len(runs) > 1 else HandWritten
            return made(runs, train)

    monkeypatch.setattr(paths, "PATHS", {(VAE, "cpu"): Path})


def together(runs, epochs):
    found = fit_together(runs, IMAGES, IMAGES)
    return [next(found) for _ in range(epochs)]


def assert_same(run, alone, relative):
    """Up to the order of sums; Adam's first steps are of full size whatever the gradient's."""
    found, expected = small.vector(run), small.vector(alone)
    moved = expected - small.vector(TrainingRun(alone.spec))
    assert float((found - expected).norm()) <= relative * float(moved.norm())
    for record, of_alone in zip(run.history, alone.history, strict=True):
        assert record.train["negative_elbo"] == pytest.approx(
            of_alone.train["negative_elbo"], rel=1e-3
        )
        assert record.test["negative_elbo"] == pytest.approx(
            of_alone.test["negative_elbo"], rel=1e-3
        )
        assert record.learning_rate == of_alone.learning_rate


@pytest.mark.parametrize(("precision", "relative"), [("float32", 1e-3), ("bfloat16", 0.1)])
def test_each_run_is_trained_as_it_would_be_alone(precision, relative):
    specs = [small.spec(**{**vars(spec), "precision": precision}) for spec in SPECS]
    runs, alone = [TrainingRun(s) for s in specs], [TrainingRun(s) for s in specs]
    together(runs, 4)
    for run, single in zip(runs, alone, strict=True):
        small.run_epochs(single, 4, IMAGES)
        assert_same(run, single, relative)
        assert small.bits(run.generator.get_state()) == small.bits(single.generator.get_state())


def test_what_stopped_goes_on_together_or_alone(tmp_path):
    whole = [TrainingRun(spec) for spec in SPECS]
    together(whole, 4)
    runs = [TrainingRun(spec) for spec in SPECS]
    together(runs, 2)
    resumed = []
    for run in runs:
        path = tmp_path / f"{run.spec.name}.safetensors"
        run.state().save(path)
        resumed.append(TrainingRun.load(path, run.spec))
    together(resumed, 2)
    for run, other in zip(resumed, whole, strict=True):
        assert small.bits(small.vector(run)) == small.bits(small.vector(other))
    small.run_epochs(runs[1], 2, IMAGES)
    assert_same(runs[1], whole[1], 1e-3)


def test_one_that_diverges_ends_and_changes_nothing_of_the_others():
    specs = [SPECS[0], small.spec(learning_rates=(1e30,)), SPECS[2]]
    runs, others = [TrainingRun(s) for s in specs], [TrainingRun(s) for s in (SPECS[0], SPECS[2])]
    first, *later = together(runs, 4)
    assert isinstance(first[1][1], TrainingDiverged)
    assert all([run for run, _ in outcomes] == [runs[0], runs[2]] for outcomes in later)
    assert [run.epoch for run in runs] == [4, 0, 4]
    together(others, 4)
    for run, other in zip((runs[0], runs[2]), others, strict=True):
        assert_same(run, other, 1e-3)


def test_latents_that_a_run_does_not_have_stay_zero():
    runs = [TrainingRun(spec) for spec in SPECS]
    made = Ensemble(runs, IMAGES)
    made.epoch([1e-3] * len(runs))
    for row, place, run in zip(made._flat.vector, made._places, runs, strict=True):
        assert int(place.sum()) == small.vector(run).numel()
        assert not row[~place].any()


def test_an_ensemble_is_freed_with_its_last_name():
    """With what it holds on a GPU, before the next one is made."""
    made = Ensemble([TrainingRun(spec) for spec in SPECS], IMAGES)
    made.epoch([1e-3] * len(SPECS))
    gone = weakref.ref(made)
    gc.disable()
    try:
        del made
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "change", [{"minibatch": 50}, {"beta": 2.0}, {"n_samples": 1}, {"precision": "bfloat16"}]
)
def test_runs_of_other_objectives_do_not_train_together(change):
    runs = [TrainingRun(small.SPEC), TrainingRun(small.spec(**change))]
    with pytest.raises(ValueError, match=r"^Runs that train together share n_hidden"):
        Ensemble(runs, IMAGES)
