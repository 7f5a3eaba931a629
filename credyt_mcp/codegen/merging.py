"""Three-way merge of lines: what the user changed and what a new template changed. Pure.

There are no conflict markers: where both changed the same lines there is no merged text at all.
"""

from __future__ import annotations

from difflib import SequenceMatcher


def merge(base: str, mine: str, new: str) -> str | None:
    """`mine` with the changes from `base` to `new`, or None where the two touch each other."""
    old = base.splitlines(keepends=True)
    theirs, ours = _changes(old, new), _changes(old, mine)
    merged: list[str] = []
    at = 0
    for change in sorted({*theirs, *ours}):
        start, end, lines = change
        if start < at or (_touches(change, theirs) or _touches(change, ours)):
            return None
        merged += [*old[at:start], *lines]
        at = end
    return "".join([*merged, *old[at:]])


Change = tuple[int, int, tuple[str, ...]]
"""Lines [start, end) of the base become these."""


def _changes(old: list[str], text: str) -> list[Change]:
    new = text.splitlines(keepends=True)
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    return [
        (start, end, tuple(new[new_start:new_end]))
        for tag, start, end, new_start, new_end in matcher.get_opcodes()
        if tag != "equal"
    ]


def _touches(change: Change, others: list[Change]) -> bool:
    """Whether another, different change is about the same lines or borders on them."""
    start, end, _ = change
    return any(other != change and other[0] <= end and start <= other[1] for other in others)
