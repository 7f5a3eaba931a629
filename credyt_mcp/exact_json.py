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
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?')


def mark_text(text: str) -> str:
    """JSON text with each number that a double would change turned into a marked string."""
    return _TOKEN.sub(_quote, text)


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


def mark(value: Any) -> Any:
    """A copy of a JSON value without Decimals: floats where exact, marked strings where not."""
    if isinstance(value, Decimal):
        if value == value.to_integral_value() and abs(value) < 2**53:
            return int(value)
        return float(value) if _survives(value) else f"{_MARK}{value}"
    if isinstance(value, dict):
        return {key: mark(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [mark(item) for item in value]
    return value


def unmark_text(text: str) -> str:
    """JSON text with marked strings turned back into numbers."""
    return _MARKED.sub(r"\1", text) if _MARK in text else text


def _quote(token: re.Match[str]) -> str:
    number = token.group()
    if number.startswith('"') or len(number) < 16 or number.lstrip("-").isdigit():
        return number
    return number if _survives(Decimal(number)) else f'"{_MARK}{number}"'


def _survives(value: Decimal) -> bool:
    return Decimal(repr(float(value))) == value
