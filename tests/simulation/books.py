"""The state of the books as plain values to compare: the real ones and the reference's."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import text

from credyt_mcp.storage.database import Database
from tests.simulation import catalogue
from tests.simulation.faces import Face
from tests.simulation.reference import Reference
from tests.simulation.reference_earnings import amounts, shown

Wallet = dict[str, Fraction]
Statements = dict[tuple[str, str], list[tuple[Fraction, Fraction]]]


async def wallet(face: Face, customer: str) -> Wallet:
    return {one["id"]: Fraction(one["available"]) for one in await face.wallet(customer)}


def wallet_wanted(model: Reference, customer: str) -> Wallet:
    accounts = model.customers[customer].accounts
    return {f"{name}:{asset}": account.available for (name, asset), account in accounts.items()}


async def credit(face: Face) -> dict[str, Any]:
    """Per customer and account: credit to come, and every grant with what is left of it."""
    seen: dict[str, Any] = {}
    for customer in catalogue.CUSTOMERS:
        for account_id in await wallet(face, customer):
            account = await face.account(customer, account_id)
            seen[f"{customer} {account_id}"] = (
                Fraction(account["pending_in"]),
                [
                    (
                        grant["purpose"],
                        Fraction(grant["amount"]),
                        Fraction(grant["available"]),
                        _moment(grant["effective_at"]),
                        _moment(grant["expires_at"]),
                    )
                    for grant in await face.grants(customer, account_id)
                ],
            )
    return seen


def credit_wanted(model: Reference) -> dict[str, Any]:
    return {
        f"{customer} {name}:{asset}": (
            account.pending,
            [(g.purpose, g.amount, g.left, g.effective_at, g.expires_at) for g in account.grants],
        )
        for customer, held in model.customers.items()
        for (name, asset), account in held.accounts.items()
    }


async def stats(face: Face, model: Reference) -> None:
    """Every figure of revenue and cost is what the model's facts add up to."""
    days = sorted({fact.day for fact in model.facts}) or [model.now.date()]
    first, middle, last = days[0], days[len(days) // 2], days[-1]
    for period in ({}, {"period_from": middle}, {"period_from": first, "period_to": middle}):
        inside = [
            fact
            for fact in model.facts
            if period.get("period_from", first) <= fact.day <= period.get("period_to", last)
        ]
        for customer in model.customers:
            own = [fact for fact in inside if fact.customer == customer]
            assert shown(await face.customer_stats(customer, **period)) == amounts(own)
        for category in ("inference", "uncategorized"):
            found = await face.vendor_stats(**period, category=category)
            of = [fact for fact in inside if fact.category == category]
            assert _vendor(found) == {code: cost for code, (_, cost) in amounts(of).items()}
    every = await face.all_stats(period_from=first, period_to=last)
    assert shown(every["summary"]) == amounts(model.facts)
    external_ids = [item["external_id"] for item in every["items"]]
    assert external_ids == list(model.customers)[::-1]
    for item in every["items"]:
        own = [fact for fact in model.facts if fact.customer == item["external_id"]]
        assert shown(item["stats"]) == amounts(own)
    spent = [fact for fact in model.facts if fact.category]
    assert _vendor(await face.vendor_stats()) == {
        code: cost for code, (_, cost) in amounts(spent).items()
    }


async def event_stats(face: Face, model: Reference) -> None:
    for event_id in model.events:
        own = [fact for fact in model.facts if fact.event == event_id]
        assert shown((await face.event(event_id)).get("stats")) == amounts(own), event_id


def _vendor(found: dict[str, Any]) -> dict[str, Fraction]:
    """Costs by currency; each is what its categories add up to."""
    costs = {}
    for one in [found, *(found.get("other_currencies") or ())]:
        costs[one["currency"]] = sum((Fraction(c["cost"]) for c in one["categories"]), Fraction(0))
        assert costs[one["currency"]] == Fraction(one["total_costs"])
    return {code: cost for code, cost in costs.items() if cost}


async def fees(face: Face, event_ids: list[str]) -> dict[str, list[tuple[str, str, Fraction]]]:
    seen = {}
    for event_id in event_ids:
        event = await face.event(event_id)
        seen[event_id] = [
            (fee["price_name"], fee["currency"], Fraction(fee["amount"])) for fee in event["fees"]
        ]
    return seen


def statements(database: Database) -> Statements:
    """Per customer and account, every entry with the balance after it, in order."""
    rows = _rows(
        database,
        """SELECT c.external_id, a.name, a.asset, e.amount, e.balance_after
           FROM ledger_entries e JOIN ledger_accounts a ON a.id = e.account_id
           JOIN customers c ON c.id = a.customer_id WHERE a.kind = 'wallet' ORDER BY e.id""",
    )
    listed: Statements = {}
    for customer, name, asset, amount, after in rows:
        entry = _major(amount, asset), _major(after, asset)
        listed.setdefault((customer, f"{name}:{asset}"), []).append(entry)
    return listed


def statements_wanted(model: Reference) -> Statements:
    return {
        (customer, f"{name}:{asset}"): [entry[:2] for entry in account.statement]
        for customer, held in model.customers.items()
        for (name, asset), account in held.accounts.items()
        if account.statement
    }


def business(database: Database) -> dict[tuple[str, str], Fraction]:
    """The tenant's own accounts, summed from their entries by kind and asset."""
    rows = _rows(
        database,
        """SELECT a.kind, a.asset, e.amount FROM ledger_entries e
           JOIN ledger_accounts a ON a.id = e.account_id WHERE a.kind <> 'wallet'""",
    )
    sums: dict[tuple[str, str], Fraction] = {}
    for kind, asset, amount in rows:
        sums[kind, asset] = sums.get((kind, asset), Fraction(0)) + _major(amount, asset)
    return {key: amount for key, amount in sums.items() if amount}


def rebuilt_wallets(database: Database) -> dict[str, Wallet]:
    """Every wallet, from nothing but the ledger's entries."""
    rows = _rows(
        database,
        """SELECT c.external_id, a.name, a.asset, COALESCE(SUM(e.amount), 0)
           FROM ledger_accounts a JOIN customers c ON c.id = a.customer_id
           LEFT JOIN ledger_entries e ON e.account_id = a.id
           WHERE a.kind = 'wallet' GROUP BY c.external_id, a.name, a.asset""",
    )
    wallets: dict[str, Wallet] = {customer: {} for customer in catalogue.CUSTOMERS}
    for customer, name, asset, units in rows:
        wallets[customer][f"{name}:{asset}"] = _major(units, asset)
    return wallets


def everything_stored(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """All that is money, row by row."""
    tables = ("events", "ledger_transactions", "ledger_entries", "ledger_accounts", "grants")
    stored = {name: _rows(database, f"SELECT * FROM {name} ORDER BY id") for name in tables}
    stored["counts"] = _rows(database, "SELECT * FROM period_counters ORDER BY customer_id, key")
    for name, key in (("margins", 10), ("customer_margins", 4), ("use_margins", 6)):
        order = ", ".join(str(number + 1) for number in range(key))
        stored[name] = _rows(database, f"SELECT * FROM {name} ORDER BY {order}")
    stored["cost_ids"] = _rows(database, "SELECT * FROM cost_ids ORDER BY 1, 2")
    stored["top_ups"] = _rows(database, "SELECT id, status FROM top_ups ORDER BY id")
    return stored


def _rows(database: Database, sql: str) -> list[tuple[Any, ...]]:
    with database.read() as session:
        return [tuple(row) for row in session.connection().execute(text(sql))]


def _major(units: Any, asset: str) -> Fraction:
    return Fraction(int(units), 10 ** catalogue.SCALES[asset])


def _moment(value: datetime | str | None) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value
