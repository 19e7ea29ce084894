"""The front page's view of the other pages: a movie, a figure, the claims' score, and cards."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode
from PIL import Image

_MAIN_FIGURE = "04_cluster_centers"
_MOVIES = "03_collective_dynamics"
_CLAIMS = "11_claims"
_WIDTH = 640  # pixels of a card's picture


def write(source: Path, pages: dict[str, tuple[NotebookNode, dict]]) -> None:
    """Write the front page's parts: ``movie.md``, ``score.md``, ``found.md``, and pictures.

    Args:
        source: folder of the book's sources.
        pages: executed page and results of each page of this edition, by name.
    """
    pictures = {name: picture(notebook, source, name) for name, (notebook, _) in pages.items()}
    found = _main_figure(source, pages) + _cards(pages, pictures)
    for name, text in (
        ("movie", _movie(source, pages)),
        ("score", _score(pages)),
        ("found", found),
    ):
        (source / f"{name}.md").write_text(text, encoding="utf-8")


def picture(notebook: NotebookNode, source: Path, name: str) -> str:
    """Write a small copy of an executed page's first figure; returns its path in the sources.

    The path is empty if the page has no figure.  A page that opens with a movie is represented by
    the movie's poster.
    """
    posters = sorted((source / "_static" / "movies").glob(f"{name}*.png"))
    shown = next(map(Path.read_bytes, posters), None) or next(_images(notebook), None)
    if shown is None:
        return ""
    path = Path("_static") / "cards" / f"{name}.png"
    (source / path).parent.mkdir(parents=True, exist_ok=True)
    image = Image.open(io.BytesIO(shown)).convert("RGB")
    image.thumbnail((_WIDTH, image.height))
    # Figures are tall: a card shows the upper part.
    image.crop((0, 0, image.width, min(image.height, image.width * 5 // 8))).save(source / path)
    return str(path)


def _images(notebook: NotebookNode) -> Iterator[bytes]:
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                yield base64.b64decode(output.data["image/png"])


def _movie(source: Path, pages: dict) -> str:
    """HTML of a movie of one label's collective dynamics; empty if the page was not executed."""
    if _MOVIES not in pages:  # the sources hold the published edition's movies in any case
        return ""
    movies = sorted((source / "_static" / "movies").glob(f"{_MOVIES}*.mp4"))
    if not movies:
        return ""
    movie = movies[len(movies) * 6 // 10]  # '6', the paper's example
    path = f"_static/movies/{movie.name}"
    return (
        f'<video controls muted loop playsinline preload="metadata" src="{path}" '
        f'poster="{path.removesuffix(".mp4")}.png" width="100%" aria-label="Movie: many noisy '
        f'images of one label move through latent space as inference is repeated."></video>\n\n'
        f"*Repeated inference from many noisy images of one label: their latent states in the "
        f"plane in which they vary most ([](./{_MOVIES}.ipynb)).*\n"
    )


def _main_figure(source: Path, pages: dict) -> str:
    if _MAIN_FIGURE not in pages:
        return ""
    notebook, results = pages[_MAIN_FIGURE]
    shown = next(_images(notebook), None)
    if shown is None:
        return ""
    # Whole, not the upper part that a card shows: the finding below it counts all ten labels.
    path = Path("_static") / "main_figure.png"
    (source / path).write_bytes(shown)
    return (
        f"```{{figure}} {path}\n:alt: Mean distance to the concept over time, a "
        f"panel for each label, with the chord as a dashed line.\n"
        f":target: {_MAIN_FIGURE}.html\n\n{results['finding']}\n```\n"
    )


def _score(pages: dict) -> str:
    if _CLAIMS not in pages:
        return ""
    found = pages[_CLAIMS][1]
    # The finding counts the claims at other settings than the paper's apart.
    told = filter(None, (found["finding"], found["results"].get("on_both")))
    return f"{' '.join(told)} ([](./{_CLAIMS}.ipynb))\n"


def _cards(pages: dict, pictures: dict[str, str]) -> str:
    cards = []
    for name, (notebook, results) in pages.items():
        title = notebook.cells[0].source.splitlines()[0].removeprefix("# ")
        image = f":img-top: {pictures[name]}\n:img-alt: {title}\n" if pictures[name] else ""
        cards.append(
            f":::{{grid-item-card}} {title}\n:link: {name}\n:link-type: doc\n{image}\n"
            f"{results['finding']}\n:::\n"
        )
    return "## The chapters\n\n::::{grid} 1 2 2 2\n:gutter: 3\n\n" + "\n".join(cards) + "::::\n"
