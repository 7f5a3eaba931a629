"""Rules about the gate before paid work: who passes, and what those hear who do not. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from credyt_mcp.codegen.checks import syntax
from credyt_mcp.codegen.checks.findings import Finding, at
from credyt_mcp.codegen.checks.syntax import Source, called, function_name, names_in, text_of
from credyt_mcp.codegen.checks.vocabulary import (
    METERS,
    PRIMITIVES,
    View,
    contains,
    function_and_above,
)

BALANCE = re.compile(
    r"(?i)^(?:get|fetch|load|read|check|current|retrieve)?_?(?:user_?|wallet_?)?(?:balance|wallet|credits?)$"
)
BALANCE_PATH = re.compile(r"(?:/wallet|/billing/balance)[\"'`]$")
ANSWERED = re.compile(r"\b[45]\d\d\b|\bstatus\b|status_code|HTTP_402|redirect|\babort\(|\bnext\(")
DOWN = re.compile(
    r"Unavailable|Timeout|ConnectionError|ConnectError|TransportError|URLError|OSError|RequestError"
)
ACTIONS = re.compile(r"""^\s*["']use server["']""", re.MULTILINE)
"""Server actions of Next.js: they answer values, which have no status."""
REFUSED = re.compile(r"\b(?:\w*Insufficient\w*|BillingError|BillingRefused|\w*Exception)\b")
BRANCHES = frozenset({"if_statement", "switch_case", "case_clause"})
SETTING = re.compile(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b")
PROVIDER = re.compile(
    r"(?:^|\.)(?:(?:chat\.)?completions|responses|messages|images|embeddings|models|speech"
    r"|transcriptions)\.(?:create|generate|parse|edit|stream|generate_content|generateContent"
    r"|generate_content_stream|generateContentStream|generate_images|generateImages)$"
    r"|^(?:generateText|streamText|generateObject|streamObject|generateImage|embedMany"
    r"|experimental_generateImage|litellm\.a?completion|replicate\.(?:async_)?run)$"
)


def check_then_act(view: View) -> Iterator[Finding]:
    """The balance is read and compared, and nothing sets the money aside."""
    if view.source.for_browsers:
        return  # what a page shows decides nothing
    read = syntax.derived(view.source.root, _reads_balance)
    for node in view.source.nodes:
        if not syntax.is_comparison(node) or not syntax.comes_from(node, _reads_balance, read):
            continue
        around = list(function_and_above(node))
        gates = [gate for gate in view.gates if any(contains(one, gate) for one in around)]
        if all(_of_another_branch(gate, node) for gate in gates):
            said = f"`{_short(node)}` looks at the balance, and no hold follows"
            yield at(view.source, node, "check-then-act", said)


def _of_another_branch(gate: Node, node: Node) -> bool:
    """Whether the gate stands before the node, in a branch that the node is not in."""
    branch = next((one for one in syntax.ancestors(gate) if one.type in BRANCHES), None)
    before = gate.start_byte < node.start_byte
    return before and branch is not None and not contains(branch, node)


def _reads_balance(node: Node) -> bool:
    if node.type in syntax.CALLS:
        return BALANCE.match(syntax.last_name(node)) is not None
    return node.type in ("string", "template_string") and bool(BALANCE_PATH.search(text_of(node)))


def swallowed(view: View) -> Iterator[Finding]:
    """A refusal, or an outage, that is caught and not passed on."""
    for node in view.source.nodes:
        if node.type in syntax.HANDLERS:
            statement = node.parent
            body = None if statement is None else statement.child_by_field_name("body")
            if body is not None and any(contains(body, gate) for gate in view.gates):
                yield from _caught(view, node)
        elif node.type in syntax.CALLS and called(node).endswith(".catch"):
            if any(contains(node, gate) for gate in view.gates):
                for callback in syntax.arguments(node):
                    yield from _caught(view, callback)
        elif (
            _answers_error(node)
            and not re.search(r"\bstatus\b|402", text_of(node))
            and not ACTIONS.search(view.source.text)
        ):
            said = "a billing error is answered without its status"
            yield at(view.source, node, "swallowed-402", said)


def _answers_error(node: Node) -> bool:
    return node.type == "return_statement" and bool(
        re.search(r"\b\w*err(?:or)?\w*\.body\(\)", text_of(node), re.IGNORECASE)
    )


def _caught(view: View, handler: Node) -> Iterator[Finding]:
    text, kind = text_of(handler), _kind(handler)
    down = bool(DOWN.search(kind)) or bool(re.search(r"instanceof \w*Unavailable", text))
    if kind and not down and not REFUSED.search(kind):
        return  # another error, such as one of the work itself
    if _always_raises(handler) or ANSWERED.search(text):
        return
    if syntax.raises(handler) and (not down or SETTING.search(text)):
        return  # some of them go on, by a setting of the app's
    rule = "fail-open" if down else "swallowed-402"
    said = (
        "refusals and outages alike end here, unsaid" if not kind else "a refusal ends here, unsaid"
    )
    if down:
        said = "paid work goes on although billing is down"
    yield at(view.source, handler, rule, said)


def _kind(handler: Node) -> str:
    """The exceptions that Python's handler names; '' for one that takes all."""
    if handler.type == "catch_clause" or handler.type in syntax.FUNCTIONS:
        return ""
    named = [one for one in handler.named_children if one.type not in ("block", "comment")]
    return " ".join(text_of(one) for one in named)


def _always_raises(handler: Node) -> bool:
    block = handler.child_by_field_name("body") or next(
        (one for one in handler.named_children if one.type == "block"), None
    )
    return block is not None and any(one.type in syntax.RAISES for one in block.named_children)


def open_by_setting(source: Source) -> Iterator[Finding]:
    """The app's own setting that lets work run without billing."""
    for pattern, value in syntax.bindings(source.root):
        if "RUN_WITHOUT_BILLING" in names_in(pattern) and text_of(value) in ("True", "true"):
            said = "RUN_WITHOUT_BILLING is on"
            yield at(source, pattern, "fail-open", said)


def reported_only(view: View) -> Iterator[Finding]:
    """Usage that is sent afterwards, by a function that never asked for the money."""
    for call in view.records:
        around = list(function_and_above(call))
        if any(function_name(one).lstrip("_") in PRIMITIVES for one in around):
            continue
        if not any(contains(one, gate) for one in around for gate in view.gates):
            said = f"{called(call)}(…) reports usage that nothing was held for"
            yield at(view.source, call, "work-before-hold", said)


def unbilled(views: list[View]) -> Iterator[Finding]:
    """Calls of an LLM provider outside every hold, by a client that no meter is on."""
    metered = {name for view in views for name in syntax.derived(view.source.root, _meters)}
    work = [
        (view, call)
        for view in views
        for call in view.source.calls
        if PROVIDER.search(called(call)) and not metered & set(called(call).split(".")[:-1])
    ]
    if not work or any("litellm_callback" in view.imported for view in views):
        return
    covered = _covered_names(views)
    for view, call in work:
        around = list(function_and_above(call))
        if _covered(view, call) or any(function_name(one) in covered for one in around):
            continue
        late = any(contains(one, gate) for one in around for gate in view.gates)
        rule = "work-before-hold" if late else "unbilled-call"
        said = f"{called(call)}(…) runs {'before the hold' if late else 'without a hold'}"
        yield at(view.source, call, rule, said)


def _meters(node: Node) -> bool:
    return node.type in syntax.CALLS and syntax.last_name(node) in METERS


def _covered_names(views: list[View]) -> set[str]:
    """Functions that are named inside held work, and those that these name in turn."""
    found: set[str] = set()
    while True:
        before = len(found)
        for view in views:
            for call in view.source.calls:
                around = {function_name(one) for one in function_and_above(call)} - {""}
                if _covered(view, call) or around & found:
                    found.add(syntax.last_name(call))
        if len(found) == before:
            return found


def _covered(view: View, call: Node) -> bool:
    """Inside `billable`, or after a hold in a function around it."""
    for gate in view.scoped:
        block = next((a for a in syntax.ancestors(gate) if a.type == "with_statement"), gate)
        if contains(block, call) and call != gate:
            return True
    around = list(function_and_above(call))
    return any(
        contains(function, held) and held.start_byte < call.start_byte
        for function in around
        for held in view.holds
    )


def _short(node: Node) -> str:
    return re.sub(r"\s+", " ", text_of(node))[:60]
