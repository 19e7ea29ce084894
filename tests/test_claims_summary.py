"""The page of claims counts what was judged, those at the paper's settings apart."""

import copy
import json

import pandas as pd
import pytest
import yaml
from test_claims import CLUSTER, PAPER, PARAMETERS, ROOT, write

from repinf_core import claims, profiles
from repinf_core.claims import NOT_RUN, REPRODUCED, judging, summary, tally

EXPERIMENT = profiles.PROFILES["paper"]
COMPANIONS = {"VAE near 25 dB", "smooth manifold", "reported ranks", "turning subspaces"}
BEYOND = {"longer first step", "better than -ELBO", "denoising helps", "ties", "belongs to the VAE"}
OF_PAPER = len(claims.CLAIMS) - len(COMPANIONS) - len(BEYOND)


def summed_up(folder, ran=None):
    return summary.run(EXPERIMENT, "paper", ran, folder)


def test_all_that_the_paper_says_is_reproduced_at_its_settings(tmp_path):
    write(tmp_path, PAPER)
    study = summed_up(tmp_path)
    assert study.numbers["counts"] == {REPRODUCED: len(claims.CLAIMS)}
    assert [*study.counts.itertuples(index=False, name=None)] == [
        (judging.PAPERS_OWN, tally.STATED, REPRODUCED, OF_PAPER),
        (judging.COMPANIONS, tally.STATED, REPRODUCED, len(COMPANIONS)),
        (judging.BOOKS_OWN, tally.STATED, REPRODUCED, len(BEYOND)),
    ]
    assert {*study.verdicts.name[study.verdicts.source == judging.COMPANIONS]} == COMPANIONS
    assert {*study.verdicts.name[study.verdicts.source == judging.BOOKS_OWN]} == BEYOND
    assert "other settings" not in study.finding
    assert "not run" not in study.finding


def test_what_was_judged_at_other_settings_is_never_in_the_count_at_the_papers(tmp_path):
    short = copy.deepcopy(PAPER)
    short["07_latent_dimension"]["grid_epochs_trained"] = 500
    write(tmp_path, short)
    study = summed_up(tmp_path, PAPER.keys() - {"09_fashion_mnist"})
    of_dimension = study.verdicts[study.verdicts.chapter == "Latent dimension"]
    others = int((of_dimension.settings == tally.OTHER).sum())
    assert 0 < others < len(of_dimension)  # Fig. 7 has a network of its own
    stated = OF_PAPER - others - 1
    at_the_papers = len(of_dimension) - others
    companions, beyond = len(COMPANIONS), len(BEYOND)
    assert study.finding == (
        f"Of {OF_PAPER} claims of the paper: {stated} at the settings that the paper states "
        f"({stated} reproduced); {others} at other settings ({others} reproduced); 1 not run. Of "
        f"{companions} claims of the companion: {companions} at the settings that are known "
        f"({companions} reproduced). Of {beyond} claims beyond the paper: {beyond} at the settings "
        f"that the paper states ({beyond} reproduced)."
    )
    score = study.score.splitlines()
    (line,) = [line for line in score if "Latent dimension" in line]
    assert line == (
        f"- [Latent dimension](07_latent_dimension.ipynb): {at_the_papers} reproduced; "
        f"at other settings {others} reproduced"
    )
    assert "- Fashion-MNIST: 1 not run" in score  # and no link to a page that is not there
    marked = study.verdicts[study.verdicts.settings == tally.OTHER]
    table = study.side_by_side(*tally.SOURCES)
    cells = table[table.settings == tally.OTHER]["the text's network"]
    assert cells.str.startswith("reproduced, at other settings: ").all()
    assert marked.settings_in_words.str.contains("grid_epochs 500 of the shortest").all()
    assert study.verdicts.settings_in_words.dropna().str.contains("Not stated").all()


def test_every_claim_has_its_row_its_card_and_its_chapter(tmp_path):
    write(tmp_path, PAPER)
    study = summed_up(tmp_path)
    names = [claim.name for claim in claims.CLAIMS]
    assert list(study.verdicts.name) == names
    assert study.verdicts.number.tolist() == list(range(1, len(names) + 1))
    assert [card.judged.claim.name for card in study.cards] == names
    assert [one["name"] for one in study.numbers["claims"]] == names
    assert {*study.numbers["claims"][0]} == {"name", "page", "ours", "verdict"}
    assert study.counts.claims.sum() == len(names)
    assert len(study.score.splitlines()) == study.verdicts.chapter.nunique()


def test_chapters_follow_one_another_as_in_the_book():
    pages = [chapter[0].page for chapter in claims.CHAPTERS.values()]
    assert pages == sorted(pages)


@pytest.mark.parametrize("written", [{}, {"09_fashion_mnist": {"datasets": {"mnist": {}}}}])
def test_where_nothing_can_be_judged_the_finding_says_what_to_run(tmp_path, written):
    write(tmp_path, written)
    study = summed_up(tmp_path)
    assert set(study.verdicts.verdict) == {NOT_RUN}
    assert "Run the pages" in study.finding
    assert "](" not in study.score


def of_labels(whole_chord, same_time):
    """Results of page 04 in which so many labels approach by the two readings."""
    counts = {
        "labels_approaching_whole_chord": whole_chord,
        "labels_approaching_same_time": same_time,
    }
    return CLUSTER | counts


