"""Reads what the SDK and the CLI send: nested forms."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl


def nested(text: str) -> dict[str, Any]:
    """`a[b][0]=c` as nested dictionaries; `a[]=c` takes the next number."""
    form: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        first, *rest = re.findall(r"[^\[\]]+|(?<=\[)(?=\])", name)
        place = form
        for inner in rest:
            place = place.setdefault(first, {})
            first = inner or str(len(place))
        place[first] = value
    return form
