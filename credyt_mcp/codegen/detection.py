"""Which stack an app is, with what shows it; unknown rather than a guess. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from credyt_mcp.codegen.answers import Answers
from credyt_mcp.codegen.snapshot import AppSnapshot, inside, joined
from credyt_mcp.codegen.stacks import (
    django,
    express,
    fastapi,
    flask,
    hono,
    nextjs,
    supabase,
    tanstack,
)
from credyt_mcp.codegen.stacks.python_app import folder_of
from credyt_mcp.codegen.stacks.stack import App, Match, Stack
from credyt_mcp.errors import InvalidRequest

STACKS: dict[str, Stack] = {
    stack.name: stack
    for stack in (
        *(fastapi.STACK, flask.STACK, django.STACK),
        *(express.STACK, hono.STACK, nextjs.STACK, supabase.STACK, tanstack.STACK),
    )
}


@dataclass(frozen=True)
class Detection:
    """`matches` is what was found: one is the answer, several need a choice, none is unknown.
    `needs` are files whose text is missing; while there are any, nothing is certain."""

    matches: tuple[Match, ...]
    needs: tuple[str, ...]


def detect(snapshot: AppSnapshot, answers: Answers | None = None) -> Detection:
    answers = answers or Answers()
    stacks = [STACKS[answers.stack]] if answers.stack in STACKS else list(STACKS.values())
    if answers.stack is not None and answers.stack not in STACKS:
        raise InvalidRequest("stack", f"must be one of {', '.join(STACKS)}")
    roots = _roots(snapshot) if answers.root is None else [_given(answers.root)]
    matches: list[Match] = []
    needs: set[str] = set()
    for root in roots:
        app = App(snapshot, root)
        for stack in stacks:
            needs |= {joined(root, path) for path in app.unread(stack.wanted(app))}
            found = stack.match(app)
            if found is not None:
                matches.append(found)
    return Detection(tuple(matches), tuple(sorted(needs)))


def _roots(snapshot: AppSnapshot) -> list[str]:
    """Folders with a list of dependencies; the snapshot's own folder if there is none."""
    marks = {mark for stack in STACKS.values() for mark in stack.marks if "/" not in mark}
    roots = {folder_of(path) for path in snapshot.below("") if path.split("/")[-1] in marks}
    return sorted(roots) or [""]


def _given(root: str) -> str:
    root = root.strip("/").removeprefix("./")
    return inside(root) if root and root != "." else ""
