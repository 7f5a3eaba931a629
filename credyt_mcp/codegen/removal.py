"""Takes an integration out again: what was written goes, what the user changed stays. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from credyt_mcp.codegen import manifest as manifests
from credyt_mcp.codegen.edits import take_out, with_ending
from credyt_mcp.codegen.manifest import Manifest, SharedEdit
from credyt_mcp.codegen.operations import digest
from credyt_mcp.codegen.snapshot import AppSnapshot


@dataclass(frozen=True)
class Removal:
    """`changes` maps a path to its text afterwards, or to None where the file goes; `left` says
    what a person must look at."""

    changes: dict[str, str | None]
    left: tuple[str, ...]


def removal(snapshot: AppSnapshot, manifest: Manifest) -> Removal:
    changes: dict[str, str | None] = {}
    left: list[str] = []
    written = {path: owned.sha256 for path, owned in manifest.owned.items()} | manifest.seeded
    for path, sha256 in sorted(written.items()):
        mine = snapshot.text(path)
        if mine is None:
            continue
        if digest(with_ending(mine, "\n")) == sha256:
            changes[path] = None
        else:
            left.append(f"{path}: you changed it, so it was left; delete it if you do not need it")
        if f"{path}.new" in snapshot.files:
            changes[f"{path}.new"] = None
    for path, edit in sorted(manifest.edits.items()):
        mine = snapshot.text(path)
        if mine is None:
            continue
        rest = _undone(mine, edit)
        if rest is None:
            left.append(f"{path}: what was inserted is changed; take it out by hand")
        elif rest or not edit.created:
            changes[path] = rest
        else:
            changes[path] = None
    changes[manifests.PATH] = None
    return Removal(changes, tuple(left))


def _undone(text: str, edit: SharedEdit) -> str | None:
    rest: str | None = text
    for block in edit.blocks:
        rest = take_out(rest, block) if rest is not None else None
    if edit.appended and rest is not None:
        rest = rest.replace(edit.appended, "") if rest.count(edit.appended) == 1 else None
    return rest
