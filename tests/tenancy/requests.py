"""Every request there is: all routes of the API document and all MCP tools, filled from an
account's ids and names.

`{name}` in a path, a query or a template below stands for each of the account's values of that
name, see world.py. A route or tool that needs something not yet in these tables fails the tests
with the line to add.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from credyt_mcp.entrypoints.mcp.tools import TOOLS
from tests.samples import unit_price

Values = Mapping[str, list[str]]

BILL = "day,vendor,model,amount\n2026-11-20,model-co,own-model,0.5\n"
RETURN = {"return_url": "https://app.example/ok", "failure_url": "https://app.example/failed"}
EVENT = {"id": "{event_id}", "event_type": "image", "data": {"size": "large"}}
CREDIT = {"transaction_id": "{transaction_id}", "asset": "USD", "amount": 1, "reason": "gift"}
OTLP = "/otlp/v1/traces"
SPAN = {
    "traceId": "aa",
    "spanId": "bb",
    "endTimeUnixNano": "1",
    "attributes": [
        {"key": "credyt.customer", "value": {"stringValue": "{customer_id}"}},
        {"key": "gen_ai.provider.name", "value": {"stringValue": "openai"}},
        {"key": "gen_ai.response.model", "value": {"stringValue": "gpt-5"}},
        {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "100"}},
    ],
}
USAGE = [{"id": "event-1", "event_type": "image"}]
VERSION = {"prices": [unit_price(2)], "publish": True}
AUTO_TOP_UP = {"threshold": 0, "amount": 5, "consent": {"text": "Top me up."}}
TOP_UP = {"customer_id": "{customer_id}", "amount": 5, "currency": "USD", **RETURN}

BODIES: dict[str, Any] = {
    "POST /accounts": {"name": "Another"},
    "POST /assets": {"code": "{asset_code}", "name": "Another"},
    "POST /assets/{asset_code}/quote": {"source": "USD", "amount": 1},
    "POST /assets/{asset_code}/rates": {"source": "USD", "rate": 0.07},
    "POST /authorizations": {
        "id": "{authorization_id}",
        "customer_id": "{customer_id}",
        "amount": 1,
    },
    "POST /authorizations/{authorization_id}/capture": {"amount": 0.1},
    "POST /authorizations/{authorization_id}/extend": {"amount": 0.1},
    "POST /clock": {"advance_by": "PT1S"},
    "POST /billing-portal/sessions": {"customer_id": "{customer_id}", **RETURN},
    "POST /customers": {
        "name": "Another",
        "subscriptions": [{"products": [{"code": "{product_id}"}], **RETURN}],
    },
    "PATCH /customers/{customer_id}": {"name": "Changed"},
    "POST /customers/{customer_id}/subscriptions": {
        "products": [{"code": "{product_id}"}],
        **RETURN,
    },
    "PATCH /customers/{customer_id}/subscriptions/{subscription_id}": {"status": "inactive"},
    "PATCH /customers/{customer_id}/subscriptions/{subscription_id}/products/{product_id}": {
        "version": 1
    },
    "POST /customers/{customer_id}/wallet/adjustments": CREDIT,
    "POST /customers/{customer_id}/wallet/charges": CREDIT,
    "PUT /customers/{customer_id}/budgets": {"limit": 7},
    "PATCH /customers/{customer_id}/wallet/{account_id}": {"overdraft_limit": 3},
    "PUT /customers/{customer_id}/wallet/{account_id}/auto-top-up": AUTO_TOP_UP,
    "POST /customers/{customer_id}/payment-methods": RETURN,
    "POST /events": {"customer_id": "{customer_id}", "events": [EVENT]},
    "POST /costs/reprice": {},
    "PATCH /cost-rules": {"failures": "write_off"},
    "POST /alerts": {"metric": "cost", "threshold": 10},
    "PATCH /alerts/{alert_id}": {"threshold": 20},
    "PUT /llm-prices/{provider}/{model}": {"input": 2},
    "POST /keys": {"name": "another"},
    "POST /products": {"name": "Another", "code": "{code}", **VERSION},
    "POST /products/{product_id}": VERSION,
    "PATCH /products/{product_id}/{version}": {"publish": True, "make_default": True},
    "POST /products/{product_id}/{version}/simulate-usage": {"events": USAGE},
    "POST /top-ups": TOP_UP,
    "POST /replays": {"product_id": "{product_id}", "customers": ["{customer_id}"]},
    "POST /top-ups/{top_up_id}/refunds": {"quoted": 4, "amount": 1},
    "POST /vendor-bills": {"document": BILL},
    "POST /reconciliation/true-up": {"vendor_id": "{vendor_id}"},
    "POST /vendors": {"name": "Another"},
    "POST /webhooks": {"url": "https://app.example/hooks"},
    "PATCH /webhooks/{webhook_id}": {"topics": ["balance.low"]},
    "POST /webhooks/test/{topic}": {},
    "POST /webhooks/test/{topic}/{connected_account_id}": {},
    "POST /webhooks/{webhook_id}/test/{topic}": {},
    "POST /webhooks/{webhook_id}/test/{topic}/{connected_account_id}": {},
    "POST /payment-accounts": {"secret_key": "sk_test_intruder"},
    "PATCH /payment-accounts/{payment_account_id}": {"webhook_secrets": ["whsec_intruder"]},
    "PATCH /payment-settings": {"invoices": True},
    "POST /wallets": {"external_id": "another", "products": ["{product_id}"]},
}
"""The smallest valid body of each route that takes one."""

ARGUMENTS: dict[str, dict[str, Any]] = {
    "add_asset_rate": {"asset_code": "{asset_code}", "source": "USD", "rate": 0.06},
    "advance_clock": {"advance_by": "PT1S"},
    "authorize_usage": {
        "id": "{authorization_id}",
        "customer_id": "{customer_id}",
        "event_type": "image",
    },
    "create_adjustment": {"customer_id": "{customer_id}", **CREDIT},
    "create_asset": {"code": "{asset_code}", "name": "Another"},
    "create_customer": {"name": "Another"},
    "create_product": {"name": "Another", "code": "{code}", **VERSION},
    "create_product_version": {"product_id": "{product_id}", **VERSION},
    "create_vendor": {"name": "Another"},
    "create_wallet": {"external_id": "{customer_external_id}", "products": ["{product_id}"]},
    "define_price": {"product_id": "{product_id}", "event_type": "video", "unit_price": 1},
    "extend_authorization": {"authorization_id": "{authorization_id}", "amount": 0.1},
    "generate_topup_flow": {"customer_id": "{customer_id}", "amount": 5},
    "get_customer": {"customer_id": "{customer_id}"},
    "get_event": {"event_id": "{event_id}"},
    "get_profitability": {"group_by": "customer", "customer_id": "{customer_id}"},
    "get_product": {"product_id": "{product_id}"},
    "get_top_up": {"top_up_id": "{top_up_id}"},
    "get_wallet": {"customer_id": "{customer_id}"},
    "list_assets": {},
    "list_customers": {},
    "list_products": {},
    "plan_integration": {"files": {"main.py": "from fastapi import FastAPI"}},
    "replay_pricing": {"product_id": "{product_id}", "customers": ["{customer_id}"]},
    "quote_refund": {"top_up_id": "{top_up_id}"},
    "refund_top_up": {"top_up_id": "{top_up_id}", "quoted": 4, "amount": 1},
    "reconcile_costs": {},
    "quote_asset": {"asset_code": "{asset_code}", "source": "USD", "amount": 1},
    "record_event": {"customer_id": "{customer_id}", **EVENT},
    "release_authorization": {"authorization_id": "{authorization_id}"},
    "set_budget": {"customer_id": "{customer_id}", "limit": 8, "window": "day"},
    "set_wallet_limits": {
        "customer_id": "{customer_id}",
        "account_id": "{account_id}",
        "overdraft_limit": 2,
    },
    "simulate_usage": {"product_id": "{product_id}", "version": "default", "events": USAGE},
    "submit_events": {"customer_id": "{customer_id}", "events": [EVENT]},
    "verify_integration": {"files": {"main.py": "billing.authorize(); billing.release()"}},
    "verify_ledger": {},
}
"""The smallest valid arguments of each tool."""

SAME_FOR_ALL = {
    *("limit", "offset", "status", "purpose", "exclude_expired", "has_fees", "event_types"),
    "group_by",
    *("since", "priced_at", "enabled", "connect", "next", "prev", "time_gte", "time_lte"),
    *("effective_from", "effective_to", "expired_from", "expired_to", "period_from", "period_to"),
    *("group_by", "sort", "cursor", "decisions", "top_percent", "margin_below", "format"),
}
"""Query parameters that name nothing of anybody's."""

