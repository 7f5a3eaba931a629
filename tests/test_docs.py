"""The documentation names what there is: every error, setting, command and option."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.core import TyperGroup

from credyt_mcp.cli import app
from credyt_mcp.errors import CredytError
from credyt_mcp.settings import Settings, variable

ROOT = Path(__file__).parents[1]
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()
README = (ROOT / "README.md").read_text()
ERRORS = (ROOT / "docs" / "errors.md").read_text()


def error_classes(of: type[CredytError] = CredytError) -> Iterator[type[CredytError]]:
    for child in of.__subclasses__():
        if child.__module__ == CredytError.__module__:  # tests have some of their own
            yield child
            yield from error_classes(child)


def commands(group: TyperGroup, path: str = "credyt-mcp") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


ROOT_COMMAND = typer.main.get_command(app)
assert isinstance(ROOT_COMMAND, TyperGroup)
COMMANDS: dict[str, Any] = {"credyt-mcp": ROOT_COMMAND, **dict(commands(ROOT_COMMAND))}


def row_of(first_cell: str, page: str) -> str:
    """The line of a table whose first cell is `first_cell` in backquotes."""
    found = re.search(rf"^\| `{re.escape(first_cell)}` \|.*$", page, re.MULTILINE)
    assert found, f"`{first_cell}` is in no table"
    return found.group()


@pytest.mark.parametrize("error", list(error_classes()), ids=lambda error: error.__name__)
def test_every_error_has_a_hint_and_a_row_in_the_documentation(error: type[CredytError]) -> None:
    assert error.hint.endswith(".")
    assert error.title and not error.title.endswith(".")
    assert re.fullmatch(r"[a-z_]+", error.code)
    assert f"| {error.status} |" in row_of(error.code, ERRORS)


def test_every_code_belongs_to_one_error() -> None:
    codes = [error.code for error in (CredytError, *error_classes())]
    assert len(set(codes)) == len(codes)
    documented = re.findall(r"^\| `(\w+)` \|", ERRORS, re.MULTILINE)
    assert set(documented) == set(codes) - {CredytError.code}
    assert len(documented) == len(set(documented))


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented_with_its_default(name: str) -> None:
    field = Settings.model_fields[name]
    row = row_of(variable(name), CONFIGURATION)
    default = "none" if field.default is None else str(field.default)
    assert default in row.split("|")[2]
    assert (field.description or "") in row


def test_no_setting_is_documented_that_does_not_exist() -> None:
    known = {variable(name) for name in Settings.model_fields}
    assert set(re.findall(r"^\| `([A-Z]+_\w+)`", CONFIGURATION, re.MULTILINE)) == known
    # The example's own variable is no setting of the server.
    assert set(re.findall(r"CREDYT_\w+", README)) <= known | {"CREDYT_URL"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name: str) -> None:
    row = row_of(name, CONFIGURATION)
    for parameter in COMMANDS[name].params:
        for option in parameter.opts:
            if option.startswith("--") and option not in (
                "--help",
                "--install-completion",
                "--show-completion",
            ):
                assert f"`{option}`" in row
    if name != "credyt-mcp":
        assert name.removeprefix("credyt-mcp ") in README
        assert COMMANDS[name].help


def test_an_empty_top_up_expiry_means_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDYT_TOP_UP_EXPIRY_DAYS", "")
    assert Settings(_env_file=None).top_up_expiry_days is None


def test_documents_link_to_files_that_exist() -> None:
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
