"""The house rules that can be checked: arrows point inwards, files and functions stay small."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "credyt_mcp"

SHARED = {"errors", "ids", "clock", "exact_json", "settings"}
MAY_IMPORT = {
    "domain": {"domain"},
    "storage": {"domain", "storage"},
    "payments": {"domain", "payments"},
    "codegen": {"domain", "codegen"},
    "delivery": {"domain", "delivery"},
    "use_cases": {"domain", "storage", "payments", "codegen", "delivery", "use_cases"},
    "entrypoints": {"use_cases", "entrypoints"},
    "app": {"domain", "storage", "payments", "delivery", "use_cases", "entrypoints", "app"},
    "commands": {"use_cases", "app", "trial", "commands"},
    "cli": {"use_cases", "entrypoints", "app", "commands"},
    "client": {"client"},
    "trial": {"trial"},
}
DOMAIN_SHARED = {"errors", "ids", "clock"}
"""What the domain may share: errors, and the pure functions that make keys and convert moments."""

ONLY_IN = {
    "stripe": {
        "payments/stripe.py",
        "payments/stripe_calls.py",
        "payments/stripe_charges.py",
        "payments/stripe_reversals.py",
        "payments/stripe_webhooks.py",
    },
    "cryptography": {"storage/sealing.py"},
    "sqlite3": {"storage/database.py", "storage/lane_connection.py"},
    "psycopg": {"storage/lane_connection.py"},
    "standardwebhooks": {"delivery/webhooks.py"},
    "dotenv": {"settings.py"},
    "genai_prices": {"use_cases/price_table.py"},
}
FILE_LINES, FUNCTION_LINES = 400, 60


def sources(folder: Path = PACKAGE) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*.py")) if "migrations" not in path.parts)


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ring(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", list(sources()), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_arrows_point_inwards(path: Path) -> None:
    own = ring(path)
    if own in {"__init__", "__main__"}:
        return
    allowed = DOMAIN_SHARED if own == "domain" else SHARED
    for name in imported(path):
        top, *rest = name.split(".")
        if top == "credyt_mcp" and rest:
            target = rest[0]
            assert target in allowed | MAY_IMPORT.get(own, set()), f"{own} imports {name}"
        if top in ONLY_IN:
            assert str(path.relative_to(PACKAGE)) in ONLY_IN[top], f"{path} imports {top}"


def test_the_demo_is_a_client_and_nothing_else() -> None:
    ours = [
        name for name in imported(PACKAGE / "commands/demo.py") if name.startswith("credyt_mcp")
    ]
    assert ours
    assert {name.split(".")[1] for name in ours} <= SHARED


@pytest.mark.parametrize("path", [*sources(), *sources(ROOT / "tests")], ids=lambda path: path.name)
def test_files_and_functions_stay_small_and_say_what_they_are_for(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert len(text.splitlines()) <= FILE_LINES
    if text and path.name != "__init__.py":
        assert ast.get_docstring(tree), f"{path.name} does not say what it is for"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            length = node.end_lineno - node.lineno + 1
            assert length <= FUNCTION_LINES, f"{path.name}:{node.name} has {length} lines"


def test_only_settings_reads_the_environment() -> None:
    readers = {
        str(path.relative_to(PACKAGE))
        for path in sources()
        if "os.environ" in path.read_text() or "getenv" in path.read_text()
    }
    # Those pass their own environment on to the processes they start.
    assert readers <= {"commands/demo.py", "trial/stage.py"}


def test_no_float_in_the_domain_or_the_ledger() -> None:
    money = [*sources(PACKAGE / "domain"), *sources(PACKAGE / "storage")]
    # The lane measures seconds, and sees no amount.
    for path in (path for path in money if path.name not in {"lane.py", "lane_metrics.py"}):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant):
                assert not isinstance(node.value, float), f"a float in {path.name}:{node.lineno}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "float", f"float() in {path.name}:{node.lineno}"