_PLACE = re.compile(r"\{(\w+)\}")
_ORDER = ("GET", "POST", "PATCH", "PUT", "DELETE")


class Asked(NamedTuple):
    """One request; `of` names the route or tool it is for."""

    of: str
    method: str
    path: str
    body: Any = None

    @property
    def text(self) -> str:
        return f"{self.path} {json.dumps(self.body)}"


def everything(document: dict[str, Any], values: Values) -> list[Asked]:
    """Every request over both faces: what reads comes first, what deletes last."""
    rest = over_rest(document, values)
    reads = [asked for asked in rest if asked.method == "GET"]
    return [*reads, *over_mcp(values), *over_otlp(values), *rest[len(reads) :]]


def over_rest(document: dict[str, Any], values: Values) -> list[Asked]:
    asked = [
        request
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        for request in _of_operation(method.upper(), path, operation, values)
    ]
    return sorted(asked, key=_turn)


def _turn(request: Asked) -> float:
    """Another Stripe has none of the customers' cards: it is connected when all else was asked."""
    connects = request.of == "POST /payment-accounts"
    return _ORDER.index("DELETE") - 0.5 if connects else _ORDER.index(request.method)


def over_mcp(values: Values) -> list[Asked]:
    requests: list[Asked] = []
    for tool in TOOLS:
        if tool.name not in ARGUMENTS:
            pytest.fail(f"add the smallest valid arguments of {tool.name} to ARGUMENTS, {__name__}")
        for arguments in _filled(ARGUMENTS[tool.name], values):
            call = {"name": tool.name, "arguments": arguments}
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
            requests.append(Asked(tool.name, "POST", "/mcp", body))
    return requests


