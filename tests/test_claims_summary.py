"""The page of claims counts what was judged, those at the paper's settings apart."""

import copy

import pytest
from test_claims import PAPER, write

from repinf_core import claims, profiles
from repinf_core.claims import NOT_RUN, REPRODUCED, summary

EXPERIMENT = profiles.PROFILES["paper"]


def summed_up(folder, ran=None):
    return summary.run(EXPERIMENT, "paper", ran, folder)


def test_all_that_the_paper_says_is_reproduced_at_its_settings(tmp_path):
    write(tmp_path, PAPER)
    study = summed_up(tmp_path)
    assert study.numbers["counts"] == {REPRODUCED: len(claims.CLAIMS)}
    (row,) = study.counts.itertuples(index=False)
    assert row == (summary.STATED, REPRODUCED, len(claims.CLAIMS))
    assert "other settings" not in study.finding
    assert "not run" not in study.finding


def test_what_was_judged_at_other_settings_is_never_in_the_count_at_the_papers(tmp_path):
    short = copy.deepcopy(PAPER)
    short["06_label_detection"]["epochs_trained"] = 500
    write(tmp_path, short)
    study = summed_up(tmp_path, PAPER.keys() - {"09_fashion_mnist"})
    of_detection = study.verdicts[study.verdicts.chapter == "Label detection"]
    others = int((of_detection.settings == summary.OTHER).sum())
    assert 0 < others < len(of_detection)  # the classifier's accuracy does not depend on epochs
    stated = len(claims.CLAIMS) - others - 1
    assert study.finding == (
        f"Of {len(claims.CLAIMS)} claims of the paper: {stated} at the settings that the paper "
        f"states ({stated} reproduced); {others} at other settings ({others} reproduced); "
        f"1 not run."
    )
    score = study.score.splitlines()
    (line,) = [line for line in score if "Label detection" in line]
    assert line == (
        f"- [Label detection](06_label_detection.ipynb): {len(of_detection) - others} reproduced; "
        f"at other settings {others} reproduced"
    )
    assert "- Fashion-MNIST: 1 not run" in score  # and no link to a page that is not there
    marked = study.verdicts[study.verdicts.settings == summary.OTHER]
    assert marked.settings_in_words.str.contains("epochs 500").all()
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
