"""What a plan consists of: operations on files, in order, each with what a reader must know."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from difflib import unified_diff
from typing import Any, Literal

from credyt_mcp.codegen.edits import Insertion

Kind = Literal["create", "update", "insert", "append", "manual"]
Risk = Literal["none", "low", "high"]


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Operation:
    """`content` is the whole file for create and update, what is added for insert and append, and
    what a person should do for manual. `after` is the whole file as it will be."""

    path: str
    kind: Kind
    reason: str
    risk: Risk
    content: str
    before: str | None = None
    after: str | None = None
    insertions: tuple[Insertion, ...] = ()

    @property
    def before_sha256(self) -> str | None:
        return None if self.before is None else digest(self.before)

    @property
    def changes(self) -> bool:
        return self.kind != "manual"

    def diff(self) -> str:
        if self.after is None:
            return ""
        lines = unified_diff(
            (self.before or "").splitlines(),
            self.after.splitlines(),
            f"a/{self.path}" if self.before is not None else "/dev/null",
            f"b/{self.path}",
            lineterm="",
        )
        return "\n".join(lines)


@dataclass(frozen=True)
class EnvVariable:
    name: str
    example: str
    meaning: str
    secret: bool = False


@dataclass(frozen=True)
class Plan:
    """`id` names exactly these operations on exactly these files."""

    stack: str
    root: str
    operations: tuple[Operation, ...]
    env: tuple[EnvVariable, ...]
    by_hand: tuple[str, ...]
    checks: tuple[str, ...]
    notes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    """Files whose text is needed first; then there are no operations."""
    evidence: tuple[str, ...] = ()
    confidence: str = "sure"
    candidates: tuple[str, ...] = ()
    auth: str = "unknown"
    id: str = field(init=False)

    def __post_init__(self) -> None:
        said: list[Any] = [
            (o.path, o.kind, o.before_sha256, o.content, o.after) for o in self.operations
        ]
        object.__setattr__(self, "id", "plan_" + digest(json.dumps([self.stack, said]))[:20])

    @property
    def empty(self) -> bool:
        """Nothing would be written; what is left is for a person."""
        return not any(operation.changes for operation in self.operations)
