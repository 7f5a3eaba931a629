"""An app as it was seen: which files there are, and the text of those that were read.

Every path is relative, with forward slashes, and inside the app: another cannot be said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from credyt_mcp.errors import InvalidRequest

SKIPPED = frozenset(
    {
        *(".git", ".hg", ".credyt", ".venv", "venv", "env", ".tox", "site-packages"),
        *("__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache"),
        *("node_modules", ".next", ".nuxt", ".output", ".turbo", ".vercel", ".wrangler"),
        *("dist", "build"),
    }
)
"""Folders that are never part of an app's source."""


def inside(path: str) -> str:
    """The path itself. Raises InvalidRequest for one that could leave the app's folder."""
    parts = PurePosixPath(path).parts
    plain = parts and path == "/".join(parts)
    if (
        not plain
        or path.startswith("/")
        or ".." in parts
        or re.search(r'[\\:*?"<>|\x00-\x1f]', path)
    ):
        raise InvalidRequest("files", "a path must be relative, with '/', and without '..'")
    return path


@dataclass(frozen=True)
class AppSnapshot:
    """`files` maps a path to its text, or to None where only its name is known."""

    files: Mapping[str, str | None]

    def __post_init__(self) -> None:
        for path in self.files:
            inside(path)

    def text(self, path: str) -> str | None:
        return self.files.get(path)

    def below(self, folder: str) -> Iterator[str]:
        """Paths of source files below a folder, relative to it, in one order; '' is the app."""
        start = f"{folder}/" if folder else ""
        for path in sorted(self.files):
            if path.startswith(start) and not SKIPPED & set(path.split("/")):
                yield path[len(start) :]

    def folders(self) -> set[str]:
        """Every folder that holds a file."""
        return {str(parent) for path in self.files for parent in PurePosixPath(path).parents}


def joined(folder: str, path: str) -> str:
    return f"{folder}/{path}" if folder else path
