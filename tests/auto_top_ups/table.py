"""The table of test cards in docs/auto-top-up.md, as rows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[2] / "docs" / "auto-top-up.md"


class Row(NamedTuple):
    number: str
    method: str
    code: str | None
    outcome: str


def rows() -> list[Row]:
    found = re.search(r"<!-- cards.*?-->\n.*?\n\|---.*?\n(.*?)<!-- end -->", PAGE.read_text(), re.S)
    assert found is not None
    cells = [re.sub(r"[` ]*\| *`?|` *", "|", line).split("|") for line in found[1].splitlines()]
    return [
        Row(one[1].replace(" ", ""), one[2].strip(), one[3].strip() or None, one[4].strip())
        for one in cells
    ]
