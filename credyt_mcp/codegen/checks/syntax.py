"""Python and TypeScript as trees, with the few questions that rules ask of both. Pure.

A tree is also made of code with errors in it: a rule sees what there is, and never fails on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property

import tree_sitter_python
import tree_sitter_typescript
from tree_sitter import Language, Node, Parser

FUNCTIONS = frozenset(
    {
        *("function_definition", "lambda", "function_declaration", "arrow_function"),
        *("function_expression", "method_definition"),
        *("generator_function_declaration", "generator_function"),
    }
)
CALLS = frozenset({"call", "call_expression", "new_expression"})
HANDLERS = frozenset({"except_clause", "except_group_clause", "catch_clause"})
LOOPS = frozenset({"for_statement", "while_statement", "for_in_statement", "do_statement"})
RAISES = frozenset({"raise_statement", "throw_statement"})
COMPARISONS = frozenset({"<", ">", "<=", ">="})
NAMES = frozenset(
    {"identifier", "shorthand_property_identifier", "shorthand_property_identifier_pattern"}
)


@cache
def _parser(ending: str) -> Parser | None:
    if ending == "py":
        return Parser(Language(tree_sitter_python.language()))
    if ending in ("ts", "mts", "cts"):
        return Parser(Language(tree_sitter_typescript.language_typescript()))
    if ending in ("tsx", "jsx", "js", "mjs", "cjs"):
        return Parser(Language(tree_sitter_typescript.language_tsx()))
    return None


@dataclass(frozen=True)
class Source:
    """One source file; `root` is its tree."""

    path: str
    text: str
    root: Node

    @classmethod
    def of(cls, path: str, text: str) -> Source | None:
        """None for a file of another language."""
        parser = _parser(path.rpartition(".")[2])
        return None if parser is None else cls(path, text, parser.parse(text.encode()).root_node)

    @cached_property
    def nodes(self) -> list[Node]:
        return list(walk(self.root))

    @cached_property
    def functions(self) -> list[Node]:
        return [node for node in self.nodes if node.type in FUNCTIONS]

    @cached_property
    def calls(self) -> list[Node]:
        return [node for node in self.nodes if node.type in CALLS]

    @cached_property
    def for_browsers(self) -> bool:
        return (
            re.match(r"""(?:\s|//.*\n|/\*(?s:.*?)\*/)*["']use client["']""", self.text) is not None
        )


def walk(node: Node, *, own: bool = False) -> Iterator[Node]:
    """The node and all below it, in the order of the text; with `own` not into functions inside."""
    yield node
    for child in node.children:
        if not (own and child.type in FUNCTIONS):
            yield from walk(child, own=own)


def text_of(node: Node | None) -> str:
    return "" if node is None or node.text is None else node.text.decode(errors="replace")


def line_of(node: Node) -> int:
    """From 1, as editors count."""
    return node.start_point.row + 1


def ancestors(node: Node) -> Iterator[Node]:
    above = node.parent
    while above is not None:
        yield above
        above = above.parent


def function_of(node: Node) -> Node | None:
    """The innermost function around a node."""
    return next((one for one in ancestors(node) if one.type in FUNCTIONS), None)


def function_name(function: Node) -> str:
    """Its own name, or that of the variable or property that it is put into; '' without one."""
    named = function.child_by_field_name("name")
    if named is None and function.parent is not None:
        holder = function.parent
        named = holder.child_by_field_name("name") or holder.child_by_field_name("key")
    return text_of(named)


def called(call: Node) -> str:
    """What is called, as written: `client.authorize`."""
    target = call.child_by_field_name("function") or call.child_by_field_name("constructor")
    return re.sub(r"\s+|\?(?=\.)", "", text_of(target))


def last_name(call: Node) -> str:
    return called(call).rpartition(".")[2]


def arguments(call: Node) -> list[Node]:
    given = call.child_by_field_name("arguments")
    return [] if given is None else list(given.named_children)


