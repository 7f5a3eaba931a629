"""An integration on disk: read an app's folder, apply a plan to it, take it out, say how it stands.

Nothing is written outside the folder, not even through a link, and nothing over a file that is not
as the plan saw it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from credyt_mcp.codegen import manifest as manifests
from credyt_mcp.codegen.checks.checking import Beside
from credyt_mcp.codegen.checks.secrets import BUNDLES
from credyt_mcp.codegen.edits import with_ending
from credyt_mcp.codegen.operations import Plan as Plan
from credyt_mcp.codegen.operations import digest
from credyt_mcp.codegen.removal import Removal, removal
from credyt_mcp.codegen.snapshot import SKIPPED, AppSnapshot, inside
from credyt_mcp.errors import InvalidRequest, NotFound, PlanOutdated

NEVER_BUILT = frozenset({".git", ".venv", "venv", "node_modules", "cache"})
SECRETS = ("CREDYT_API_KEY", "CREDYT_WEBHOOK_SECRET")
READ_BYTES_MAX = 400_000
READ_ENDINGS = (
    *(".py", ".toml", ".txt", ".cfg", "Pipfile"),
    *(".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".json", ".jsonc"),
    *(".example", ".new", ".html", ".vue", ".svelte", ".sql"),
)


def read_app(folder: Path) -> AppSnapshot:
    """Every source file by name, and the text of those that are text. Raises NotFound."""
    if not folder.is_dir():
        raise NotFound(f"there is no folder '{folder}'", hint="Name the folder of the app.")
    files: dict[str, str | None] = {}
    for path in _source_files(folder):
        name = path.relative_to(folder).as_posix()
        try:
            inside(name)
        except InvalidRequest:
            continue  # a name that no app is made of, such as one with a line break
        files[name] = _text(path) if name.endswith(READ_ENDINGS) else None
    return AppSnapshot(files)


def apply(folder: Path, plan: Plan, plan_id: str | None = None) -> None:
    """Write what the plan says. Raises PlanOutdated, before anything is written, where a file is
    not as the plan saw it, or where the plan is another than `plan_id`."""
    if plan_id is not None and plan.id != plan_id:
        raise PlanOutdated(f"the plan is now {plan.id}: the app or the templates have changed")
    written = [one for one in plan.operations if one.changes]
    for operation in written:
        if _text(_target(folder, operation.path)) != operation.before:
            raise PlanOutdated(f"{operation.path} has changed since the plan was made")
    for operation in written:
        assert operation.after is not None
        _write(_target(folder, operation.path), operation.after)


def remove(folder: Path) -> Removal:
    """Take the integration out. Raises NotFound where there is none."""
    snapshot = read_app(folder)
    manifest = manifest_of(snapshot)
    done = removal(snapshot, manifest)
    for path, text in done.changes.items():
        target = _target(folder, path)
        if text is not None:
            _write(target, text)
        elif target.exists():
            target.unlink()
            _drop_empty(target.parent, folder)
    return done


def status(folder: Path) -> dict[str, str]:
    """How each file of the integration stands. Raises NotFound where there is none."""
    snapshot = read_app(folder)
    manifest = manifest_of(snapshot)
    begun = {path: one.sha256 for path, one in manifest.owned.items()} | manifest.seeded
    said: dict[str, str] = {}
    for path, sha256 in sorted(begun.items()):
        mine = snapshot.text(path)
        kept = "yours" if path in manifest.seeded else "changed by you"
        same = mine is not None and digest(with_ending(mine, "\n")) == sha256
        said[path] = "missing" if mine is None else "as written" if same else kept
        if f"{path}.new" in snapshot.files:
            said[f"{path}.new"] = f"a newer version that could not be merged into {path}"
    return said | dict.fromkeys(sorted(manifest.edits), "edited")


def read_beside(folder: Path) -> Beside:
    """What verification looks at beside the source: pages as they were built, and the names that
    the app's `.env` files set, if billing's are among them. Values are only looked for."""
    bundles: dict[str, str] = {}
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in NEVER_BUILT)
        for name in names:
            path = (Path(where) / name).relative_to(folder).as_posix()
            built = any(f"/{path}".rpartition(one)[1] for one in BUNDLES)
            if built and name.endswith((".js", ".mjs", ".css", ".html", ".map")):
                bundles[path] = (folder / path).read_text(errors="replace")
    said = read_settings(folder)
    set_here = frozenset(key for key, value in said.items() if value)
    secrets = frozenset(value for key, value in said.items() if key in SECRETS and value)
    ours = any(key.startswith("CREDYT_") for key in set_here)
    return Beside(bundles, set_here if ours else None, secrets)


def read_settings(folder: Path) -> dict[str, str]:
    """What the app's `.env` files set."""
    said: dict[str, str] = {}
    for name in (".env", ".env.local"):
        lines = (_text(folder / name) or "").splitlines()
        pairs = (line.removeprefix("export ").partition("=") for line in lines)
        said |= {key.strip(): value.strip(" \"'") for key, _, value in pairs}
    return said


def manifest_of(snapshot: AppSnapshot) -> manifests.Manifest:
    """Raises NotFound where there is none."""
    manifest = manifests.read(snapshot.text(manifests.PATH))
    if manifest is None:
        raise NotFound(
            f"there is no {manifests.PATH}", hint="`credyt-mcp integrate apply` writes it."
        )
    return manifest


def _source_files(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in SKIPPED)
        yield from (Path(where) / name for name in sorted(names))


def _text(path: Path) -> str | None:
    """The text as it stands, line endings kept; None if there is none or it is no text."""
    try:
        if path.stat().st_size > READ_BYTES_MAX:
            return None
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        return None


def _target(folder: Path, path: str) -> Path:
    root = folder.resolve()
    target = (root / inside(path)).resolve()
    if not target.is_relative_to(root):
        raise InvalidRequest("files", f"{path} leads out of the app's folder")
    return target


def _write(path: Path, text: str) -> None:
    """The whole file or nothing of it; an existing file keeps its mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".credyt-")
    with os.fdopen(handle, "wb") as file:
        file.write(text.encode())
    Path(temporary).chmod(mode)
    Path(temporary).replace(path)


def _drop_empty(folder: Path, root: Path) -> None:
    """Folders that nothing is left in."""
    while folder != root.resolve() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
