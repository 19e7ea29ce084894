"""The rendered book as a browser lays it out: on a phone and at a desk, without a network."""

import json
import re
import shutil
import subprocess
from html import unescape

import pytest
from chromium import CHROMIUM

PHONE, DESK = (390, 844), (1300, 900)

# Put first into each page: what its scripts complain of, and what a reader finds when it is shown.
PROBE = """<script>
const complaints = [];
addEventListener("error", (event) => complaints.push(event.message));
console.error = (...said) => complaints.push(said.join(" "));
addEventListener("load", async () => {
  await window.MathJax?.startup?.promise;
  await new Promise((done) => setTimeout(done, 500));
  const all = (selector) => [...document.querySelectorAll(selector)];
  const wide = (element) => element.scrollWidth > element.clientWidth + 1;
  const scrolls = (element) => element.scrollWidth > element.clientWidth;
  const before = (element) => getComputedStyle(element, "::before").content;
  const edge = document.querySelector("article").getBoundingClientRect().right;
  const outside = (formula) => !formula.closest(".pst-scrollable-table-container")
    && formula.getBoundingClientRect().right > edge + 1;
  const opens = (side) => {
    const button = document.querySelector(`.${side === "primary" ? side : "secondary"}-toggle`);
    if (!button || !button.checkVisibility()) return null;
    button.click();
    const dialog = document.querySelector(`#pst-${side}-sidebar-modal`);
    const opened = dialog.open && dialog.querySelectorAll("a").length > 0;
    if (dialog.open) dialog.close();
    return opened;
  };
  const LEAST_CONTRAST = 4.5; // WCAG 2.1, success criterion 1.4.3, for text of ordinary size
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const brush = canvas.getContext("2d", { willReadFrequently: true });
  const painted = (colours) => {
    for (const colour of ["white", ...colours]) {
      brush.fillStyle = colour;
      brush.fillRect(0, 0, 1, 1);
    }
    return [...brush.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (colours) => {
    const [r, g, b] = painted(colours).map((part) => part / 255)
      .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (element) => {
    const grounds = [];
    for (let behind = element; behind; behind = behind.parentElement)
      grounds.unshift(getComputedStyle(behind).backgroundColor);
    const lit = [grounds, [...grounds, getComputedStyle(element).color]].map(luminance);
    return (Math.max(...lit) + 0.05) / (Math.min(...lit) + 0.05);
  };
  const speaks = ({ childNodes }) => [...childNodes]
    .some(({ nodeType, data }) => nodeType === Node.TEXT_NODE && data.trim());
  const faint = async (theme) => {
    document.documentElement.dataset.theme = theme;
    await new Promise((done) => setTimeout(done, 500)); // colours change slowly
    return all("article :not(.headerlink)") // the pointer shows these
      .filter((element) => speaks(element) && element.checkVisibility())
      .filter((element) => contrast(element) < LEAST_CONTRAST)
      .map((element) => `${theme}: ${contrast(element).toFixed(2)} ${element.textContent.trim()}`);
  };
  const found = {
    page: document.title,
    width: innerWidth,
    complaints,
    sideways: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    cut: all("article pre").filter(wide).length
      + all("article span.math > mjx-container").filter(outside).length,
    unreachable: all("article .pst-scrollable-table-container, div.math mjx-container")
      .filter((box) => scrolls(box) !== (box.tabIndex === 0)).length,
    hidden: all("article .pst-scrollable-table-container")
      .filter((box) => scrolls(box) && !getComputedStyle(box, "::after").content.includes("scroll"))
      .length,
    nameless: innerWidth > 600 ? 0 : all(".tag_claims table").flatMap((table) => {
      const names = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
      const isNamed = (cell, column) => column < 2 // the number, and what the claim says
        || before(cell).toLowerCase() === `"${names[column]}: "`.toLowerCase();
      return [...table.tBodies[0].rows].filter(({ cells }) => ![...cells].every(isNamed));
    }).length,
    opens: innerWidth < 992 ? [opens("primary"), opens("secondary")] : [],
    faint: [...await faint("light"), ...await faint("dark")],
  };
  parent.postMessage(JSON.stringify(found), "*");
});
</script>"""

# Shows the pages one after the other, and keeps what they find.
HOST = """<!DOCTYPE html><body><ol></ol><script>
const views = VIEWS;
function next() {
  document.querySelector("iframe")?.remove();
  if (!views.length) return document.body.append("all shown");
  const [src, width, height] = views.pop();
  const frame = Object.assign(document.createElement("iframe"), { src, width, height });
  frame.style.border = 0;
  document.body.append(frame);
}
addEventListener("message", ({ data }) => {
  const line = document.createElement("li");
  line.textContent = data;
  document.querySelector("ol").append(line);
  next();
});
next();
</script></body>"""


@pytest.fixture(scope="module")
def shown(smoke_book, tmp_path_factory):
    """What was found on each page of the smoke book, on a phone and at a desk."""
    if CHROMIUM is None:
        pytest.skip("no Chromium: how the pages look in a browser is not checked")
    folder = tmp_path_factory.mktemp("browser")
    html = shutil.copytree(smoke_book.out / "html", folder / "html")
    pages = [page for page in sorted(html.glob("*.html")) if "<article" in page.read_text()]
    for page in pages:
        page.write_text(page.read_text().replace("<head>", f"<head>{PROBE}", 1))
    views = [(page.name, *size) for page in pages for size in (PHONE, DESK)]
    (html / "host.html").write_text(HOST.replace("VIEWS", json.dumps(views)))
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu"]
    command += ["--allow-file-access-from-files", f"--user-data-dir={folder / 'profile'}"]
    command += ["--window-size=1400,1000", "--virtual-time-budget=600000", "--dump-dom"]
    done = subprocess.run(
        [*command, f"file://{html / 'host.html'}"], capture_output=True, text=True, timeout=400
    )
    assert "all shown</body>" in done.stdout, done.stderr
    found = [json.loads(unescape(line)) for line in re.findall("<li>(.*?)</li>", done.stdout)]
    assert len(found) == len(views)
    return found


def of(shown, key):
    return {(view["page"], view["width"]): view[key] for view in shown if view[key]}


@pytest.mark.parametrize(
    "key", ["complaints", "sideways", "cut", "unreachable", "hidden", "nameless", "faint"]
)
def test_nothing_is_wrong_with_a_page_in_a_browser(shown, key):
    """Scripts that fail, pages and code wider than the screen, boxes that no key can scroll.

    And claims on a phone whose cells do not tell their column, and text too faint to read in one of
    the theme's variants.
    """
    assert of(shown, key) == {}


def test_the_contents_of_book_and_page_open_on_a_phone(shown):
    opened = of(shown, "opens")
    assert {width for _, width in opened} == {PHONE[0]}
    assert all(book is True and page is not False for book, page in opened.values())
    assert any(page for _, page in opened.values())
