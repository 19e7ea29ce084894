"""Checks of parameters: the allowed values in words, a test of a value, and its conversion.

A check is part of the metadata of a dataclass field.  Its keys are ``allowed`` (the words),
``accepts`` (tests a value) and ``to`` (converts an accepted value to the stored type).
"""

import itertools
import re
from collections.abc import Callable, Collection
from typing import Any

LARGEST = 3.4e38  # about float32's largest number; training and inference compute in float32
_EXPONENT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")


def integer(low: int, high: int) -> dict:
    """An integer from ``low`` to ``high``, both included."""

    def accepts(value: Any) -> bool:
        return type(value) is int and low <= value <= high

    return {"allowed": f"an integer from {low} to {high}", "accepts": accepts, "to": int}


def odd(low: int, high: int) -> dict:
    """An odd integer from ``low`` to ``high``, so that a median is one of the values."""

    def accepts(value: Any) -> bool:
        return type(value) is int and low <= value <= high and value % 2 == 1

    return {"allowed": f"an odd integer from {low} to {high}", "accepts": accepts, "to": int}


def real(allowed: str, inside: Callable[[float], bool]) -> dict:
    """A number within float32's range for which ``inside`` is true; ``allowed`` says this in words.

    Text is accepted too if it has an exponent.  papermill reads a command line as YAML, in which
    ``1e-3`` is text because it has no dot.
    """

    def accepts(value: Any) -> bool:
        number = float(value) if isinstance(value, str) and _EXPONENT.fullmatch(value) else value
        # The comparison also refuses NaN, infinity, and integers that no float can hold.
        return type(number) in (int, float) and abs(number) <= LARGEST and inside(number)

    return {"allowed": allowed, "accepts": accepts, "to": float}


class _Names:
    """The words "one of ..."; the names are looked up when the words are shown."""

    def __init__(self, names: Callable[[], Collection[str]]) -> None:
        self._names = names

    def __str__(self) -> str:
        return "one of " + ", ".join(self._names())


def one_of(names: Callable[[], Collection[str]]) -> dict:
    """One of ``names()``, which is called when a value is tested."""

    def accepts(value: Any) -> bool:
        return isinstance(value, str) and value in names()

    return {"allowed": _Names(names), "accepts": accepts, "to": str}


def list_of(allowed: str, element: dict, increasing: bool = False, least: int = 1) -> dict:
    """A list of ``least`` or more elements, if ``increasing`` in increasing order."""

    def accepts(value: Any) -> bool:
        return (
            isinstance(value, (list, tuple))
            and len(value) >= least
            and all(map(element["accepts"], value))
            and (
                not increasing
                or all(a < b for a, b in itertools.pairwise(map(element["to"], value)))
            )
        )

    return {
        "allowed": f"a list of {allowed}",
        "accepts": accepts,
        "to": lambda values: tuple(map(element["to"], values)),
    }


def rates() -> dict:
    """Learning rates, one or more."""
    return list_of(f"one or more positive numbers up to {LARGEST}", real("", lambda rate: rate > 0))


def grid(numbers: str, element: dict) -> dict:
    """The points of a curve: two or more increasing numbers, described in words by ``numbers``."""
    return list_of(f"two or more increasing {numbers}", element, increasing=True, least=2)
