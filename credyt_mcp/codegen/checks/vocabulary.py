"""How code speaks of billing: what holds, what settles, what streams. Pure.

It knows the names of the code we write, and the REST paths for code that was written by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property

from tree_sitter import Node

from credyt_mcp.codegen.checks import syntax
from credyt_mcp.codegen.checks.syntax import Source, called, last_name, text_of

HOLDS = frozenset(
    {
        *("hold", "ahold", "authorize", "authorize_usage", "authorizeUsage"),
        *("create_authorization", "createAuthorization"),
    }
)
SCOPED = frozenset({"billable", "abillable"})
SETTLES = frozenset({"settle", "capture", "release"})
STREAMS = frozenset({"billed_stream", "billedStream", "BilledStream", "sendBilled"})
RECORDS = frozenset({"record", "record_event", "recordEvent", "submit_events", "submitEvents"})
METERS = frozenset({"meter_openai", "meter_anthropic", "litellm_callback"})
"""What makes a client that holds and captures by itself."""
PRIMITIVES = frozenset({*HOLDS, *SETTLES, *RECORDS, "finish", "resend"})
"""Functions of these names do one step; whoever calls them does the others."""

OURS = re.compile(r"(?i)billing|credyt|charge|(^|[./\"'])(client|paid)\b|authorization")
RESPONSES = frozenset(
    {"Response", "StreamingResponse", "StreamingHttpResponse", "ReadableStream", "Readable.from"}
)


class View:
    """A source file as billing sees it. `inside` says that it is part of billing's own package."""

    def __init__(self, source: Source, inside: bool) -> None:
        self.source, self.inside = source, inside

    @cached_property
    def imported(self) -> set[str]:
        """Names that come from a module of billing."""
        return {name for name, module in _imports(self.source) if OURS.search(module)}

    def _is(self, call: Node, names: frozenset[str], path: str) -> bool:
        before, _, last = called(call).rpartition(".")
        if last in names:
            return bool(OURS.search(before)) if before else self.inside or last in self.imported
        return any(re.search(path, text_of(one)) for one in _texts(call))

    @cached_property
    def holds(self) -> list[Node]:
        return self._calls(HOLDS, r"/authorizations[\"'`]$")

    @cached_property
    def captures(self) -> list[Node]:
        return self._calls(frozenset({"capture"}), r"/capture[\"'`]$")

    @cached_property
    def releases(self) -> list[Node]:
        return self._calls(frozenset({"release"}), r"/release[\"'`]$")

    @cached_property
    def records(self) -> list[Node]:
        return self._calls(RECORDS, r"^[^ ]*(?<!webhooks)/events[\"'`]$")

    @cached_property
    def scoped(self) -> list[Node]:
        return [call for call in self.source.calls if last_name(call) in SCOPED]

    @cached_property
    def streamed(self) -> list[Node]:
        return [call for call in self.source.calls if last_name(call) in STREAMS]

    @cached_property
    def settles(self) -> list[Node]:
        """Calls that settle, and `charge.settle` handed to somebody who will call it."""
        handed = [
            node
            for node in self.source.nodes
            if node.type in ("attribute", "member_expression")
            and text_of(node).rpartition(".")[2] == "settle"
        ]
        bare = [one for one in self.source.calls if called(one).lstrip("_") == "settle"]
        return [*handed, *bare, *self.captures, *self.releases]

    @property
    def gates(self) -> list[Node]:
        """Calls that ask whether the user can pay."""
        return [*self.holds, *self.scoped]

    @property
    def speaks(self) -> bool:
        return bool(self.gates or self.records or self.imported & METERS)

    def _calls(self, names: frozenset[str], path: str) -> list[Node]:
        return [call for call in self.source.calls if self._is(call, names, path)]


def _texts(call: Node) -> Iterator[Node]:
    """String literals that a call is given directly."""
    for argument in syntax.arguments(call):
        parts = argument.children if argument.type == "binary_operator" else [argument]
        yield from (one for one in parts if one.type in ("string", "template_string"))


def _imports(source: Source) -> Iterator[tuple[str, str]]:
    """Each imported name with the module it is from."""
    for node in source.nodes:
        if node.type == "import_from_statement":
            module = text_of(node.child_by_field_name("module_name"))
            for name in node.children_by_field_name("name"):
                yield text_of(name.child_by_field_name("alias") or name), module
        elif node.type == "import_statement" and node.child_by_field_name("source"):
            module = text_of(node.child_by_field_name("source"))
            for one in syntax.walk(node):
                if one.type == "import_specifier":
                    alias = one.child_by_field_name("alias")
                    yield text_of(alias or one.child_by_field_name("name")), module
                elif one.type in ("namespace_import", "import_clause"):
                    yield from (
                        (text_of(c), module) for c in one.children if c.type in syntax.NAMES
                    )


def function_and_above(node: Node) -> Iterator[Node]:
    """Every function around a node, from the inside out."""
    return (one for one in syntax.ancestors(node) if one.type in syntax.FUNCTIONS)


def outermost(node: Node) -> Node | None:
    return next(iter(reversed(list(function_and_above(node)))), None)


def contains(outer: Node, inner: Node) -> bool:
    return outer.start_byte <= inner.start_byte and inner.end_byte <= outer.end_byte
