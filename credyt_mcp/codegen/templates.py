"""Renders the templates of integrations. The folder ships with the package and never changes."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_PACKAGE = Path(__file__).parents[1]


def render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values)


def _listed(items: tuple[str, ...]) -> str:
    """The inside of a tuple, as a formatter would leave it."""
    return ", ".join(json.dumps(item) for item in items) + ("," if len(items) == 1 else "")


@cache
def _environment() -> Environment:
    installed = _PACKAGE / "templates"
    folder = installed if installed.is_dir() else _PACKAGE.parent / "templates"
    environment = Environment(
        loader=FileSystemLoader(folder / "integrations"),
        autoescape=False,  # noqa: S701  it writes source code, from answers that are plain codes
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["quoted"] = json.dumps
    environment.filters["listed"] = _listed
    environment.filters["listed_js"] = lambda items: ", ".join(json.dumps(item) for item in items)
    return environment