def over_otlp(values: Values) -> Iterator[Asked]:
    """A model call's span: its route is another standard's, and not in our document."""
    for span in _filled(SPAN, values):
        body = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
        yield Asked(f"POST {OTLP}", "POST", OTLP, body)


def _of_operation(
    method: str, path: str, operation: dict[str, Any], values: Values
) -> Iterator[Asked]:
    name = f"{method} {path}"
    if "requestBody" in operation and name not in BODIES:
        pytest.fail(f"add the smallest valid body of {name} to BODIES, {__name__}")
    for [filled, body] in _filled([path, BODIES.get(name)], values, quoted=path):
        yield Asked(name, method, filled, body)
    for parameter in operation.get("parameters", ()):
        query = parameter["name"]
        if parameter["in"] != "query" or query in SAME_FOR_ALL:
            continue
        for [filled, value] in _filled([path, f"{{{query}}}"], values, quoted=path):
            yield Asked(name, method, f"{filled}?{query}={quote(value)}")


def _filled(template: Any, values: Values, quoted: str = "") -> Iterator[Any]:
    """The template once for each combination of what its placeholders stand for."""
    text = json.dumps(template)
    names = sorted(set(_PLACE.findall(text)))
    for name in names:
        if name not in values:
            pytest.fail(f"the world has no '{name}': make one in tests/tenancy/world.py")
    for combination in itertools.product(*(values[name] for name in names)):
        chosen = dict(zip(names, combination, strict=True))
        filled = json.loads(_replaced(text, chosen))
        if quoted:
            in_path = {name: quote(value, safe="") for name, value in chosen.items()}
            filled[0] = _replaced(quoted, in_path)
        yield filled


def _replaced(text: str, chosen: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda place: chosen[place[1]], text)
