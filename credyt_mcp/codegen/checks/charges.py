"""Rules about a charge: held money is billed or given back on every path. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from credyt_mcp.codegen.checks import syntax
from credyt_mcp.codegen.checks.findings import Finding, at
from credyt_mcp.codegen.checks.syntax import (
    Source,
    called,
    function_name,
    names_in,
    part_of,
    text_of,
)
from credyt_mcp.codegen.checks.vocabulary import (
    PRIMITIVES,
    RESPONSES,
    View,
    contains,
    function_and_above,
    outermost,
)

FINALLY = frozenset({"finally_clause"})
ON_CLOSE = ("call_on_close", "on_close", "addEventListener", "background")


def unsettled(view: View) -> Iterator[Finding]:
    """A hold whose charge is not settled on every path of the function that made it."""
    for held in view.holds:
        function = syntax.function_of(held)
        if function is None or _primitive(function) or _handed_on(held, function):
            continue
        charge = _bound_to(held, function)
        settles = [one for one in view.settles if contains(function, one)]
        if any(charge & names_in(one) for one in view.streamed if contains(function, one)):
            continue
        if not settles:
            said = f"{called(held)}(…) is neither settled here nor handed on"
            yield at(view.source, held, "hold-never-settled", said)
        elif not _on_every_path(function, settles):
            yield _left_open(view.source, function, settles[0])


def half_settled(view: View) -> Iterator[Finding]:
    """A function that settles another's charge, or streams its work, and forgets a way out."""
    held = {outermost(one) for one in view.holds}
    seen: list[Node] = []
    for settle in view.settles:
        function = outermost(settle)
        if function is None or function in held or function in seen:
            continue
        seen.append(function)
        inner = [one for one in function_and_above(settle) if _primitive(one)]
        settles = [one for one in view.settles if contains(function, one)]
        if not inner and not _on_every_path(function, settles):
            yield _left_open(view.source, function, settle)
    for call in view.source.calls:
        function = outermost(call)
        if function is None or called(call) not in RESPONSES or function in held:
            continue
        takes = names_in(function.child_by_field_name("parameters"))
        if "charge" in takes and not any(contains(function, one) for one in view.settles):
            said = f"{function_name(function)} streams billed work and never settles it"
            yield at(view.source, call, "capture-missing-on-abort", said)


def unsettled_class(view: View) -> Iterator[Finding]:
    """A kind of streamed response that carries a charge, and never settles it."""
    for node in view.source.nodes:
        if node.type != "class_definition" or "Streaming" not in text_of(
            part_of(node, "superclasses")
        ):
            continue
        carries = any(text_of(one).endswith(".charge") for one in syntax.walk(node))
        if carries and not any(contains(node, one) for one in view.settles):
            said = f"{text_of(part_of(node, 'name'))} carries a charge and never settles it"
            yield at(view.source, node, "capture-missing-on-abort", said)


def never_closed(views: list[View]) -> Iterator[Finding]:
    """An app that holds, and has no code at all that captures, or none that releases."""
    holds = [(view, one) for view in views for one in view.holds]
    captures = [(view, one) for view in views for one in view.captures if _used(one)]
    releases = [(view, one) for view in views for one in view.releases if _used(one)]
    if holds and not captures:
        view, call = (releases or holds)[0]
        said = "no code of this app captures what it holds"
        yield at(view.source, call, "hold-never-settled", said)
    if holds and not releases:
        view, call = (captures or holds)[0]
        said = "no code of this app releases what it holds"
        yield at(view.source, call, "release-missing-on-error", said)


def _used(call: Node) -> bool:
    """Whether it does more than define the step: `def release(): call('/release')` alone is a
    definition."""
    function = syntax.function_of(call)
    name = "" if function is None else function_name(function)
    return name not in ("capture", "release")


def _primitive(function: Node) -> bool:
    return function_name(function).lstrip("_") in PRIMITIVES


def _handed_on(held: Node, function: Node) -> bool:
    """Whether the caller gets the charge."""
    for above in syntax.ancestors(held):
        if above == function:
            # An arrow function whose body is the call itself.
            body = function.child_by_field_name("body")
            return body is not None and body.type != "statement_block" and body.type != "block"
        if above.type == "return_statement":
            return True
    charge = _bound_to(held, function)
    returned = [one for one in syntax.walk(function, own=True) if one.type == "return_statement"]
    return any(charge & names_in(one) for one in returned) and not any(
        called(call) in RESPONSES for one in returned for call in _calls(one)
    )


def _calls(node: Node) -> Iterator[Node]:
    return (one for one in syntax.walk(node) if one.type in syntax.CALLS)


def _bound_to(held: Node, function: Node) -> set[str]:
    """Names of the variable that the hold is put into."""
    return {
        name
        for pattern, value in syntax.bindings(function)
        if contains(value, held)
        for name in names_in(pattern)
    }


def _streams(function: Node) -> bool:
    holder = function.parent
    if holder is not None and "contextmanager" in text_of(holder.named_children[0]):
        return False  # what it yields is not sent
    heads = [one for one in syntax.ancestors(function) if one.type.startswith("class_")]
    if any("StreamingResponse" in text_of(part_of(one, "superclasses")) for one in heads):
        return True
    kinds = {"yield", "yield_expression"}
    return any(one.type in kinds for one in syntax.walk(function)) or any(
        called(call) in RESPONSES for call in _calls(function)
    )


def _on_every_path(function: Node, settles: list[Node]) -> bool:
    """In `finally`, or where the stream's end is told; for work without a stream, also in each
    handler."""
    if any(_told_of_the_end(one, function) for one in settles):
        return True
    if any(called(call) == "ReadableStream" for call in _calls(function)):
        return False  # its reader goes away by `cancel` alone
    if any(syntax.within(one, FINALLY, function) for one in settles):
        return True
    handlers = [one for one in syntax.walk(function) if one.type in syntax.HANDLERS]
    caught = [one for one in handlers if any(contains(one, settle) for settle in settles)]
    if not caught or len(caught) == len(settles):
        return False
    aborts = [one for one in caught if "BaseException" in text_of(one)]
    return bool(aborts) or not _streams(function)


def _told_of_the_end(settle: Node, function: Node) -> bool:
    for above in syntax.ancestors(settle):
        if above == function:
            return False
        if above.type in syntax.FUNCTIONS and function_name(above) in ("cancel", "close"):
            return True
        if above.type in syntax.CALLS and called(above).rpartition(".")[2] in ON_CLOSE:
            return True
        if above.type in syntax.CALLS and called(above).endswith((".on", ".once")):
            return '"close"' in text_of(above) or "'close'" in text_of(above)
    return False


def _left_open(source: Source, function: Node, settle: Node) -> Finding:
    name = function_name(function) or "this function"
    if _streams(function):
        said = f"{name} does not settle when the reader goes away"
        return at(source, settle, "capture-missing-on-abort", said)
    return at(source, settle, "release-missing-on-error", f"{name} does not settle when work fails")
