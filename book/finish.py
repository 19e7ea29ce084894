"""The last step of a build: make jupyter-book's HTML accessible.

This step does not change what a page says.  It makes a page usable on a phone, with a keyboard or a
screen reader, and on paper, and adds a description for search engines and link previews.
"""

import contextlib
import re
import unicodedata
from pathlib import Path

from bs4 import BeautifulSoup, Tag

_NETWORKED = re.compile("thebe|kernelName")  # scripts that run code on a server; the book has none
_LABELS = {
    "button.primary-toggle": "Pages of the book",
    "button.secondary-toggle": "On this page",
    "#pst-primary-sidebar-modal": "Pages of the book",
    "#pst-secondary-sidebar-modal": "On this page",
    "#pst-search-dialog": "Search",
}
_BOX = "pst-scrollable-table-container"  # the theme's box around tables that are not outputs
_ROLES = {
    "table": "table",
    "thead": "rowgroup",
    "tbody": "rowgroup",
    "tr": "row",
    "th": "columnheader",
    "td": "cell",
}
_SIGNS = {"lVert": "‖", "rVert": "‖", "times": "×", "le": "≤", "ge": "≥"}


def finish(html: Path, findings: dict[str, str]) -> None:
    """Rewrite the pages of a rendered book.

    Args:
        html: folder of the rendered book.
        findings: findings of the pages, in Markdown, by page name.
    """
    for path in (*html.glob("*.html"), *html.glob("about/*.html")):
        page = finished(path.read_text(encoding="utf-8"), findings.get(path.stem))
        path.write_text(page, encoding="utf-8")


def finished(page: str, finding: str | None = None) -> str:
    """The HTML of one page after this step."""
    soup = BeautifulSoup(page, "html.parser")
    _drop_scripts(soup)
    _name_landmarks(soup)
    _name_folds(soup)
    _box_tables(soup)
    _name_cells(soup)
    _add_posters(soup)
    _describe(soup, finding)
    return str(soup)


def _drop_scripts(soup: BeautifulSoup) -> None:
    """Remove scripts that are included twice, which fail, and scripts that need a network."""
    seen = set()
    for script in soup.find_all("script"):
        own = (script.get("src") or "").partition("?")[0] or script.get_text()
        if own in seen or _NETWORKED.search(own) or "thebe" in script.get("type", ""):
            script.decompose()
        seen.add(own)
    for link in soup.select('link[href*="thebe"]'):
        link.decompose()


def _name_landmarks(soup: BeautifulSoup) -> None:
    for selector, label in _LABELS.items():
        for element in soup.select(selector):
            element["aria-label"] = label
            if element.name == "button":
                element["title"] = label
    for button in soup.select(".search-button-field"):
        del button["aria-label"]  # its text says more: which keys open the search
    for icon in soup.select(".theme-switch"):
        del icon["title"]  # its button has a name
    for sidebar in soup.select("#pst-primary-sidebar"):
        sidebar["role"] = "complementary"
        sidebar["aria-label"] = "The book"


def _name_folds(soup: BeautifulSoup) -> None:
    """Name each fold after its content; a screen reader reads the name that is shown."""
    for fold in soup.select("div.cell details.hide"):
        cell = fold.find_parent(class_="cell")
        if "above-input" not in fold["class"]:
            name = "Output"
        elif "tag_parameters" in cell["class"]:
            name = "Parameters of this page"
        elif "tag_injected-parameters" in cell["class"]:
            name = "Parameters set for this edition"
        else:
            name = "Code"
        del fold.summary["aria-label"]
        for prompt in fold.summary.select("p"):
            prompt.string = name


def _box_tables(soup: BeautifulSoup) -> None:
    """Put each table into a box that a keyboard can scroll.

    Roles keep it a table for screen readers, whatever its CSS layout.
    """
    for table in soup.select("article table"):
        if _BOX not in table.parent.get("class", []):
            table.wrap(soup.new_tag("div", attrs={"class": _BOX}))
        heading = table.find_previous(["h1", "h2", "h3"])
        name = f"Table: {_text(heading)}" if heading else "Table"
        table.parent.attrs |= {"role": "group", "aria-label": name, "tabindex": "0"}
        for empty in table.find_all("th"):
            if not empty.get_text(strip=True):
                empty.name = "td"
        for part in [table, *table.find_all(list(_ROLES))]:
            is_row_s = part.name == "th" and part.find_parent("tbody") is not None
            part["role"] = "rowheader" if is_row_s else _ROLES[part.name]


def _name_cells(soup: BeautifulSoup) -> None:
    """Give each cell of the claims the name of its column.

    The book's style shows it on a phone, where every claim is a card without a header.
    """
    for table in soup.select(".tag_claims table"):
        names = [_text(heading) for heading in table.select("thead tr > *")]
        for row in table.select("tbody tr"):
            for cell, name in zip(row.find_all(["th", "td"]), names, strict=True):
                cell["data-column"] = name[:1].upper() + name[1:]


def _add_posters(soup: BeautifulSoup) -> None:
    """Add each movie's poster as an image for print; the book's style hides it on a screen."""
    for video in soup.select("video[poster]"):
        attributes = {"class": "poster", "src": video["poster"], "alt": video.get("aria-label", "")}
        video.insert_after(soup.new_tag("img", attrs=attributes))


def _describe(soup: BeautifulSoup, finding: str | None) -> None:
    """Add a description for search engines and link previews."""
    article = soup.find("article")
    if article is None or article.h1 is None:
        return
    prose = (_text(p) for p in article.find_all("p") if not p.find_parent(class_="cell"))
    found = plain(finding) if finding else next((text for text in prose if len(text) > 20), "")
    description = found or _text(article.h1)
    properties = {
        "og:type": "article",
        "og:title": _text(article.h1),
        "og:description": description,
    }
    picture = article.select_one('img:not([alt="Open in Colab"]):not(.poster), video[poster]')
    if picture is not None:
        properties["og:image"] = picture.get("poster") or picture["src"]
    attributes = [{"name": "description", "content": description}]
    attributes += [{"property": key, "content": value} for key, value in properties.items()]
    for pair in attributes:
        soup.head.append(soup.new_tag("meta", attrs=pair))


def _text(element: Tag) -> str:
    """The text of an element, without its header link and without the brackets of TeX."""
    link = element.select_one("a.headerlink")
    said = element.get_text().removesuffix(link.get_text() if link else "")
    said = re.sub(r"\\\((.*?)\\\)", lambda math: plain(math[1]), said)
    return re.sub(r"\s+", " ", said).strip()


def plain(markdown: str) -> str:
    """A sentence in Markdown with mathematics, as plain text."""

    def sign(command: re.Match) -> str:
        with contextlib.suppress(KeyError):
            return unicodedata.lookup(f"GREEK SMALL LETTER {command[1]}")
        return _SIGNS.get(command[1], "")

    text = re.sub(r"\[([^][]+)\]\([^)]*\)", r"\1", markdown)
    text = re.sub(r"\\([A-Za-z]+)", sign, text)
    return re.sub(r"[$*`{}]", "", text)
