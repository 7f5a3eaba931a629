"""What a stack is to the planner: it recognises an app, and says what is emitted into it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from credyt_mcp.codegen.answers import Answers
from credyt_mcp.codegen.edits import Edit, with_ending
from credyt_mcp.codegen.operations import EnvVariable
from credyt_mcp.codegen.snapshot import AppSnapshot, joined

MARK = (
    "Written by credyt-mcp ({stack}, template 1), and again when the template improves:",
    "changes you make here are kept.",
)


@dataclass(frozen=True)
class App:
    """One app of a snapshot, by paths relative to its own folder."""

    snapshot: AppSnapshot
    root: str

    def text(self, path: str) -> str:
        """With plain line ends; '' for a file that is not there, or was not read."""
        return with_ending(self.snapshot.text(joined(self.root, path)) or "", "\n")

    def files(self) -> list[str]:
        return list(self.snapshot.below(self.root))

    def unread(self, paths: list[str]) -> list[str]:
        """Those that exist and whose text is not known."""
        return [
            path
            for path in paths
            if joined(self.root, path) in self.snapshot.files
            and self.snapshot.text(joined(self.root, path)) is None
        ]

    def search(self, pattern: str, *endings: str) -> Iterator[tuple[str, re.Match[str]]]:
        """Files whose text matches, with the first match."""
        for path in self.files():
            if path.endswith(endings) and (found := re.search(pattern, self.text(path), re.M)):
                yield path, found

    def known_user(self, ways: Iterable[tuple[str, str]], *endings: str) -> tuple[str, str]:
        """The first of the `ways` (its name, a pattern) in which the app's own code knows its user,
        and the file that says so."""
        for kind, pattern in ways:
            for path, _ in self.search(pattern, *endings):
                if "test" not in path and "billing" not in path:
                    return kind, path
        return "unknown", ""


@dataclass(frozen=True)
class Match:
    """An app of this stack; `entry` is the file that makes it."""

    stack: str
    root: str
    confidence: str
    evidence: tuple[str, ...]
    entry: str
    auth: str


@dataclass(frozen=True)
class ByHand:
    """What only a person, or a coding tool that reads the app, should change."""

    path: str
    reason: str
    content: str
    event: str = ""
    """The event type it is about: done once the user's code names it."""


def who_pays(found: Match, path: str, function: str) -> tuple[ByHand, ...]:
    """What a person must say where nothing was recognised as the user."""
    if found.auth != "unknown":
        return ()
    reason = "billing must know who pays; nothing of this app was recognised as the user"
    return (ByHand(path, reason, f"In {path} let {function} answer the signed-in user's id."),)


@dataclass(frozen=True)
class Emission:
    """Paths are relative to the app's folder."""

    owned: dict[str, str]
    seeded: dict[str, str]
    edits: tuple[Edit, ...]
    by_hand: tuple[ByHand, ...]
    env: tuple[EnvVariable, ...]
    checks: tuple[str, ...]


@dataclass(frozen=True)
class Stack:
    """`wanted` names the files whose text `match` and `emit` need; `package` proposes a folder."""

    name: str
    marks: tuple[str, ...]
    wanted: Callable[[App], list[str]]
    match: Callable[[App], Match | None]
    package: Callable[[App, Match], str]
    emit: Callable[[App, Match, Answers, str], Emission]
    endings: tuple[str, ...]


def environment(app_url: str) -> tuple[EnvVariable, ...]:
    return (
        EnvVariable("CREDYT_URL", "http://127.0.0.1:8787", "the billing server"),
        EnvVariable("CREDYT_API_KEY", "", "`credyt-mcp keys create` shows one once", secret=True),
        EnvVariable(
            "CREDYT_WEBHOOK_SECRET", "", "whsec_…, as POST /webhooks answered it", secret=True
        ),
        EnvVariable("APP_URL", app_url, "this app, as a browser reaches it"),
    )
