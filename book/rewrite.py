"""An executed page as it is rendered: in another form than in Jupyter, saying the same."""

import copy
import re
from collections.abc import Callable

import nbformat
from nbformat import NotebookNode

_FINDING = "shown.finding()"  # the cell that shows a page's result in words
_FOLDED = {"hide-cell", "hide-input", "remove-input", "remove-cell"}


def with_folds(notebook: NotebookNode) -> NotebookNode:
    """A page with all its code folded, parameters too; in Jupyter and Colab it stays open."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code" and not _FOLDED & set(tags):
            cell.metadata["tags"] = [*tags, "hide-input"]
    return notebook


def with_result_first(notebook: NotebookNode) -> NotebookNode:
    """A page that opens with its finding and its first figure or movie.

    What made them, parameters and set-up, comes next.  A page without a finding stays as it is.
    """
    cells = copy.deepcopy(notebook.cells)
    of_finding = [i for i, cell in enumerate(cells) if cell.source == _FINDING]
    if not of_finding:
        return notebook
    first = last = of_finding[0]
    cells[first].metadata["tags"] = ["remove-input"]  # a line of code that says nothing
    if (shown := _first_shown(cells, first)) is not None:
        last = shown
    notebook = copy.deepcopy(notebook)
    notebook.cells = [cells[0], *cells[first : last + 1], *cells[1:first], *cells[last + 1 :]]
    return notebook


def _first_shown(cells: list[NotebookNode], start: int) -> int | None:
    """Where the first figure or movie after a cell is, if no Markdown stands before it."""
    for i, cell in enumerate(cells[start + 1 :], start + 1):
        if cell.cell_type != "code":
            return None
        outputs = [output.get("data", {}) for output in cell.get("outputs", ())]
        if any("image/png" in data or "<video" in data.get("text/html", "") for data in outputs):
            return i
    return None


def with_links(notebook: NotebookNode, prefix: str, names: list[str]) -> NotebookNode:
    """A page with links to pages of this book only, of those with its own prefix first.

    A page on Fashion-MNIST then leads to others on it.
    """
    return _with_markdown(notebook, lambda text: links_in(text, names, prefix))


def links_in(text: str, names: list[str], prefix: str = "") -> str:
    """Markdown whose links to pages that are not in this book became plain text.

    Args:
        text: links are those to ``NAME.ipynb`` beside it or in the folder above.
        names: of the pages in this book.
        prefix: of names that go before the one without it.
    """

    def link(found: re.Match) -> str:
        shown, folder, name = found.groups()
        target = prefix + name if prefix + name in names else name
        return f"[{shown}]({folder}{target}.ipynb)" if target in names else shown

    return re.sub(r"\[([^][]+)\]\(((?:\.\./)?)(\w+)\.ipynb\)", link, text)


def with_title(notebook: NotebookNode, title: str) -> NotebookNode:
    """A page with another heading of the first level."""
    notebook = copy.deepcopy(notebook)
    first = notebook.cells[0]
    first.source = re.sub(r"^# .*", f"# {title}", first.source, count=1)
    return notebook


def with_own_labels(notebook: NotebookNode, name: str) -> NotebookNode:
    """A page with the page's name in all labels of figures and equations."""

    def own(text: str) -> str:
        return re.sub(r"\b(fig|eq)-(?=[a-z])", rf"\1-{name.replace('_', '-')}-", text)

    notebook = _with_markdown(notebook, own)
    for figure in _figures(notebook):
        if "name" in figure:
            figure.name = own(figure.name)
    return notebook


def with_one_caption(notebook: NotebookNode) -> NotebookNode:
    """A page whose figures have their caption once: myst-nb gives it to every output of a cell.

    What a cell puts out besides its figure, links to the data say, goes to a cell of its own, which
    has a source because myst-nb leaves out a cell without one.
    """
    notebook = copy.deepcopy(notebook)
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        if not cell.metadata.get("mystnb", {}).get("figure"):
            continue
        others = [output for output in cell.outputs if "image/png" not in output.get("data", {})]
        if others:
            cell.outputs = [output for output in cell.outputs if output not in others]
            metadata = {"tags": ["remove-input"]}
            cells.append(nbformat.v4.new_code_cell("# data", outputs=others, metadata=metadata))
    notebook.cells = cells
    return notebook


def _with_markdown(notebook: NotebookNode, rewrite: Callable[[str], str]) -> NotebookNode:
    """A page with all its Markdown rewritten: of cells, of outputs and of figures' captions.

    Code and other outputs stay as they were executed.
    """
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = rewrite(cell.source)
        for output in cell.get("outputs", ()):
            if "text/markdown" in output.get("data", {}):
                output.data["text/markdown"] = rewrite(output.data["text/markdown"])
    for figure in _figures(notebook):
        if "caption" in figure:
            figure.caption = rewrite(figure.caption)
    return notebook


def _figures(notebook: NotebookNode) -> list[NotebookNode]:
    """What the metadata of cells say about the figures that these put out."""
    found = (cell.metadata.get("mystnb", {}).get("figure") for cell in notebook.cells)
    return [figure for figure in found if figure]
