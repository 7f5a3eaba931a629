"""Small insertions into files that belong to the user: at an anchor, once, and undone exactly.

Line endings and the final newline of the file stay as they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Insertion:
    """Lines put after (or before) the line that is the anchor."""

    lines: tuple[str, ...]
    anchor: str
    before: bool = False


@dataclass(frozen=True)
class Edit:
    """What one file needs. `guard` matches where it was done already, by us or by hand; without a
    safe anchor `insertions` is empty, and a person is told `by_hand`."""

    path: str
    guard: str
    insertions: tuple[Insertion, ...]
    reason: str
    by_hand: str

    def done(self, text: str) -> bool:
        return re.search(self.guard, text, re.MULTILINE) is not None


def ending_of(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def with_ending(text: str, ending: str) -> str:
    return text.replace("\r\n", "\n").replace("\n", ending)


def find_line(text: str, pattern: str, *, last: bool = False) -> str | None:
    """The first (or last) line that matches, if no other line is the same."""
    lines = text.splitlines()
    found = [line for line in lines if re.search(pattern, line)]
    if not found:
        return None
    line = found[-1 if last else 0]
    return line if lines.count(line) == 1 else None


def insert(text: str, insertion: Insertion) -> str:
    lines = text.splitlines(keepends=True)
    ending = ending_of(text)
    [at] = [n for n, line in enumerate(lines) if line.rstrip("\r\n") == insertion.anchor]
    added = [line + ending for line in insertion.lines]
    if insertion.before:
        return "".join([*lines[:at], *added, *lines[at:]])
    if not lines[at].endswith("\n"):
        lines[at] += ending
        added[-1] = added[-1].removesuffix(ending)
    return "".join([*lines[: at + 1], *added, *lines[at + 1 :]])


def take_out(text: str, block: tuple[str, ...]) -> str | None:
    """The text without these lines, or None if they are not there exactly once."""
    lines = text.splitlines(keepends=True)
    bare = [line.rstrip("\r\n") for line in lines]
    size = len(block)
    found = [n for n in range(len(bare) - size + 1) if tuple(bare[n : n + size]) == block]
    if len(found) != 1:
        return None
    [at] = found
    rest = "".join([*lines[:at], *lines[at + size :]])
    if at + size == len(lines) and not lines[-1].endswith("\n"):
        return rest.removesuffix(ending_of(text))
    return rest
