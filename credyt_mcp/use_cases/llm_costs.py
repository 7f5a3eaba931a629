"""Turns the usage objects of model calls into costs: read, priced at the day of the call, stored.

A call that cannot be read or priced is kept with its object and the reason, and never at nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from sqlmodel import Session

from credyt_mcp.clock import to_micros
from credyt_mcp.domain.cost_rules import REUSED, CostRules, rule_of
from credyt_mcp.domain.llm_pricing import Rates, Unpriced, cost, lines, tier_of
from credyt_mcp.domain.llm_shapes import read_usage
from credyt_mcp.domain.llm_usage import Reading, Unreadable
from credyt_mcp.errors import Conflict, InvalidRequest
from credyt_mcp.ids import new_id
from credyt_mcp.storage import cost_rules, llm_prices, unique
from credyt_mcp.storage.tables import VendorRow
from credyt_mcp.use_cases import price_table
from credyt_mcp.use_cases.context import Billing
from credyt_mcp.use_cases.llm_terms import rates_of_terms, target_of
from credyt_mcp.use_cases.usage_fields import LlmUsage, UsageEventFields

CURRENCY = "USD"
NO_VENDORS = ("litellm",)
"""What passes calls on and is not paid for them; gateways that are paid are vendors."""
SAME_AS_MAX = 5
_OTEL_PROVIDER = ("gen_ai.provider.name", "gen_ai.system")
_OTEL_MODEL = ("gen_ai.response.model", "gen_ai.request.model")
_OTEL_ID = ("gen_ai.response.id",)
_NOTHING_SAID = ("aborted", "unknown")


class Calling(Protocol):
    """What may bring model calls."""

    @property
    def id(self) -> str: ...

    @property
    def occurred_at(self) -> datetime | None: ...

    @property
    def llm_usage(self) -> LlmUsage | list[LlmUsage] | None: ...


def llm_costs(
    billing: Billing, given: Sequence[UsageEventFields], internal: bool
) -> list[list[dict[str, Any]]]:
    """Each event's costs of model calls, as they are stored, with vendors that are made on first
    use. Raises InvalidRequest, naming the field, for counts that are none."""
    with billing.database.read() as session:
        rules = cost_rules.get(session, billing.tenant.id)
        priced = call_costs(session, billing, given)
    found = [
        [
            _ruled(rules, internal, event, call, cost)
            for (call, _), cost in zip(_calls(event), costs, strict=True)
        ]
        for event, costs in zip(given, priced, strict=True)
    ]
    _add_vendors(billing, [item for costs in found for item in costs])
    return found


def call_costs(
    session: Session, billing: Billing, given: Sequence[Calling]
) -> list[list[dict[str, Any]]]:
    """What each event's model calls cost; changes nothing. Raises InvalidRequest as `llm_costs`."""
    now = billing.now()
    return [
        [
            _of_call(session, billing, event, call, index, now, f"events[{place}].{path}.")
            for index, (call, path) in enumerate(_calls(event))
        ]
        for place, event in enumerate(given)
    ]


def _ruled(
    rules: CostRules,
    internal: bool,
    event: UsageEventFields,
    call: LlmUsage,
    stored: dict[str, Any],
) -> dict[str, Any]:
    """With the rule by which the cost is attributed, where there is a choice."""
    depends = bool(event.depends_on)
    rule = rule_of(rules, stored, call.shared_key, internal=internal, depends=depends)
    return stored if rule is None else {**stored, "rule": rule}


def price(
    session: Session, tenant_id: int, stored: dict[str, Any], moment: datetime
) -> dict[str, Any]:
    """What a stored call costs by the prices that are known now for `moment`. Raises Unpriced."""
    call = stored["llm"]
    try:
        reading = read_usage(call["usage"], call["provider"], call["model"])
    except Unreadable as error:
        raise Unpriced(str(error)) from None
    return _priced(session, tenant_id, call, reading, moment)


def _calls(event: Calling) -> list[tuple[LlmUsage, str]]:
    given = event.llm_usage
    if isinstance(given, list):
        return [(call, f"llm_usage[{index}]") for index, call in enumerate(given)]
    return [] if given is None else [(given, "llm_usage")]


def _of_call(
    session: Session,
    billing: Billing,
    event: Calling,
    call: LlmUsage,
    index: int,
    now: datetime,
    path: str,
) -> dict[str, Any]:
    said = _said(call, path)
    provider, model = said["provider"], said["model"]
    reused = call.outcome == REUSED
    stored: dict[str, Any] = {
        "id": (not reused and said.get("response_id")) or f"{event.id}:{index}:{call.attempt}",
        "vendor_external_id": _vendor(provider, model),
        "category": "embedding" if "embed" in model.lower() else "inference",
        "currency": CURRENCY,
        "llm": said,
    }
    if call.requested_at is not None:
        stored["booked_at"] = to_micros(call.requested_at)
    if reused:
        return {**stored, "amount": Decimal(0)}
    moment = call.requested_at or event.occurred_at or now
    try:
        reading = _reading(call, provider, model)
        stored |= _priced(session, billing.tenant.id, said, reading, moment)
    except InvalidRequest as error:
        raise error.renamed(path) from None
    except (Unreadable, Unpriced) as error:
        stored["unpriced"] = True
        stored["llm"] = {**said, "reason": str(error)}
    return stored


