"""Tables of one page keep their own styles."""

import re

import pandas as pd

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
