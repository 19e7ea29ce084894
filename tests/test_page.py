"""What a page shows of its study."""

import re

import pandas as pd

from repinf_core.page import styled


def test_the_cells_of_two_tables_have_no_id_in_common():
    """Else each is aligned as the other asks."""
    table = pd.DataFrame({"label": ["one"], "count": [1]})
    tables = [
        styled(table, caption, {"label": ("label", ""), "count": ("count", "{:d}")}).to_html()
        for caption in ("The first.", "The second.")
    ]
    one, other = (set(re.findall(r'id="([^"]+)"', text)) for text in tables)
    assert one
    assert not one & other
