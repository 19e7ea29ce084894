"""Rewrite an executed page for the rendered book: another form, the same content."""

import copy
import re
from collections.abc import Callable

import address
import nbformat
from nbformat import NotebookNode

_FINDING = "shown.finding()"  # the cell that shows a page's result in words
_FOLDED = {"hide-cell", "hide-input", "remove-input", "remove-cell"}


def with_folds(notebook: NotebookNode) -> NotebookNode:
    """A page with all its code folded, also the parameters; in Jupyter and Colab it stays open."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code" and not _FOLDED & set(tags):
            cell.metadata["tags"] = [*tags, "hide-input"]
    return notebook


def without_empty_texts(notebook: NotebookNode) -> NotebookNode:
    """A page without empty Markdown among its outputs.

    Jupyter shows nothing in its place, myst-nb the name of the object.
    """
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [
                output
                for output in cell.outputs
                if output.get("data", {}).get("text/markdown") != ""
            ]
    return notebook


def with_result_first(notebook: NotebookNode) -> NotebookNode:
    """A page that opens with its finding and its first figure or movie.

    The parameters and the set-up come next.  A page without a finding stays as it is.
    """
    cells = copy.deepcopy(notebook.cells)
    of_finding = [i for i, cell in enumerate(cells) if cell.source == _FINDING]
    if not of_finding:
        return notebook
    first = last = of_finding[0]
    cells[first].metadata["tags"] = ["remove-input"]  # its one line of code tells a reader nothing
    if (shown := _first_shown(cells, first)) is not None:
        last = shown
    notebook = copy.deepcopy(notebook)
    notebook.cells = [cells[0], *cells[first : last + 1], *cells[1:first], *cells[last + 1 :]]
    return notebook


def _first_shown(cells: list[NotebookNode], start: int) -> int | None:
    """Index of the first cell after ``start`` that shows a figure or a movie.

    None if there is none, or if Markdown comes first.
    """
    for i, cell in enumerate(cells[start + 1 :], start + 1):
        if cell.cell_type != "code":
            return None
        outputs = [output.get("data", {}) for output in cell.get("outputs", ())]
        if any("image/png" in data or "<video" in data.get("text/html", "") for data in outputs):
            return i
    return None


def with_address(notebook: NotebookNode, here: address.Address | None, name: str) -> NotebookNode:
    """A page with Colab's badge below its title, and the address that it installs the package from.

    Args:
        notebook: an executed page.
        here: the public address; None if none is known.
        name: name of the page's notebook in ``notebooks/``.
    """
    notebook = copy.deepcopy(notebook)
    first = notebook.cells[0]
    first.source = address.with_badge(first.source, here, name, "_static/colab-badge.svg")
    for cell in notebook.cells:
        cell.source = address.with_source(cell.source, here)
    return notebook


def with_links(notebook: NotebookNode, prefix: str, names: list[str]) -> NotebookNode:
    """A page with links to pages of this book only.

    Pages with its own prefix are preferred: a page on Fashion-MNIST links to other pages on
    Fashion-MNIST.
    """
    return _with_markdown(notebook, lambda text: links_in(text, names, prefix))


def links_in(text: str, names: list[str], prefix: str = "") -> str:
    """Markdown in which links to pages that are not in this book are plain text.

    Args:
        text: Markdown with links to ``NAME.ipynb`` in its own folder or the one above.
        names: names of the pages in this book.
        prefix: a name with this prefix is preferred to the name without it.
    """

    def link(found: re.Match) -> str:
        shown, folder, name = found.groups()
        target = prefix + name if prefix + name in names else name
        return f"[{shown}]({folder}{target}.ipynb)" if target in names else shown

    return re.sub(r"\[([^][]+)\]\(((?:\.\./)?)(\w+)\.ipynb\)", link, text)


def with_title(notebook: NotebookNode, title: str) -> NotebookNode:
    """A page with another title."""
    notebook = copy.deepcopy(notebook)
    first = notebook.cells[0]
    first.source = re.sub(r"^# .*", f"# {title}", first.source, count=1)
    return notebook


def with_own_labels(notebook: NotebookNode, name: str) -> NotebookNode:
    """A page whose labels of figures and equations contain the page's name."""

    def own(text: str) -> str:
        return re.sub(r"\b(fig|eq)-(?=[a-z])", rf"\1-{name.replace('_', '-')}-", text)

    notebook = _with_markdown(notebook, own)
    for figure in _figures(notebook):
        if "name" in figure:
            figure.name = own(figure.name)
    return notebook


def with_one_caption(notebook: NotebookNode) -> NotebookNode:
    """A page whose figures have one caption each; myst-nb repeats it for every output of a cell.

    The cell's other outputs, such as links to the data, move to a new cell.  The new cell has a
    source because myst-nb leaves out cells without one.
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
    """A page with the Markdown of its cells, outputs and figure captions rewritten.

    Code and other outputs are unchanged.
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
    """The ``figure`` entries of the cells' metadata: caption and label."""
    found = (cell.metadata.get("mystnb", {}).get("figure") for cell in notebook.cells)
    return [figure for figure in found if figure]
