"""The last step of the build: what a page says stays, and what its readers lacked is there."""

import nbformat
import pytest
import rewrite
from bs4 import BeautifulSoup
from check import problems
from finish import finished, plain

# As jupyter-book leaves a page, as far as it matters here.
RAW = """<!DOCTYPE html>
<html lang="en"><head><title>The page</title>
<link rel="icon" href="i.png"/>
<link rel="stylesheet" href="i.png?sphinx-thebe.css"/>
<script>const THEBE_JS_URL = "https://unpkg.com/thebe";</script>
<script defer src="m.js?v=1"></script>
<script>DOCUMENTATION_OPTIONS.pagename = 'a' && "b < c";</script>
<script src="m.js?v=1"></script>
</head><body>
<dialog id="pst-primary-sidebar-modal"></dialog>
<div id="pst-primary-sidebar"><a href="#here">title</a></div>
<main><button class="primary-toggle" title="Toggle"></button>
<button class="secondary-toggle" title="Toggle"></button>
<article><h1 id="here">The page<a class="headerlink" href="#here">#</a></h1>
<p><a href="#here"><img alt="Open in Colab" src="i.png"/></a></p>
<p>What was asked of <span class="math">\\(N_z\\)</span> latent variables.</p>
<div class="cell tag_parameters"><details class="hide above-input">
<summary aria-label="Toggle hidden content"><p>Show code cell source</p></summary>
<div class="cell_input"><pre>a = 1
  b &lt; 2</pre></div></details></div>
<div class="cell"><details class="hide above-input">
<summary aria-label="Toggle hidden content"><p>Show code cell source</p></summary>
<div class="cell_input"><pre>c</pre></div></details>
<details class="hide below-input">
<summary aria-label="Toggle hidden content"><p>Show code cell output</p></summary>
<table><thead><tr><th></th><th>x</th></tr></thead>
<tbody><tr><th>row</th><td>1</td></tr></tbody></table></details></div>
<div class="pst-scrollable-table-container"><table><tr><td>2</td></tr></table></div>
<figure><video src="i.png" controls poster="i.png" aria-label="dots that move"></video>
<figcaption>dots that move</figcaption></figure>
</article></main></body></html>"""


@pytest.fixture
def page():
    return BeautifulSoup(finished(RAW, "It is $\\beta = 2$."), "html.parser")


def sound(folder, text):
    (folder / "i.png").write_bytes(b"")
    (folder / "m.js").write_bytes(b"")
    (folder / "index.html").write_text(text)
    return [line for line in problems(folder) if "cannot be decoded" not in line]


def test_a_page_as_jupyter_book_leaves_it_has_problems_and_none_when_finished(tmp_path):
    assert len(sound(tmp_path, RAW)) >= 8
    assert sound(tmp_path, finished(RAW)) == []


def test_what_a_page_says_stays(page):
    raw = BeautifulSoup(RAW, "html.parser")
    for soup in (raw, page):
        for prompt in soup.select("summary"):
            prompt.decompose()
    assert page.article.get_text().split() == raw.article.get_text().split()
    assert page.pre.string == "a = 1\n  b < 2"


def test_every_script_runs_once_and_none_is_for_a_server(page):
    scripts = [script.get("src") or script.string for script in page.select("script")]
    assert scripts == ["m.js?v=1", "DOCUMENTATION_OPTIONS.pagename = 'a' && \"b < c\";"]
    assert page.script.has_attr("defer")  # the first, which waits for its configuration
    assert "thebe" not in str(page).lower()


def test_a_fold_shows_what_it_holds_and_is_read_as_it_shows(page):
    summaries = page.select("summary")
    shown = [summary.get_text(strip=True) for summary in summaries]
    assert shown == ["Parameters of this page", "Code", "Output"]
    assert not any(summary.has_attr("aria-label") for summary in summaries)


def test_a_table_is_one_for_a_screen_reader_and_scrolls_by_keyboard(page):
    for table in page.select("table"):
        assert table["role"] == "table"
        box = table.parent
        assert (box["tabindex"], box["aria-label"]) == ("0", "Table: The page")
    first = page.table
    roles = [cell["role"] for cell in first.select("th, td")]
    assert roles == ["cell", "columnheader", "rowheader", "cell"]  # an empty header is none
    assert all(row["role"] == "row" for row in page.select("tr"))


def test_each_cell_of_the_claims_has_the_name_of_its_column():
    claims = """<div class="cell tag_claims"><table>
<thead><tr><td></td><th>claim</th><th>the paper</th><th>trained anew</th></tr></thead>
<tbody><tr><td>1</td><td>it approaches</td><td>10</td><td>9</td></tr>
<tr><td>2</td><td>it settles</td><td>yes</td><td>no</td></tr></tbody></table></div></article>"""
    page = BeautifulSoup(finished(RAW.replace("</article>", claims)), "html.parser")
    for row in page.select(".tag_claims tbody tr"):
        names = [cell["data-column"] for cell in row.select("td")]
        assert names == ["", "Claim", "The paper", "Trained anew"]
    assert len(page.select("[data-column]")) == 8  # no other table needs them


