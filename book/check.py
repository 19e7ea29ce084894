"""Find the problems of a rendered book for readers without a network or without sight."""

import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import contrast
import imageio_ffmpeg
from bs4 import BeautifulSoup

_LOADED = {
    "script": ("src",),
    "link": ("href",),
    "img": ("src",),
    "video": ("src", "poster"),
    "source": ("src",),
    "iframe": ("src",),
}
# <link> elements that fetch nothing by themselves
_INERT_LINKS = {"author", "canonical", "index", "next", "prev", "search"}

# What no page may contain, as a CSS selector, and the problem in words.
_FAULTS = {
    'article table:not([tabindex="0"][aria-label] > table)': (
        "holds a table outside a named box that a keyboard can scroll"
    ),
    "summary[aria-label]": "holds a fold that is not read aloud as it is shown",
    ".cell_input:not(details .cell_input)": "holds code that is not folded",
    "article video[poster]:not(:has(+ img.poster))": "holds a movie of which paper shows nothing",
    "#pst-primary-sidebar:not([role])": "has a sidebar that is no landmark",
}
_ONCE = (".primary-toggle", ".secondary-toggle")  # the theme's script handles only the first
_DESCRIPTIONS = ("description", "og:title", "og:description")
_NOT_DESCRIBED = {"genindex.html", "search.html"}  # made by Sphinx, without content of their own


class _Page(HTMLParser):
    """Collects what a page loads, its images' alternative texts, and its error outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.anchors: list[str] = []
        self.ids: set[str] = set()
        self.movies: list[str] = []
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        self.ids.add(values.get("id", ""))
        if tag == "a":
            self.anchors.append(values.get("href", ""))
        if tag == "link" and _INERT_LINKS & set(values.get("rel", "").split()):
            return
        self.loaded += [values[name] for name in _LOADED.get(tag, ()) if values.get(name)]
        if tag == "img" and not values.get("alt", "").strip():
            self.found.append(f"image {values.get('src')} has no alternative text")
        if tag == "video":
            self.movies.append(values.get("src", ""))
            missing = {"controls", "poster", "aria-label"} - set(values)
            if missing:
                self.found.append(f"movie {values.get('src')} lacks {', '.join(sorted(missing))}")
        if "traceback" in values.get("class", "").split():
            self.found.append("holds the output of a failed cell")


def problems(html: Path) -> list[str]:
    """One line per problem of the book in the folder ``html``; an empty list if there is none."""
    found = []
    pages = sorted([*html.glob("*.html"), *html.glob("about/*.html")])
    plays = _ffmpeg() is not None
    if (html / "index.html") not in pages:
        return [f"{html} holds no index.html"]
    for path in pages:
        page = _Page()
        page.feed(path.read_text(encoding="utf-8"))
        found += [f"{path.name}: {problem}" for problem in page.found]
        for reference in page.loaded:
            found += [f"{path.name}: {p}" for p in _of_reference(reference, path)]
        for anchor in page.anchors:
            parts = urlsplit(anchor)
            if not (parts.scheme or parts.netloc):
                found += [f"{path.name}: {p}" for p in _of_reference(anchor, path)]
            if anchor.startswith("#") and unquote(anchor[1:]) not in page.ids:
                found.append(f"{path.name}: the link {anchor} leads nowhere")
        found += [f"{path.name}: {p}" for p in _of_reading(path)]
        for movie in page.movies if plays else []:
            found += [f"{path.name}: {p}" for p in _of_movie(path.parent / unquote(movie))]
    for style in html.rglob("*.css"):
        for reference in re.findall(
            r"""(?:url\(|@import\s+)["']?(https?:[^"')\s]+)""", style.read_text(encoding="utf-8")
        ):
            found.append(f"{style.relative_to(html)}: loads {reference} from the network")
    for style in ("_static/book.css", "playground/playground.css"):
        found += [f"{Path(style).name}: {problem}" for problem in _of_style(html, style)]
    return found


def unchecked(html: Path) -> list[str]:
    """One line per thing that :func:`problems` could not check on this machine."""
    if _ffmpeg() is None and any(html.rglob("*.mp4")):
        return ["Not checked, without an ffmpeg (IMAGEIO_FFMPEG_EXE): whether the movies play."]
    return []


def _ffmpeg() -> str | None:
    """The program that decodes movies, or None."""
    try:
        return shutil.which(imageio_ffmpeg.get_ffmpeg_exe())  # the named file may be missing
    except RuntimeError:
        return None


def _of_style(html: Path, path: str) -> list[str]:
    style = html / path
    if not style.exists():
        return []
    themes = sorted(html.glob("_static/styles/*.css"))  # pydata-sphinx-theme comes first
    theme = "\n".join(path.read_text(encoding="utf-8") for path in themes)
    return contrast.problems(style.read_text(encoding="utf-8"), theme)


def _of_reading(path: Path) -> list[str]:
    """Problems for a reader on a phone, on paper, with a keyboard or with a screen reader."""
    soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    found = [fault for selector, fault in _FAULTS.items() if soup.select_one(selector)]
    found += [f"has two buttons {name}" for name in _ONCE if len(soup.select(name)) > 1]
    if any(not th.get_text(strip=True) for th in soup.select("th")):
        found.append("holds an empty header cell")
    plain = [output.get_text(strip=True) for output in soup.select(".output.text_plain")]
    found += [f"names an object and does not show it: {s}" for s in plain if s.startswith("<")]
    scripts = [s.get("src", "").partition("?")[0] or s.get_text() for s in soup.select("script")]
    found += [f"runs a script twice: {s[:60]}" for s in set(scripts) if scripts.count(s) > 1]
    if soup.article and path.name not in _NOT_DESCRIBED:
        said = {m.get("name", m.get("property")): m.get("content") for m in soup.select("meta")}
        found += [] if soup.select('link[rel~="icon"]') else ["has no icon"]
        found += [f"has no {name}" for name in _DESCRIPTIONS if not said.get(name)]
        picture = said.get("og:image")
        if picture and not (path.parent / unquote(picture)).exists():
            found.append(f"its picture {picture} does not exist")
    return found


def _of_reference(reference: str, page: Path) -> list[str]:
    parts = urlsplit(reference)
    if parts.scheme == "data":
        return []
    if parts.scheme or parts.netloc:
        return [f"loads {reference} from the network"]
    if parts.path and not (page.parent / unquote(parts.path)).exists():
        return [f"{reference} does not exist"]
    return []


def _of_movie(path: Path) -> list[str]:
    try:
        frames, _ = imageio_ffmpeg.count_frames_and_secs(str(path))
    except (RuntimeError, OSError) as error:
        return [f"movie {path.name} cannot be decoded ({error})"]
    return [] if frames else [f"movie {path.name} has no frames"]


if __name__ == "__main__":
    lines = problems(Path(sys.argv[1]))
    print("\n".join([*(lines or ["no problems"]), *unchecked(Path(sys.argv[1]))]))
    sys.exit(1 if lines else 0)