def _said(call: LlmUsage, path: str) -> dict[str, Any]:
    """What the caller said of the call, names from OpenTelemetry's attributes included."""
    usage = call.usage or {}
    provider = call.provider or _first(usage, _OTEL_PROVIDER)
    model = call.model or _first(usage, _OTEL_MODEL)
    if provider is None:
        raise InvalidRequest(f"{path}provider", "is required")
    if model is None:
        raise InvalidRequest(f"{path}model", "is required")
    provider = price_table.canonical(provider)
    if provider.startswith("vnd_"):
        raise InvalidRequest(f"{path}provider", "must not start with vnd_, as our own ids do")
    said = {
        "provider": provider,
        "model": model,
        "response_id": call.response_id or _first(usage, _OTEL_ID),
        "service_tier": call.service_tier,
        "batch": call.batch or None,
        "attempt": call.attempt,
        "outcome": call.outcome,
        "usage": call.usage,
    }
    return {name: value for name, value in said.items() if value is not None}


def _reading(call: LlmUsage, provider: str, model: str) -> Reading:
    reading = read_usage(call.usage, provider, model)
    if not reading.classes and call.outcome in _NOTHING_SAID:
        raise Unreadable(f"the call was {call.outcome}, and nothing was counted")
    return reading


def _priced(
    session: Session, tenant_id: int, call: dict[str, Any], reading: Reading, moment: datetime
) -> dict[str, Any]:
    tier = "batch" if call.get("batch") else tier_of(call.get("service_tier"), reading.tier)
    rates = _rates(session, tenant_id, call["provider"], call["model"], moment, tier, reading)
    parts = lines(reading, rates)
    details = {
        "priced_as": rates.model,
        "priced_by": rates.source,
        "tier": tier,
        "lines": [part.stored() for part in parts],
    }
    kept = {name: value for name, value in call.items() if name != "reason"}
    kept |= {name: value for name, value in details.items() if value is not None}
    return {"amount": cost(parts), "llm": kept}


def rates_of(
    session: Session,
    tenant_id: int,
    provider: str,
    model: str,
    moment: datetime,
    named_tier: str | None,
) -> Rates:
    """What is charged for a call served in that way, of whatever length. Raises Unpriced."""
    tier = tier_of(named_tier)
    return _rates(session, tenant_id, provider, model, moment, tier, Reading({}))


def _rates(
    session: Session,
    tenant_id: int,
    provider: str,
    model: str,
    moment: datetime,
    tier: str | None,
    reading: Reading,
) -> Rates:
    """The tenant's own, or the published ones, of the first meaning of the name that has any."""
    for _ in range(SAME_AS_MAX):
        meanings = list(price_table.candidates(provider, model))
        target: tuple[str, str] | None = None
        for of, name in meanings:
            row = llm_prices.in_force(session, tenant_id, of, name.lower(), moment)
            if row is None:
                continue
            target = target_of(row.terms)
            if target is None:
                return rates_of_terms(row.terms, f"{of}/{name}", tier or reading.speed)
            break
        if target is None:
            return _published(meanings, moment, tier, reading)
        provider, model = price_table.canonical(target[0]), target[1]
    raise Unpriced(f"the own prices of '{model}' go round in a circle")


def _published(
    meanings: list[tuple[str, str]], moment: datetime, tier: str | None, reading: Reading
) -> Rates:
    for index, (provider, model) in enumerate(meanings):
        last = index == len(meanings) - 1
        if last or price_table.knows(provider, model):
            return price_table.rates(provider, model, moment, tier, reading.speed, reading.geo)
    raise AssertionError("a name means at least itself")


def _vendor(provider: str, model: str) -> str:
    """Whom the call is paid to."""
    if provider in NO_VENDORS:
        *_, (provider, _) = price_table.candidates(provider, model)
    return provider


def _first(usage: dict[str, Any], names: Sequence[str]) -> str | None:
    return next((usage[name] for name in names if isinstance(usage.get(name), str)), None)


def vendors_named(billing: Billing, names: set[str]) -> dict[str, tuple[str, str | None]]:
    """Public and external id of each; who is not known is made, with the name as external id."""
    tenant_id = billing.tenant.id
    known = billing.vendors.read(tenant_id, names)
    for name in sorted(names - known.keys()):
        row = VendorRow(
            tenant_id=tenant_id,
            public_id=new_id("vnd"),
            external_id=name,
            name=price_table.name_of(name),
            created_at=billing.now(),
        )
        with suppress(Conflict), billing.database.write() as session:
            if not unique.save(session, row):
                raise Conflict(f"somebody has just made the vendor '{name}'")
    return billing.vendors.read(tenant_id, names)


def _add_vendors(billing: Billing, costs: list[dict[str, Any]]) -> None:
    ids = vendors_named(billing, {item["vendor_external_id"] for item in costs})
    for item in costs:
        vendor_id, external_id = ids[item["vendor_external_id"]]
        item["vendor_id"] = vendor_id
        if external_id is None:
            del item["vendor_external_id"]
        else:
            item["vendor_external_id"] = external_id
