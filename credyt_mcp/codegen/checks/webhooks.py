"""Rules about webhooks: believed by their signature alone, over the body as it came. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from credyt_mcp.codegen.checks import syntax
from credyt_mcp.codegen.checks.findings import Finding, at
from credyt_mcp.codegen.checks.syntax import called, function_name, text_of
from credyt_mcp.codegen.checks.vocabulary import View, outermost

ROUTE = "/api/billing/webhook"
SECRET = "CREDYT_WEBHOOK_SECRET"  # noqa: S105  its name
COMPARES = frozenset({"compare_digest", "timingSafeEqual", "verify", "constructEvent", "unwrap"})
RECEIVES = frozenset({"receive", "webhookAnswer", "billingWebhook", *COMPARES})
PARSED = re.compile(
    r"\bjson\(\)|get_json\(|request\.json\b|request\.data\b|JSON\.stringify\(|json\.dumps\("
    r"|(?<!raw)\bbody\.(?:model_dump|dict)\("
)
PARSER = re.compile(r"(?:^|\.)(?:json|bodyParser)$")
PATH = re.compile(r"(?i)(?:billing|credyt)[\w/-]*webhook|webhooks?/(?:billing|credyt)")
FILE = re.compile(
    r"(?:^|/)(?:app|routes|pages|functions)/(?:.*[/.])?(?:billing|credyt)[/.-]webhooks?"
    r"(?:/(?:route|index))?\.[jt]sx?$"
)
"""Routes that are files of their own."""
IMPORTS = frozenset({"import_statement", "import_from_statement"})
LIBRARY = re.compile(r"standardwebhooks|svix")


def after_parser(view: View) -> Iterator[Finding]:
    """Express: a JSON parser that is mounted before the webhook has eaten its body."""
    mounts = [call for call in view.source.calls if called(call).endswith((".use", ".post"))]
    parsers: dict[tuple[Node | None, str], Node] = {}
    for call in mounts:
        where = outermost(call), called(call).rpartition(".")[0]
        if _parses_all(call):
            parsers.setdefault(where, call)
        elif _is_webhook(call) and where in parsers:
            line = syntax.line_of(parsers[where])
            said = f"mounted after the JSON parser of line {line}"
            yield at(view.source, call, "webhook-raw-body", said)


def _parses_all(mount: Node) -> bool:
    """Whether it is a parser of JSON on a path above the webhook's, and keeps no raw body."""
    given = syntax.arguments(mount)
    first = text_of(given[0]).strip("\"'`") if given and given[0].type == "string" else "/"
    return ROUTE.startswith(first) and any(
        one.type == "call_expression"
        and PARSER.search(called(one))
        and "verify" not in text_of(one)
        for one in given
    )


def _is_webhook(mount: Node) -> bool:
    given = syntax.arguments(mount)
    inner = [called(one) for one in given if one.type == "call_expression"]
    return "billingWebhook" in inner or any(
        one.type == "string" and PATH.search(text_of(one)) for one in given[:1]
    )


def parsed_body(view: View) -> Iterator[Finding]:
    """A signature that is checked over something else than the bytes that were signed."""
    for call in view.source.calls:
        if syntax.last_name(call) not in RECEIVES:
            continue
        function = outermost(call)
        parsed = set() if function is None else syntax.derived(function, _parses)
        for given in syntax.arguments(call)[:1]:
            if syntax.comes_from(given, _parses, parsed):
                said = f"{called(call)}(…) is given a body that was parsed"
                yield at(view.source, given, "webhook-raw-body", said)


def _parses(node: Node) -> bool:
    kinds = ("call", "call_expression", "attribute", "member_expression")
    return node.type in kinds and PARSED.search(text_of(node)[-40:]) is not None


def unverified(view: View) -> Iterator[Finding]:
    """A handler of webhooks that asks nobody whether they are genuine."""
    for call in view.source.calls:
        if syntax.last_name(call) not in ("on_event", "onEvent"):
            continue
        function = outermost(call)
        if function is not None and not _asks(view, function):
            said = f"{function_name(function)} believes what it is sent"
            yield at(view.source, call, "webhook-unverified", said)
    for node, said in _handlers(view):
        if not RECEIVES & _used(node):
            yield at(view.source, node, "webhook-unverified", said)


