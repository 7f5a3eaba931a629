"""What beds in TypeScript share: packages installed, the plan's checks run, secrets sought."""

from __future__ import annotations

import json
from pathlib import Path

from tests.codegen import beds
from tests.codegen.beds import EVENT, PRODUCT, SENTINEL, integrate, run

PACKAGE = '{"name": "studio", "private": true, "type": "module"}\n'
STRICT = """\
{
  "compilerOptions": {
    "target": "es2022",
    "module": "nodenext",
    "strict": true,
    "noEmit": true,
    "noUnusedLocals": true,
    "noUnusedParameters": true,
    "noUncheckedIndexedAccess": true,
    "exactOptionalPropertyTypes": true,
    "verbatimModuleSyntax": true,
    "erasableSyntaxOnly": true,
    "types": ["node"],
    "skipLibCheck": true
  },
  "include": ["src", "tests"]
}
"""
QUIET = ("--no-audit", "--no-fund", "--silent", "--prefer-offline")


def install(folder: Path, *packages: str) -> None:
    """What package.json lists, and more where named."""
    run(folder, "npm", "install", *QUIET, *packages)


def create(parent: Path, *command: str) -> None:
    """An app made by its framework's own starter."""
    run(parent, "npx", "--yes", *command)


def applied(folder: Path) -> dict[str, bytes]:
    """The app with its plan carried out, which is empty the second time."""
    beds.apply(folder)
    integrated = beds.tree(folder)
    assert "Nothing to write" in beds.apply(folder)
    assert beds.tree(folder) == integrated
    return integrated


def check(folder: Path) -> None:
    """What the plan tells its reader to run, as it says it."""
    plan = json.loads(
        integrate(folder, "plan", "--event", EVENT, "--product", PRODUCT, "--json"),
    )
    assert plan["checks"]
    for command in plan["checks"]:
        run(folder, *command.split(), CREDYT_API_KEY=SENTINEL, CREDYT_WEBHOOK_SECRET=SENTINEL)


def hides_the_secret(bundle: Path, shown: str) -> None:
    """`shown` is in what browsers get, so that it is looked for where it could be."""
    texts = [path.read_bytes() for path in bundle.rglob("*") if path.is_file()]
    assert any(shown.encode() in text for text in texts)
    assert not any(name in text for text in texts for name in (SENTINEL.encode(), b"CREDYT_API"))
