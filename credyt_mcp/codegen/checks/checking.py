"""All rules over one app: source text in, findings out, in the order of files and lines. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from credyt_mcp.codegen import manifest as manifests
from credyt_mcp.codegen.checks import amounts, charges, gates, secrets, webhooks
from credyt_mcp.codegen.checks.findings import Finding, allowed
from credyt_mcp.codegen.checks.syntax import Source
from credyt_mcp.codegen.checks.vocabulary import View
from credyt_mcp.codegen.manifest import Manifest
from credyt_mcp.codegen.snapshot import AppSnapshot
from credyt_mcp.errors import InvalidRequest

CODE = (".py", ".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts")
READ = (*CODE, ".html", ".vue", ".svelte", ".env.example", "package.json")
TESTS = re.compile(
    r"(?:^|/)(?:tests?|__tests__|e2e)/|(?:^|/)(?:test_[^/]*|conftest)\.py$|\.(?:test|spec)\.\w+$"
    r"|(?:^|/)tests\.py$|(?:^|/)billing[_-]fake\.\w+$"
)
PER_FILE = (
    *(charges.unsettled, charges.half_settled, charges.unsettled_class),
    *(gates.check_then_act, gates.swallowed, gates.reported_only),
    *(amounts.fresh_ids, amounts.from_request),
    *(
        webhooks.ignored,
        webhooks.after_parser,
        webhooks.parsed_body,
        webhooks.unverified,
        webhooks.toothless,
    ),
)


@dataclass(frozen=True)
class Beside:
    """What lies beside the source: built pages, the names that are set (None: not known), and the
    values of secrets."""

    bundles: Mapping[str, str] = field(default_factory=dict)
    settings: frozenset[str] | None = None
    secrets: frozenset[str] = frozenset()


def wanted(snapshot: AppSnapshot) -> list[str]:
    """Files whose text rules read."""
    paths = [path for path in snapshot.below("") if path.endswith(READ) and not TESTS.search(path)]
    return [*paths, *(path for path in [manifests.PATH] if path in snapshot.files)]


def _read(snapshot: AppSnapshot) -> dict[str, str]:
    read = {path: snapshot.text(path) for path in wanted(snapshot) if path != manifests.PATH}
    return {path: text for path, text in read.items() if text is not None}


def read_sources(snapshot: AppSnapshot) -> list[Source]:
    read = (Source.of(path, text) for path, text in _read(snapshot).items())
    return [one for one in read if one is not None]


def check(snapshot: AppSnapshot, beside: Beside | None = None) -> list[Finding]:
    """Raises InvalidRequest for an app that has no billing at all."""
    beside = beside or Beside()
    manifest = manifests.read(snapshot.text(manifests.PATH))
    files = _read(snapshot)
    sources = read_sources(snapshot)
    package = f"{manifest.root}/{manifest.package}/".lstrip("/") if manifest else None
    views = [View(one, package is not None and one.path.startswith(package)) for one in sources]
    if manifest is None and not any(view.speaks for view in views):
        raise InvalidRequest("files", "no code of this app speaks to billing: plan it first")
    found = [
        *(one for view in views for rule in PER_FILE for one in rule(view)),
        *(one for source in sources for one in gates.open_by_setting(source)),
        *charges.never_closed(views),
        *gates.unbilled(views),
        *secrets.in_client(files, sources),
        *secrets.handed_over(sources),
        *secrets.in_code(files),
        *secrets.in_bundles(beside.bundles, beside.secrets),
        *secrets.unset(files, sources, beside.settings),
        *(_unnamed_events(manifest, sources, package) if manifest and package else ()),
    ]
    return sorted({one for one in found if not allowed(one, files.get(one.path, ""))})


def _unnamed_events(manifest: Manifest, sources: list[Source], package: str) -> Iterator[Finding]:
    own = [one.text for one in sources if not one.path.startswith(package)]
    for event in manifest.answers.get("events", []):
        if not any(f'"{event}"' in text or f"'{event}'" in text for text in own):
            said = f"'{event}' is billable, and no code of yours names it"
            yield Finding(manifests.PATH, 0, "event-not-billed", said)