def ignored(view: View) -> Iterator[Finding]:
    """A wrong signature that is caught and not answered as one."""
    for node in view.source.nodes:
        if node.type not in syntax.HANDLERS or node.parent is None:
            continue
        body = node.parent.child_by_field_name("body")
        checks = {"receive", "webhookAnswer"}
        tried = (
            [] if body is None else [one for one in _calls(body) if syntax.last_name(one) in checks]
        )
        answers = re.search(r"\b4\d\d\b|\bstatus\b|\babort\(|\bnext\(", text_of(node))
        if tried and not syntax.raises(node) and not answers:
            said = "a wrong signature is caught here, and forgotten"
            yield at(view.source, node, "webhook-unverified", said)


def _asks(view: View, function: Node) -> bool:
    """Whether a signature is checked, here or in a function of this file that is called."""
    names = {syntax.last_name(one) for one in syntax.walk(function) if one.type in syntax.CALLS}
    near = [one for one in view.source.functions if function_name(one) in names or one == function]
    near += [
        one
        for one in view.source.functions
        for other in near
        if function_name(one) in {syntax.last_name(c) for c in _calls(other)}
    ]
    return any(syntax.last_name(one) in COMPARES for each in near for one in _calls(each))


def _calls(node: Node) -> Iterator[Node]:
    return (one for one in syntax.walk(node) if one.type in syntax.CALLS)


def _used(node: Node) -> set[str]:
    """Names of what is called or handed on, without imports."""
    kinds = {*syntax.NAMES, "property_identifier"}
    return {
        text_of(one)
        for one in syntax.walk(node)
        if one.type in kinds and not syntax.within(one, IMPORTS)
    }


def _handlers(view: View) -> Iterator[tuple[Node, str]]:
    """Functions behind a route of billing's webhook, where the file says so."""
    for call in view.source.calls:
        given = syntax.arguments(call)
        texts = [text_of(one) for one in given[:1] if one.type == "string"]
        own = view.inside and any(re.fullmatch(r"\W/webhooks?\W", one) for one in texts)
        if not texts or not (own or PATH.search(texts[0])):
            continue
        decorated = next(
            (a for a in syntax.ancestors(call) if a.type == "decorated_definition"), None
        )
        if decorated is not None:
            yield decorated, f"the route {texts[0]} believes what it is sent"
        elif called(call).endswith(".post") and given[-1].type in syntax.FUNCTIONS:
            yield call, f"the route {texts[0]} believes what it is sent"
    if FILE.search(view.source.path):
        yield view.source.root, "this route believes what it is sent"


def toothless(view: View) -> Iterator[Finding]:
    """A signature that is computed, and refuses nothing; or one that is good for ever."""
    secret = next((one for one in view.source.nodes if _names_secret(one)), None)
    if secret is None or LIBRARY.search(view.source.text):
        return
    root = view.source.root
    compared = syntax.derived(root, lambda one: _call_of(one, COMPARES))
    dated = syntax.derived(root, _names_timestamp)

    def aged(node: Node) -> bool:
        return syntax.is_comparison(node) and syntax.comes_from(node, _names_timestamp, dated)

    timed = syntax.derived(root, aged, own=True)
    refusals = [
        condition
        for node in view.source.nodes
        if node.type == "if_statement" and _refuses(node)
        for condition in [syntax.condition_of(node)]
    ]
    if not any(syntax.comes_from(c, lambda n: _call_of(n, COMPARES), compared) for c in refusals):
        said = "no request is refused for its signature"
        yield at(view.source, secret, "webhook-unverified", said)
    elif not any(syntax.comes_from(condition, aged, timed) for condition in refusals):
        said = "no request is refused for its age"
        yield at(view.source, secret, "webhook-replay", said)


def _names_secret(node: Node) -> bool:
    kinds = ("string", "property_identifier")
    return node.type in kinds and text_of(node).strip("\"'`") == SECRET


def _names_timestamp(node: Node) -> bool:
    return node.type == "string" and "webhook-timestamp" in text_of(node).lower()


def _call_of(node: Node, names: frozenset[str]) -> bool:
    return node.type in syntax.CALLS and syntax.last_name(node) in names


def _refuses(statement: Node) -> bool:
    body = statement.child_by_field_name("consequence")
    if body is None:
        return False
    return syntax.raises(body) or bool(
        re.search(r"\babort\(|\b4\d\d\b|return (?:False|false)\b", text_of(body))
    )
