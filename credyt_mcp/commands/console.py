"""What the commands print on, and the options that several of them have."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console

from credyt_mcp import exact_json

Live = Annotated[bool, typer.Option("--live", help="Work on live data instead of test data.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

PLAIN: dict[str, Any] = {"highlight": False, "soft_wrap": True}
"""For lines that somebody may copy, or a script read."""

stdout, stderr = Console(), Console(stderr=True)


def print_json(value: Any) -> None:
    print_line(exact_json.dumps(value).decode())


def print_line(text: str) -> None:
    """Alone on stdout and unchanged, so that a script can take it."""
    print(text)  # noqa: T201 - the one place that does
