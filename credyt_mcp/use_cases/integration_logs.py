"""Usage that an app could not bill, as its log tells of it. Reads lines; sends nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NamedTuple

MARK = "unbilled: "
_decoder = json.JSONDecoder(parse_float=Decimal)


class Unbilled(NamedTuple):
    """`bodies` are for POST /events, by the id of the event each has; `damaged` are the numbers of
    lines that tell of usage and cannot be read."""

    bodies: dict[str, dict[str, Any]]
    damaged: list[int]


def unbilled(log: Iterable[str]) -> Unbilled:
    """Each event once, as it was told last."""
    found = Unbilled({}, [])
    for number, line in enumerate(log, 1):
        _, marked, said = _message(line).partition(MARK)
        if not marked:
            continue
        try:
            body, _ = _decoder.raw_decode(said)
            [event] = body["events"]
            found.bodies[event["id"]] = body
        except (ValueError, KeyError, TypeError):
            found.damaged.append(number)
    return found


def _message(line: str) -> str:
    """The line, or what a logger that writes JSON has put it into."""
    try:
        said = json.loads(line)
    except ValueError:
        return line
    texts = said.values() if isinstance(said, dict) else ()
    return next((one for one in texts if isinstance(one, str) and MARK in one), "")
