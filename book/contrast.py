"""Check the contrast of text in the book's own style, in the theme's two variants."""

import re

import matplotlib.colors
import numpy as np

_LEAST = 4.5  # WCAG 2.1, success criterion 1.4.3, for text of ordinary size
_PAGE, _TEXT = "var(--pst-color-background)", "var(--pst-color-text-base)"
_NOT_SET = ("", "inherit", "currentcolor", "none", "transparent")
_RGB = re.compile(r"rgba?\((\d+)[ ,]+(\d+)[ ,]+(\d+)(?:[ ,/]+([\d.]+)(%?))?\)")
_WITHOUT_TEXT = re.compile(r"\b(img|video)$")


def problems(style: str, theme: str) -> list[str]:
    """One line per rule of ``style`` whose text may not be legible; none if all are.

    A rule that colours text must also set a background: the theme changes backgrounds, and one of
    them may have the colour of the text.  A rule that sets only a background is checked with the
    theme's ordinary text.  A partly transparent background lies on the page's.  Gradients and
    pictures do not count as backgrounds.

    Args:
        style: the book's own CSS.
        theme: the theme's CSS; the style may use its variables.
    """
    variants = {name: _variables(theme + style, name) for name in ("light", "dark")}
    found = []
    for selectors, own in _rules(style):
        text, ground = own.get("color", ""), own.get("background-color", own.get("background", ""))
        if "gradient(" in ground or "url(" in ground:
            ground = ""
        if text not in _NOT_SET and ground in _NOT_SET:
            found.append(f"{selectors} colours text, but gives it no ground that is one colour")
        elif ground not in _NOT_SET and not all(map(_WITHOUT_TEXT.search, selectors.split(", "))):
            pair = _TEXT if text in _NOT_SET else text, ground
            found += [f"{selectors}: {problem}" for problem in _of_pair(*pair, variants)]
    return found


def _of_pair(text: str, ground: str, variants: dict[str, dict[str, str]]) -> list[str]:
    found = []
    for name, variables in variants.items():
        try:
            page = _seen(_PAGE, np.ones(3), variables)
            behind = _seen(ground, page, variables)
            contrast = _contrast(_seen(text, behind, variables), behind)
        except (KeyError, ValueError) as error:
            return [f"{text} on {ground} cannot be read as colours ({error})"]
        if contrast < _LEAST:
            found.append(
                f"{text} on {ground} has a contrast of {contrast:.2f} in the {name} theme; "
                f"allowed is {_LEAST} or more"
            )
    return found


def _rules(style: str) -> list[tuple[str, dict[str, str]]]:
    """Selectors and declarations of all rules, including those in media queries."""
    style = re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL)
    return [
        (", ".join(map(str.strip, selectors.split(","))), _declarations(body))
        for selectors, body in re.findall(r"([^{}]+)\{([^{}]*)\}", style)
    ]


def _declarations(body: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in body.split(";") if ":" in line)
    return {name.strip(): _value(value) for name, _, value in pairs}


def _value(text: str) -> str:
    return text.replace("!important", "").strip().lower()


def _variables(theme: str, variant: str) -> dict[str, str]:
    """The CSS variables of one of the theme's variants; later definitions override earlier ones."""
    selector = rf'(?::root|html\[data-theme="?{variant}"?\])'
    bodies = re.findall(rf"{selector}\s*\{{([^{{}}]*)\}}", theme)
    return {name: value for body in bodies for name, value in _declarations(body).items()}


def _seen(colour: str, ground: np.ndarray, variables: dict[str, str]) -> np.ndarray:
    """Red, green and blue in [0, 1] of a CSS colour on a background."""
    if variable := re.fullmatch(r"var\((--[\w-]+)\)", colour):
        return _seen(variables[variable[1]], ground, variables)
    if numbers := _RGB.fullmatch(colour):
        *rgb, opacity, percent = numbers.groups()
        rgb = [int(part) / 255 for part in rgb]
        opacity = float(opacity or 1) / (100 if percent else 1)
    else:
        *rgb, opacity = matplotlib.colors.to_rgba(colour)
    return opacity * np.array(rgb) + (1 - opacity) * ground


def _contrast(one: np.ndarray, other: np.ndarray) -> float:
    """Ratio of relative luminances, from 1 to 21, as WCAG 2.1 defines them."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(rgb: np.ndarray) -> float:
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
