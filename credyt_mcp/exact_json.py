"""JSON in which a decimal number stays exact: read as Decimal, written as a plain JSON number.

Ordinary parsers pass numbers through a double, and 12345678.123456789 loses its last digit on the
way. Nothing in this package parses or writes money with any other JSON function.
"""

from __future__ import annotations

import re
import secrets
from decimal import Decimal
from typing import Any

import msgspec

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")


def loads(text: bytes | str) -> Any:
    """Parse JSON; numbers with a point or exponent become Decimal.

    Raises ValueError when `text` is not JSON.
    """
    return _decoder.decode(text)


def dumps(value: Any) -> bytes:
    """Compact JSON; Decimals are written as numbers with all their digits."""
    return _encoder.encode(value)


# A library between us and the wire may know only doubles (the MCP SDK does). What a double would
# change crosses it as a marked string, both ways. The mark is random per process, so no caller can
# write one.
_MARK = f"exact-{secrets.token_hex(12)}:"
_MARKED = re.compile(re.escape(f'"{_MARK}') + r'([-+.0-9eE]+)"')
_ALWAYS_EXACT = 15  # A double keeps this many digits of any number.


def loads_marked(text: bytes | str) -> Any:
    """Parse JSON for such a library: floats where they are exact, marked strings where not.

    Raises ValueError when `text` is not JSON.
    """
    return _marking_decoder.decode(text)


def restore(value: Any) -> Any:
    """A copy of a JSON value, marked strings turned into the Decimals they were, floats too."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, str) and value.startswith(_MARK):
        return Decimal(value.removeprefix(_MARK))
    if isinstance(value, dict):
        return {key: restore(item) for key, item in value.items()}
    if isinstance(value, list):
        return [restore(item) for item in value]
    return value


def unmark_text(text: str) -> str:
    """JSON text with marked strings turned back into numbers."""
    return _MARKED.sub(r"\1", text) if _MARK in text else text


def _marked(number: str) -> float | str:
    as_double = float(number)
    exact = len(number) <= _ALWAYS_EXACT or Decimal(repr(as_double)) == Decimal(number)
    return as_double if exact else f"{_MARK}{number}"


_marking_decoder = msgspec.json.Decoder(float_hook=_marked)
