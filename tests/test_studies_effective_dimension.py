"""Networks of other trainings stand beside the printed dimensions as soon as they ship."""

import dataclasses

import pandas as pd
import pytest
import references
import small
from pages import TRAIN
from sklearn.decomposition import PCA

from repinf_core.studies import effective_dimension
from repinf_core.training import shipped, store, sweep_table
from repinf_core.training.sweep_table import Outcome, failed

OWN = small.spec(epochs=2)
OTHERS = [
    dataclasses.replace(OWN, **changes)
    for changes in ({"seed": 9}, {"minibatch": 125}, {"beta": 4.0, "epochs": 3})
]
OF_OTHER_SIZE = [small.spec(epochs=2, n_z=2), small.spec(epochs=2, n_hidden=8)]


@pytest.fixture
def ship(model_store, tmp_path, monkeypatch):
    """Train specs and let them ship, for so many epochs; nothing else does."""

    def ship(*specs, until=None):
        for spec in specs:
            shipped.ship(store.train(spec, until=until), "a revision", "a machine", tmp_path)
        monkeypatch.setenv("REPINF_MODELS", str(tmp_path / "other"))

    load, manifest = shipped.load, shipped.manifest
    monkeypatch.setattr(sweep_table, "load", dict)
    monkeypatch.setattr(shipped, "manifest", lambda *_: manifest(tmp_path))
    monkeypatch.setattr(shipped, "load", lambda spec, device: load(spec, device, tmp_path))
    return ship


def tables():
    runs = [store.load_or_train(OWN)]
    others = effective_dimension.other_trainings(runs, "cpu")
    found = [
        {"active_latents": 3, "components_for_99.9_percent": 3, "components_for_70_percent": 2}
    ]
    dimensions = effective_dimension.beside_printed(runs, found, others, [], TRAIN)
    return dimensions, effective_dimension.by_epoch(runs, others)


def test_their_dimensions_are_scikit_learns(ship):
    ship(*OTHERS, *OF_OTHER_SIZE)
    dimensions, _ = tables()
    others = dimensions[dimensions.network == "ships too"]
    columns = ["beta", "seed", "minibatch", "epochs"]
    assert others[columns].to_numpy().tolist() == [[1, 3, 125, 2], [1, 9, 250, 2], [4, 3, 250, 3]]
    for spec in OTHERS:
        model = store.load_or_train(spec).model
        weights = {name: references.array(p.detach()) for name, p in model.named_parameters()}
        mu = references.encode(weights, references.array(TRAIN.images))[0]
        explained = PCA().fit(mu).explained_variance_ratio_.cumsum()
        (row,) = others[
            (others.beta == spec.beta)
            & (others.seed == spec.seed)
            & (others.minibatch == spec.minibatch)
        ].to_dict("records")
        assert row["active"] == (mu.var(0) > 0.01).sum()
        assert row["all"] == (explained >= 0.999).argmax() + 1
        assert row["most"] == (explained >= 0.7).argmax() + 1


def test_a_half_trained_network_has_its_true_number_of_epochs(ship):
    ship(OTHERS[2], until=1)
    dimensions, active = tables()
    assert dimensions[dimensions.network == "ships too"].epochs.tolist() == [1]
    assert active[~active.compared].epoch.tolist() == [1]


def test_each_training_has_a_name_and_a_row_for_each_epoch(ship):
    ship(*OTHERS)
    _, active = tables()
    # Ordered by beta, minibatch and seed.
    assert active.groupby("network", sort=False).epoch.agg(list).to_dict() == {
        "β = 1": [1, 2],
        "β = 1, minibatch 125": [1, 2],
        "β = 1, seed 9": [1, 2],
        "β = 4, 3 epochs": [1, 2, 3],
    }
    assert active[active.compared].network.unique().tolist() == ["β = 1"]


@pytest.mark.parametrize(
    ("shipping", "says"),
    [
        ([], "another seed or another minibatch or another β than this page's do not ship"),
        (OTHERS[:1], "with another minibatch or another β than this page's do not ship"),
        (OTHERS, "another seed, minibatch and β than this page's ship as well"),
    ],
)
def test_the_page_says_which_alternatives_lack(ship, shipping, says):
    ship(*shipping)
    dimensions, _ = tables()
    assert says in effective_dimension.told(dimensions)
    assert (dimensions.network == "ships too").sum() == len(shipping)


def test_of_the_grid_of_page_08_the_longest_trainings_count_if_they_learned(ship, monkeypatch):
    ship()

    def cell(rate, minibatch, epochs):
        return small.spec(learning_rates=(rate,), minibatch=minibatch, epochs=epochs)

    table = {
        cell(0.001, 50, 100): Outcome(101.0, 102.0, 24, 1.0),
        cell(0.001, 50, 4): Outcome(111.0, 112.0, 67, 1.0),
        cell(0.01, 50, 100): Outcome(2800.0, 2900.0, 88, 1.0),
        cell(0.01, 50, 4): Outcome(227.0, 228.0, 100, 1.0),
        cell(0.1, 50, 100): failed("TrainingDiverged: no number"),
        small.spec(n_hidden=8, epochs=100): Outcome(90.0, 91.0, 5, 1.0),
    }
    monkeypatch.setattr(sweep_table, "load", lambda: table)
    dimensions, _ = tables()
    (row,) = dimensions[dimensions.network == "of page 08"].to_dict("records")
    assert (row["rates"], row["minibatch"], row["epochs"], row["active"]) == ("0.001", 50, 100, 24)
    assert pd.isna([row["all"], row["most"]]).all()
    assert "keeps no weights" in effective_dimension.told(dimensions)