def write_page(folder, page, numbers, **parameters):
    contents = {"profile": "paper", "results": numbers, "parameters": PARAMETERS | parameters}
    (folder / f"{page}.json").write_text(json.dumps(contents))


@pytest.fixture
def four_networks(tmp_path):
    write(tmp_path, PAPER)
    write_page(tmp_path, "anew_04_cluster_centers", of_labels(10, 4), seed=1)
    write_page(tmp_path, "likely_04_cluster_centers", of_labels(3, 10), beta=2.0)
    fashion = {"dataset": "fashion_mnist"}
    write_page(tmp_path, "fashion_04_cluster_centers", of_labels(4, 4), **fashion)
    return tmp_path


def test_the_networks_stand_side_by_side(four_networks):
    study = summed_up(four_networks)
    at = study.side_by_side(*tally.SOURCES).set_index("name")
    text, likely, fashion = "the text's network", "the likely network", "Fashion-MNIST"
    assert at[text]["approach"].startswith("reproduced: 10 of 10 labels below the whole chord")
    assert at["trained anew"]["approach"].startswith(
        "partly: 10 of 10 labels below the whole chord"
    )
    assert at[likely]["approach"].startswith("partly: 3 of 10 labels below the whole chord")
    assert at[fashion]["approach"].startswith("not reproduced: 4 of 10 labels")
    assert [*at.loc["two branches", [likely, fashion]]] == ["not run", "not run"]
    assert [*at.loc["saddle", [likely, fashion]]] == ["not run", "not run"]
    # The book asks how many steps of the likely network nowhere, and generalization on MNIST only.
    assert pd.isna(at[likely]["more steps with more noise"])
    assert at[fashion]["more steps with more noise"] == "not run"
    assert at.loc["generalization", [likely, fashion]].isna().all()
    assert at.index.tolist() == [claim.name for claim in claims.CLAIMS]
    columns = study.columns(judging.PAPERS_OWN, judging.BOOKS_OWN)
    shown = [columns[network][0] for network in (text, likely, fashion)]
    assert shown == [text, likely, fashion]
    assert {*columns} <= {*at.reset_index()}


def test_other_networks_change_neither_the_score_nor_the_cards(four_networks, tmp_path_factory):
    alone = tmp_path_factory.mktemp("alone")
    write(alone, PAPER)
    both = summed_up(four_networks), summed_up(alone)
    for one, other in zip(*(study.cards for study in both), strict=True):
        assert str(one) == str(other)
    assert both[0].finding == both[1].finding
    assert both[0].score == both[1].score
    for part in ("claims", "counts"):
        assert both[0].numbers[part] == both[1].numbers[part]


def test_claims_judged_on_the_texts_and_on_the_likely_network_are_counted(four_networks):
    """Page 04's four: reproduced on the one; on the other its approach is partly, by 3 and 10."""
    sentence = summed_up(four_networks).numbers["on_both"]
    assert "Of the 4 claims judged both on the text's network and on the likely network" in sentence
    assert "beta = 2" in sentence
    assert sentence.endswith(": 4 and 3 reproduced, 0 and 1 partly, 0 and 0 not reproduced.")


def test_where_no_page_of_another_network_ran_nothing_is_counted(tmp_path):
    write(tmp_path, PAPER)
    study = summed_up(tmp_path)
    assert study.numbers["on_both"] == study.anew == ""


def test_verdicts_that_turn_with_the_initial_weights_are_named(four_networks):
    assert summed_up(four_networks).anew == (
        "Of the 4 claims judged both on the text's network and on the same network trained anew, "
        "3 have the same verdict. Not so: *approach* (reproduced, then partly)."
    )
    write_page(four_networks, "anew_04_cluster_centers", CLUSTER, seed=1)
    assert summed_up(four_networks).anew.endswith(", 4 have the same verdict.")


@pytest.mark.parametrize("changes", [{"profile": "quick"}, {"parameters": PARAMETERS}, {}])
def test_an_edition_without_other_networks_shows_its_own_alone(tmp_path, changes):
    """As where their results are of another profile, of another data set, or not of this run."""
    write(tmp_path, PAPER)
    page = "fashion_04_cluster_centers"
    write_page(tmp_path, page, CLUSTER, dataset="fashion_mnist")
    found = json.loads((tmp_path / f"{page}.json").read_text())
    (tmp_path / f"{page}.json").write_text(json.dumps(found | changes))
    study = summed_up(tmp_path, None if changes else PAPER)
    assert {*study.networks.network} == {"the text's network"}
    assert len(study.side_by_side(*tally.SOURCES)) == len(claims.CLAIMS)
    assert [heading for heading, _ in study.columns(judging.PAPERS_OWN).values()] == [
        *("", "claim", "the paper", "here")
    ]


def test_the_other_networks_are_those_of_the_book():
    pages = yaml.safe_load((ROOT / "book" / "pages.yml").read_text())
    own = {claim.page for claim in claims.CLAIMS}
    reads = set(own)
    for other in summary.OTHERS:
        has = {page for page in own if other.prefix + page in pages}
        assert has == set(other.pages)
        reads |= {other.prefix + page for page in has}
        for page in has:
            assert pages[other.prefix + page]["parameters"] == other.settings
    assert set(pages["11_claims"]["reads"]) == reads