def test_a_page_tells_what_it_found_and_shows_its_first_picture(page):
    meta = {m.get("name", m.get("property")): m["content"] for m in page.select("meta")}
    assert meta["description"] == meta["og:description"] == "It is β = 2."
    assert meta["og:title"] == "The page"
    assert meta["og:image"] == "i.png"
    of_prose = BeautifulSoup(finished(RAW), "html.parser").select_one("meta[name=description]")
    assert of_prose["content"] == "What was asked of N_z latent variables."


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("On *MNIST* with $N_z = 100$, **no**.", "On MNIST with N_z = 100, no."),
        (r"$\lVert C - I \rVert_F$ falls, $\beta\times\bar\xi$", "‖ C - I ‖_F falls, β×ξ"),
        ("see [the page](01_a.ipynb) of `p`", "see the page of p"),
    ],
)
def test_a_finding_as_plain_text(markdown, text):
    assert plain(markdown) == text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("<main>", '<header><button class="primary-toggle"></button></header><main>', "two button"),
        ("<main>", '<main><button class="secondary-toggle"></button>', "two buttons"),
        ('tabindex="0"', "", "keyboard"),
        ("<summary>", '<summary aria-label="Toggle">', "read aloud"),
        ("<article>", '<article><div class="cell_input"></div>', "not folded"),
        ('class="poster"', "", "paper"),
        ('role="complementary"', "", "landmark"),
        ('rel="icon"', 'rel="other"', "icon"),
        ("<td", "<th></th><td", "empty header"),
        ("<main>", '<script src="m.js"></script><main>', "twice"),
        ('name="description"', "", "no description"),
        ('property="og:title"', "", "no og:title"),
        ('<meta content="i.png"', '<meta content="lost.png"', "lost.png does not exist"),
    ],
)
def test_what_hinders_a_reader_is_found(tmp_path, old, new, said):
    page = finished(RAW)
    assert old in page
    (line,) = sound(tmp_path, page.replace(old, new, 1))
    assert said in line


def test_all_code_of_a_page_is_folded_and_the_notebook_is_not_changed():
    tags = [["parameters"], ["hide-cell"], ["hide-input"], ["hide-output"], []]
    cells = [nbformat.v4.new_code_cell("1", metadata={"tags": tag} if tag else {}) for tag in tags]
    notebook = nbformat.v4.new_notebook(cells=[*cells, nbformat.v4.new_markdown_cell("prose")])
    before = nbformat.writes(notebook)
    found = [cell.metadata.get("tags") for cell in rewrite.with_folds(notebook).cells]
    assert found == [
        ["parameters", "hide-input"],
        ["hide-cell"],
        ["hide-input"],
        ["hide-output", "hide-input"],
        ["hide-input"],
        None,
    ]
    assert nbformat.writes(notebook) == before


def test_a_page_opens_with_its_finding_and_its_first_figure():
    image = nbformat.v4.new_output("display_data", {"image/png": "aGk="})
    cells = [
        nbformat.v4.new_markdown_cell("# Title"),
        nbformat.v4.new_code_cell("n_z = 7"),
        nbformat.v4.new_code_cell("shown.finding()"),
        nbformat.v4.new_code_cell("films = 1"),
        nbformat.v4.new_code_cell("shown.figure()", outputs=[image]),
        nbformat.v4.new_markdown_cell("Text"),
        nbformat.v4.new_code_cell("shown.figure(2)", outputs=[image]),
    ]

    def order(cells):
        page = rewrite.with_result_first(nbformat.v4.new_notebook(cells=cells))
        return [cell.source for cell in page.cells]

    first, parameters, finding, films, figure, text, second = (cell.source for cell in cells)
    assert order(cells) == [first, finding, films, figure, parameters, text, second]
    without_figure = [cells[0], cells[1], cells[2], cells[5], cells[6]]
    assert order(without_figure) == [first, finding, parameters, text, second]
    assert order(cells[3:]) == [films, figure, text, second]  # no finding: as it is


def test_a_text_that_says_nothing_is_not_shown():
    outputs = [
        nbformat.v4.new_output("display_data", {"text/markdown": text, "text/plain": "<an object>"})
        for text in ("", "It moves.")
    ]
    outputs.append(nbformat.v4.new_output("display_data", {"text/plain": ""}))
    cell = nbformat.v4.new_code_cell("display(text)", outputs=outputs)
    page = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Title"), cell])
    assert rewrite.without_empty_texts(page).cells[1].outputs == outputs[1:]
    assert cell.outputs == outputs


def test_what_is_beside_a_figure_has_no_caption():
    image = nbformat.v4.new_output("display_data", {"image/png": "aGk="})
    link = nbformat.v4.new_output("display_data", {"text/html": "<a>curves.csv</a>"})
    figure = {"mystnb": {"figure": {"caption": "Curves."}}}
    cell = nbformat.v4.new_code_cell("shown.figure()", outputs=[image, link], metadata=figure)
    page = rewrite.with_one_caption(nbformat.v4.new_notebook(cells=[cell]))
    captioned, other = page.cells
    assert (captioned.outputs, other.outputs) == ([image], [link])
    assert "mystnb" not in other.metadata
    assert other.source  # myst-nb leaves out a cell without one
