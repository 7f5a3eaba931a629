"""Turns what pydantic says of bad input into our InvalidRequest, for every face. The values
themselves are never repeated: one of them might be a secret in the wrong place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from credyt_mcp.errors import InvalidRequest

# The one message in which pydantic repeats a value, whatever it was told.
_WRONG_TAG = re.compile(
    r".* found using '(?P<name>\w+)' does not match any of the expected tags: (?P<tags>.*)", re.S
)


def invalid_request(errors: Sequence[Mapping[str, Any]], given: Any) -> InvalidRequest:
    """One InvalidRequest naming every field that is wrong, in the caller's own spelling."""
    fields: dict[str, list[str]] = {}
    for error in errors:
        path = field_path(error["loc"], given, missing=error["type"] == "missing")
        message = str(error["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
        if error["type"] == "union_tag_invalid" and (tag := _WRONG_TAG.fullmatch(message)):
            path, message = f"{path}.{tag['name']}", f"Input should be one of {tag['tags']}"
        fields.setdefault(path, []).append(message)
    return InvalidRequest(fields)


def field_path(location: Sequence[str | int], given: Any, *, missing: bool) -> str:
    """`prices[0].pricing[0].asset` from pydantic's location.

    Pydantic adds the names of union members to a location; what is not in the caller's input is
    such a name, but for the last step where a field is missing.
    """
    path = ""
    for step, name in enumerate(location):
        last = step == len(location) - 1
        if isinstance(name, int):
            path += f"[{name}]"
            given = given[name] if isinstance(given, Sequence) and name < len(given) else None
        elif isinstance(given, Mapping) and name in given:
            path += f".{name}"
            given = given[name]
        elif last and missing:
            path += f".{name}"
    return path.lstrip(".")
