"""Rules about what is billed, to whom and by which id: nothing the browser may say. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from credyt_mcp.codegen.checks import syntax
from credyt_mcp.codegen.checks.findings import Finding, at
from credyt_mcp.codegen.checks.syntax import called, names_in, text_of
from credyt_mcp.codegen.checks.vocabulary import View, contains, outermost

FRESH = re.compile(
    r"(?:^|\.)(?:uuid[147]?|randomUUID|nanoid|v4|ulid|time|time_ns|now|random|token_hex|getTime)$"
)
REQUEST = re.compile(
    r"^(?:await)?\s*\(?(?:self\.)?(?:req|request|ctx\.req|c\.req|flask\.request)\)?\."
    r"(?:json|form|args|values|query_params|path_params|GET|POST|data|body|query|params|formData"
    r"|get_json|nextUrl\.searchParams)\b"
)
MEASURED = re.compile(
    r"(?i)^\W?(?:\w*_)?(?:amount|price|cost|fee|credits?|total|usd|cents|units?|tokens|seconds"
    r"|quantity)\W?$"
)
GIVEN = re.compile(r"Depends\(|UserId|RequestId|Header\(|BackgroundTasks|\b(?:Request|Response)\b")
ROUTE = re.compile(r"\.(?:get|post|put|patch|delete|route|api_route)\(")


def fresh_ids(view: View) -> Iterator[Finding]:
    """An id that is new each time it is sent."""
    for node in view.source.nodes:
        if node.type not in ("dictionary", "object"):
            continue
        pairs = _pairs(node)
        if "event_type" in pairs and "id" in pairs and _fresh(pairs["id"]):
            said = f"the event's id is made as it is sent: {text_of(pairs['id'])[:40]}"
            yield at(view.source, pairs["id"], "fresh-event-id", said)
    for gate in view.gates:
        for name, value in _named(gate):
            if name in ("request_id", "requestId", "idempotency_key") and _fresh(value):
                said = "a request id of one's own making tells no double submit"
                yield at(view.source, value, "fresh-event-id", said)
    for call in view.records:
        function = outermost(call)
        made = set() if function is None else syntax.derived(function, _makes_fresh, own=True)
        for name, value in _named(call):
            if name == "id" and names_in(value) & made:
                said = f"the event's id, `{text_of(value)}`, is new for each request"
                yield at(view.source, value, "fresh-event-id", said)
    yield from _made_in_a_loop(view)


def _makes_fresh(node: Node) -> bool:
    return node.type in syntax.CALLS and FRESH.search(called(node)) is not None


def _made_in_a_loop(view: View) -> Iterator[Finding]:
    sent = [*view.records, *view.captures, *view.holds]
    for loop in (one for one in view.source.nodes if one.type in syntax.LOOPS):
        tried = any(one.type == "try_statement" for one in syntax.walk(loop))
        inside = [one for one in sent if contains(loop, one)]
        for pattern, value in syntax.bindings(loop):
            used = [one for one in inside if names_in(pattern) & names_in(one)]
            if tried and used and _fresh(value):
                said = "every turn of the loop has an id of its own"
                yield at(view.source, value, "fresh-event-id", said)


def _fresh(value: Node) -> bool:
    return any(one.type in syntax.CALLS and FRESH.search(called(one)) for one in syntax.walk(value))


def from_request(view: View) -> Iterator[Finding]:
    """What the browser sent decides what is billed, or whom."""
    for function in view.source.functions:
        if syntax.function_of(function) is not None:
            continue
        tainted = syntax.derived(function, _of_request, _parameters(function), own=True)
        tainted -= _checked(function)
        for call in (one for one in syntax.walk(function) if one.type in syntax.CALLS):
            for rule, value in _sinks(view, call):
                if syntax.comes_from(value, _of_request, tainted, own=True):
                    said = f"`{text_of(value)[:50]}` is what the request said"
                    yield at(view.source, value, rule, said)


def _sinks(view: View, call: Node) -> Iterator[tuple[str, Node]]:
    name, given = syntax.last_name(call), syntax.arguments(call)
    if name in ("top_up_url", "topUpUrl"):
        yield from (("amount-from-request", one) for one in given[1:2])
        yield from (("user-from-request", one) for one in given[:1])
    elif name == "use" or call in view.records:
        for key, value in _named(call):
            if MEASURED.match(key):
                yield "amount-from-request", value
    elif any("/top-ups" in text_of(one) for one in given[:1]):
        yield from (("amount-from-request", value) for k, value in _named(call) if k == "amount")
    elif call in view.gates and given and given[0].type != "string":
        yield "user-from-request", given[0]


def _of_request(node: Node) -> bool:
    kinds = ("attribute", "member_expression", "call", "call_expression")
    return node.type in kinds and REQUEST.match(re.sub(r"\?\.", ".", text_of(node))) is not None


def _parameters(function: Node) -> frozenset[str]:
    """Parameters that a framework fills from the request: those of a decorated route."""
    holder = function.parent
    if holder is None or holder.type != "decorated_definition":
        return frozenset()
    decorators = [one for one in holder.children if one.type == "decorator"]
    if not any(ROUTE.search(text_of(one)) for one in decorators):
        return frozenset()
    parameters = function.child_by_field_name("parameters")
    return frozenset(
        text_of(one.child_by_field_name("name") or one.named_children[0])
        for one in (parameters.named_children if parameters else [])
        if one.named_children and not GIVEN.search(text_of(one))
    )


def _checked(function: Node) -> set[str]:
    """Names that are looked up in a list of the app's own."""
    found: set[str] = set()
    for node in syntax.walk(function):
        operators = {one.type for one in node.children}
        if node.type == "comparison_operator" and operators & {"in", "not in"}:
            found |= names_in(node.named_children[0])
        elif node.type in syntax.CALLS and syntax.last_name(node) in ("includes", "has"):
            found |= {name for one in syntax.arguments(node) for name in names_in(one)}
    return found


def _pairs(node: Node) -> dict[str, Node]:
    found: dict[str, Node] = {}
    for one in node.named_children:
        key, value = one.child_by_field_name("key"), one.child_by_field_name("value")
        if key is not None and value is not None:
            found[text_of(key).strip("\"'`")] = value
        elif one.type == "shorthand_property_identifier":
            found[text_of(one)] = one
    return found


def _named(call: Node) -> Iterator[tuple[str, Node]]:
    """What a call is given by name: keywords, and the pairs of objects, also inside each other."""
    for argument in syntax.arguments(call):
        if argument.type in syntax.FUNCTIONS:
            continue
        if argument.type == "keyword_argument":
            name, value = (argument.child_by_field_name(one) for one in ("name", "value"))
            if value is not None:
                yield text_of(name), value
        for one in syntax.walk(argument, own=True):
            if one.type in ("dictionary", "object"):
                yield from _pairs(one).items()
