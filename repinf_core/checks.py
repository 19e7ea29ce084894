"""What a parameter may be: each check says it in words, tests a value, and converts it.

A check is the part of a dataclass field's metadata with the keys ``allowed`` (words),
``accepts`` (value to bool) and ``to`` (an accepted value to the type that is kept).
"""

import itertools
import sys
from collections.abc import Callable, Collection
from typing import Any


def integer(low: int, high: int) -> dict:
    """An integer, both ends included."""

    def accepts(value: Any) -> bool:
        return type(value) is int and low <= value <= high

    return {"allowed": f"an integer from {low} to {high}", "accepts": accepts, "to": int}


def real(allowed: str, inside: Callable[[float], bool]) -> dict:
    """A finite number for which ``inside`` holds, which ``allowed`` says in words."""

    def accepts(value: Any) -> bool:
        # The comparison also refuses NaN, infinity, and integers that no float can hold.
        of_type = type(value) in (int, float)
        return of_type and abs(value) <= sys.float_info.max and inside(value)

    return {"allowed": allowed, "accepts": accepts, "to": float}


def one_of(choices: Collection[str]) -> dict:
    """One of the texts, or of the keys that a dict has when the value is tested."""

    def accepts(value: Any) -> bool:
        return isinstance(value, str) and value in choices

    return {"allowed": "one of " + ", ".join(choices), "accepts": accepts, "to": str}


def list_of(allowed: str, element: dict, increasing: bool = False) -> dict:
    """A list of one or more elements, or of two or more that increase."""

    def accepts(value: Any) -> bool:
        return (
            isinstance(value, (list, tuple))
            and len(value) > increasing
            and all(map(element["accepts"], value))
            and (not increasing or all(a < b for a, b in itertools.pairwise(value)))
        )

    return {
        "allowed": f"a list of {allowed}",
        "accepts": accepts,
        "to": lambda values: tuple(map(element["to"], values)),
    }


def rates() -> dict:
    """Learning rates, one or more."""
    return list_of("one or more positive numbers", real("", lambda rate: rate > 0))


def grid(numbers: str, element: dict) -> dict:
    """The points of a curve: two or more, increasing; ``numbers`` says in words of what."""
    return list_of(f"two or more increasing {numbers}", element, increasing=True)
