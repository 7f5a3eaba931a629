"""The record of what was put into an app: hashes, rendered bases, insertions. Committed with it.

It lies apart from `.credyt`, which may hold a database and is ignored by git.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from credyt_mcp.codegen.operations import digest
from credyt_mcp.codegen.snapshot import inside
from credyt_mcp.errors import InvalidRequest

PATH = ".credyt-integration/manifest.json"


@dataclass(frozen=True)
class OwnedFile:
    """`base` is what was rendered last, against which the user's edits are seen."""

    sha256: str
    base: str | None = None


@dataclass(frozen=True)
class SharedEdit:
    """What was put into a file of the user's; `created` if there was none."""

    blocks: tuple[tuple[str, ...], ...] = ()
    appended: str | None = None
    created: bool = False


@dataclass(frozen=True)
class Manifest:
    stack: str
    root: str
    package: str
    answers: dict[str, Any]
    owned: dict[str, OwnedFile] = field(default_factory=dict)
    seeded: dict[str, str] = field(default_factory=dict)
    """Files that are the user's from the start, with the hash they began with."""
    edits: dict[str, SharedEdit] = field(default_factory=dict)

    def text(self, *, with_bases: bool = True) -> str:
        said = asdict(self)
        for owned in said["owned"].values():
            if not with_bases or owned["base"] is None:
                del owned["base"]
        return json.dumps({"version": 1, **said}, indent=1, sort_keys=True) + "\n"


def owned(text: str) -> OwnedFile:
    return OwnedFile(digest(text), text)


def read(text: str | None) -> Manifest | None:
    """Raises InvalidRequest for one that we did not write, or that was damaged since."""
    if text is None:
        return None
    try:
        said = json.loads(text)
        found = Manifest(
            stack=str(said["stack"]),
            root=str(said["root"]),
            package=str(said["package"]),
            answers=dict(said["answers"]),
            owned={inside(path): OwnedFile(**entry) for path, entry in said["owned"].items()},
            seeded={inside(path): str(sha) for path, sha in said["seeded"].items()},
            edits={inside(path): _edit(entry) for path, entry in said["edits"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InvalidRequest("files", f"{PATH} cannot be read; restore it from git") from None
    return found


def _edit(said: dict[str, Any]) -> SharedEdit:
    blocks = tuple(tuple(str(line) for line in block) for block in said["blocks"])
    return SharedEdit(blocks, said["appended"], bool(said["created"]))