def names_in(node: Node | None) -> set[str]:
    """Names that an expression reads (or a pattern binds); not those of attributes and keys."""
    if node is None:
        return set()
    return {text_of(one) for one in walk(node) if one.type in NAMES and not _is_label(one)}


def _is_label(name: Node) -> bool:
    holder = name.parent
    if holder is None:
        return False
    if holder.type == "attribute":
        return holder.child_by_field_name("attribute") == name
    return holder.type == "keyword_argument" and holder.child_by_field_name("name") == name


def bindings(root: Node) -> Iterator[tuple[Node, Node]]:
    """Each pattern that gets a value below a node, with that value."""
    for node in walk(root):
        if node.type in ("assignment", "assignment_expression", "augmented_assignment"):
            pair = node.child_by_field_name("left"), node.child_by_field_name("right")
        elif node.type in ("variable_declarator", "named_expression"):
            pair = node.child_by_field_name("name"), node.child_by_field_name("value")
        elif node.type in ("for_statement", "for_in_statement"):
            pair = node.child_by_field_name("left"), node.child_by_field_name("right")
        else:
            continue
        if pair[0] is not None and pair[1] is not None:
            yield pair[0], pair[1]


Seed = Callable[[Node], bool]
"""Recognises a node whose value is what is looked for."""


def derived(
    root: Node, seed: Seed, start: frozenset[str] = frozenset(), *, own: bool = False
) -> set[str]:
    """Names whose value comes from what `seed` recognises, also by way of other names and of
    functions that hold it. With `own`, what a call makes of its arguments is the call's own, and a
    function counts by what it returns."""
    found = set(start)
    pairs = list(bindings(root))
    functions = [node for node in walk(root) if node.type in FUNCTIONS and node != root]
    while True:
        before = len(found)
        for pattern, value in pairs:
            if comes_from(value, seed, found, own=own):
                found |= names_in(pattern)
        for function in functions:
            name = function_name(function)
            parts = _returned(function) if own else [function]
            if any(comes_from(one, seed, found, own=own) for one in parts) and name:
                found.add(name)
        if len(found) == before:
            return found


def _returned(function: Node) -> list[Node]:
    body = function.child_by_field_name("body")
    if body is not None and body.type not in ("block", "statement_block"):
        return [body]
    return [one for one in walk(function, own=True) if one.type == "return_statement"]


CONVERSIONS = frozenset(
    {"int", "float", "str", "Decimal", "round", "abs", "max", "Number", "String", "parseInt"}
    | {"parseFloat", "BigInt", "parse", "loads"}
)
"""Calls whose value is still what they were given."""


def comes_from(node: Node | None, seed: Seed, names: set[str], *, own: bool = False) -> bool:
    if node is None:
        return False
    if seed(node) or (node.type in NAMES and text_of(node) in names and not _is_label(node)):
        return True
    parts = node.children
    if own and node.type in CALLS and last_name(node) not in CONVERSIONS:
        parts = [one for one in parts if one != node.child_by_field_name("arguments")]
    return any(comes_from(one, seed, names, own=own) for one in parts)


def within(node: Node, kinds: frozenset[str], root: Node | None = None) -> bool:
    """Whether a node is inside one of these kinds, below `root`."""
    for above in ancestors(node):
        if above == root:
            return False
        if above.type in kinds:
            return True
    return False


def part_of(statement: Node, field: str) -> Node | None:
    return statement.child_by_field_name(field)


def condition_of(node: Node) -> Node | None:
    return node.child_by_field_name("condition")


def is_comparison(node: Node) -> bool:
    """An ordering: equality is not one."""
    kind = node.type in ("comparison_operator", "binary_expression")
    return kind and any(child.type in COMPARISONS for child in node.children)


def raises(node: Node) -> bool:
    return any(one.type in RAISES for one in walk(node))
