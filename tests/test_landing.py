"""The front page shows what the pages of its own book found, and nothing of another edition."""

import base64
import io

import landing
import nbformat
import pytest
from PIL import Image


@pytest.fixture
def source(tmp_path):
    movies = tmp_path / "_static" / "movies"
    movies.mkdir(parents=True)
    for label in range(10):
        (movies / f"03_collective_dynamics_{label}.mp4").touch()
    return tmp_path


def page(title, finding, numbers=None):
    file = io.BytesIO()
    Image.new("RGB", (1000, 3000), "white").save(file, "png")
    image = {"image/png": base64.b64encode(file.getvalue()).decode()}
    cells = [
        nbformat.v4.new_markdown_cell(f"# {title}\n\nWhat is asked."),
        nbformat.v4.new_code_cell("", outputs=[nbformat.v4.new_output("display_data", image)]),
    ]
    return nbformat.v4.new_notebook(cells=cells), {"finding": finding, "results": numbers or {}}


def test_a_movie_of_another_edition_is_not_shown(source):
    landing.write(source, {"04_cluster_centers": page("Centres", "It is near.")})
    assert (source / "movie.md").read_text() == ""
    landing.write(source, {"03_collective_dynamics": page("Dynamics", "They move.")})
    assert "03_collective_dynamics_6.mp4" in (source / "movie.md").read_text()


def test_each_page_has_a_card_with_its_finding_and_a_small_picture(source):
    pages = {"04_cluster_centers": page("Centres", "It is near."), "01_model": page("Model", "Ok.")}
    landing.write(source, pages)
    found = (source / "found.md").read_text()
    for name, title, finding in (
        ("04_cluster_centers", "Centres", "It is near."),
        ("01_model", "Model", "Ok."),
    ):
        assert f"{{grid-item-card}} {title}\n:link: {name}\n" in found
        assert finding in found
        with Image.open(source / "_static" / "cards" / f"{name}.png") as picture:
            width, height = picture.size
        assert width <= 640
        assert height < width


def test_the_main_figure_is_shown_whole(source):
    landing.write(source, {"04_cluster_centers": page("Centres", "It is near.")})
    assert "{figure} _static/main_figure.png\n" in (source / "found.md").read_text()
    with Image.open(source / "_static" / "main_figure.png") as picture:
        assert picture.size == (1000, 3000)


def test_the_front_page_of_a_book_without_the_main_figures_page_shows_none(source):
    landing.write(source, {"01_model": page("Model", "Ok.")})
    assert "{figure}" not in (source / "found.md").read_text()


def test_the_score_is_the_finding_of_the_claims_which_counts_other_settings_apart(source):
    finding = "Of 3 claims: 1 at the settings of the paper; 2 at other settings."
    landing.write(source, {"11_claims": page("Claims", finding, {"counts": {"partly": 3}})})
    assert (source / "score.md").read_text() == f"{finding} ([](./11_claims.ipynb))\n"


def test_the_score_goes_on_with_the_likely_network_where_claims_were_judged_on_both(source):
    for on_both, told in (("On both: 1 and 2.", " On both: 1 and 2."), ("", "")):
        landing.write(source, {"11_claims": page("Claims", "Of 3 claims.", {"on_both": on_both})})
        assert (source / "score.md").read_text() == f"Of 3 claims.{told} ([](./11_claims.ipynb))\n"
