"""What a page shows of its study."""

import re

import pandas as pd
import pytest

from repinf_core.page import styled


def test_two_tables_of_a_page_share_no_element():
    """Or the alignment of the one would be that of the other, cell by cell."""
    texts = styled(pd.DataFrame({"a": ["x"]}), "Texts.", {"a": ("a", "")})
    numbers = styled(pd.DataFrame({"a": [1]}), "Numbers.", {"a": ("a", "{:d}")})
    of_texts, of_numbers = (
        set(re.findall(r'id="([^"]+)"', table.to_html())) for table in (texts, numbers)
    )
    assert of_texts
    assert of_numbers
    assert not of_texts & of_numbers
    assert texts.to_html() == styled(texts.data, "Texts.", {"a": ("a", "")}).to_html()


def properties(table, row, column):
    """The properties of a cell, as a browser would merge them."""
    html = table.to_html()
    cell = re.search(rf'id="(T_\w+_row{row}_col{column})"', html)[1]
    rules = re.findall(
        r"([^{}]+)\{([^{}]*)\}", re.search(r"<style[^>]*>(.*?)</style>", html, re.S)[1]
    )
    return {
        name.strip(): value.strip()
        for selectors, declared in rules
        if f"#{cell}" in [selector.strip() for selector in selectors.split(",")]
        for name, _, value in (one.partition(":") for one in declared.split(";"))
        if name.strip()
    }


@pytest.mark.parametrize(
    ("value", "shown", "space"),
    [
        (8.9e-6, "{:.1e}", "nowrap"),
        (-1.5, "{:.1f}", "nowrap"),
        ("0.98–1.05", "", "nowrap"),
        ("4–7", "", "nowrap"),
        ("with the trials of a label", "", "normal"),
    ],
)
def test_a_number_or_a_range_stays_on_one_line(value, shown, space):
    table = pd.DataFrame({"a": ["x"], "b": [value]})
    columns = {"a": ("a", ""), "b": ("b", shown)}
    assert properties(styled(table, "Numbers.", columns), 0, 1)["white-space"] == space
