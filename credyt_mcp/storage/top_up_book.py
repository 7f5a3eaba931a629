"""Loads top-ups of a batch, with the rules and charges of automatic ones, and writes what became of
them; begins the automatic top-up of an account that is low.

Part of the money path, inside the lane's transaction, after the wallets are locked. A wallet
without a rule costs nothing here: its accounts watch nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from credyt_mcp import exact_json
from credyt_mcp.clock import DAY, from_micros, to_micros
from credyt_mcp.domain.assets import currency
from credyt_mcp.domain.auto_top_ups import AutoCharge, Rule, fire
from credyt_mcp.domain.book import Book
from credyt_mcp.domain.ledger import Account
from credyt_mcp.domain.money import Asset, from_units
from credyt_mcp.domain.transfers import TopUp
from credyt_mcp.ids import new_id
from credyt_mcp.storage import auto_top_up_tables, ledger_tables, payment_tables
from credyt_mcp.storage.lane_connection import LaneConnection, table_of

ACCOUNTS = table_of(ledger_tables.LedgerAccountRow)
TOP_UPS = table_of(payment_tables.TopUpRow)
RULES = table_of(auto_top_up_tables.AutoTopUpRow)
CHARGES = table_of(auto_top_up_tables.AutoChargeRow)

ENDS_AFTER = 7 * DAY
"""Longer than any retry: an automatic top-up is not shown as expired while it is tried."""

FindAsset = Callable[[int, str], Asset | None]


def load(
    connection: LaneConnection, book: Book, commands: Sequence[Any], find_asset: FindAsset
) -> None:
    """Top-ups that commands name, and the rules of customers on whose rules they are."""
    named = {command.top_up for command in commands if getattr(command, "top_up", None)}
    on_rules = {
        (book.customers[command.ref].tenant_id, book.customers[command.ref].id)
        for command in commands
        if getattr(command, "on_auto_top_ups", False) and command.ref in book.customers
    }
    if on_rules:
        for row in connection.find(RULES, ("tenant_id", "customer_id"), sorted(on_rules)):
            _add_rule(book, row)
        under_way = (rule for rule in book.rules.values() if rule.top_up_id is not None)
        named |= {(rule.tenant_id, rule.top_up_id) for rule in under_way}
    if not named:
        return
    for row in connection.find(TOP_UPS, ("tenant_id", "public_id"), sorted(named)):
        asset = find_asset(row["tenant_id"], row["currency"])
        assert asset is not None
        book.top_ups[row["tenant_id"], row["public_id"]] = _top_up(row, asset)
    for row in connection.find(CHARGES, ("tenant_id", "top_up_id"), sorted(named)):
        book.auto_charges[row["tenant_id"], row["top_up_id"]] = _charge(row)


class Fired(NamedTuple):
    """Rows of an automatic top-up that begins."""

    top_up: dict[str, Any]
    charge: dict[str, Any]


def fire_low(connection: LaneConnection, book: Book) -> list[Fired]:
    """Begin an automatic top-up for each account that this book has left low. Call it before the
    book is written, and give the answer to `save`."""
    low = [row for row in book.changed.values() if isinstance(row, Account) and _is_low(row)]
    if not low:
        return []
    fired = list[Fired]()
    ids = [(account.id,) for account in low]
    for row in connection.find(RULES, ("account_id",), ids):
        if row["account_id"] not in book.rules:
            _add_rule(book, row)
    since = to_micros(
        from_micros(book.now).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    )
    recent = f"(created_at >= {since} OR {auto_top_up_tables.OPEN.text})"
    charges: dict[int | None, list[AutoCharge]] = {}
    for row in connection.find(CHARGES, ("account_id",), ids, recent):
        known = book.auto_charges.get((row["tenant_id"], row["top_up_id"])) or _charge(row)
        charges.setdefault(row["account_id"], []).append(known)
    for account in low:
        assert account.id is not None
        rule, top_up_id, before = book.rules[account.id], new_id("top"), account.available
        if fire(book, rule, charges.get(account.id, []), top_up_id):
            charge = _new_charge(rule, top_up_id, before, book.now)
            fired.append(Fired(_new_top_up(rule, top_up_id, book.now), charge))
    return fired


def save(connection: LaneConnection, book: Book, fired: list[Fired]) -> None:
    """Write what changed of top-ups, and of the rules and charges of automatic ones."""
    changed = list(book.changed.values())
    rules = [row for row in changed if isinstance(row, Rule)]
    watches = [{"id": rule.account.id, "top_up_below": rule.account.top_up_below} for rule in rules]
    for table, rows in (
        (TOP_UPS, [_top_up_state(row) for row in changed if isinstance(row, TopUp)]),
        (CHARGES, [_charge_state(row) for row in changed if isinstance(row, AutoCharge)]),
        (RULES, [_rule_state(rule) for rule in rules]),
        (ACCOUNTS, watches),
    ):
        if rows:
            connection.update(table, ("id",), rows)
    if fired:  # after the end of those before: an account has one at once
        connection.insert(TOP_UPS, [one.top_up for one in fired])
        connection.insert(CHARGES, [one.charge for one in fired])


def _is_low(account: Account) -> bool:
    return account.top_up_below is not None and account.available < account.top_up_below


def _add_rule(book: Book, row: dict[str, Any]) -> None:
    customers = (one for one in book.customers.values() if one.id == row["customer_id"])
    accounts = (account for one in customers for account in one.accounts.values())
    account = next(one for one in accounts if one.id == row["account_id"])
    asset = currency(row["currency"])
    assert asset is not None, "a provider takes currencies only"
    same = ("id", "tenant_id", "customer_id", "status", "reason", "threshold", "amount", "provider")
    caps = ("card", "daily_count", "monthly_count", "daily_limit", "monthly_limit", "top_up_id")
    book.rules[row["account_id"]] = Rule(
        account=account,
        currency=asset,
        check_at=row["check_at"],
        **{name: row[name] for name in (*same, *caps)},
    )


def _rule_state(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "status": rule.status,
        "reason": rule.reason,
        "card": rule.card,
        "top_up_id": rule.top_up_id,
        "check_at": rule.check_at,
    }


def _top_up(row: dict[str, Any], paid_in: Asset) -> TopUp:
    return TopUp(
        id=row["id"],
        tenant_id=row["tenant_id"],
        public_id=row["public_id"],
        account_name=row["account_name"],
        status=row["status"],
        paid=row["amount"],
        currency=paid_in,
        credit_expires_at=row["credit_expires_at"],
        exchange_rate=row["exchange_rate"],
        provider_ref=row["provider_ref"],
    )


def _top_up_state(row: TopUp) -> dict[str, Any]:
    names = ("id", "status", "settled_at", "credit_expires_at", "exchange_rate", "provider_ref")
    return {name: getattr(row, name) for name in names}


def _charge(row: dict[str, Any]) -> AutoCharge:
    return AutoCharge(**{name: row[name] for name in AutoCharge.__dataclass_fields__})


def _charge_state(row: AutoCharge) -> dict[str, Any]:
    names = ("id", "status", "attempt", "asks", "next_attempt_at", "code")
    return {name: getattr(row, name) for name in names}


def _new_top_up(rule: Rule, top_up_id: str, now: int) -> dict[str, Any]:
    return {
        "tenant_id": rule.tenant_id,
        "public_id": top_up_id,
        "customer_id": rule.customer_id,
        "status": "initiated",
        "amount": rule.amount,
        "currency": rule.currency.code,
        "account_name": rule.account.name,
        "asset": rule.account.asset.code,
        "details": exact_json.dumps({"description": "Automatic top-up"}).decode(),
        "provider": rule.provider,
        "created_at": now,
        "expires_at": now + ENDS_AFTER,
    }


def _new_charge(rule: Rule, top_up_id: str, available: int, now: int) -> dict[str, Any]:
    asset = rule.account.asset
    occasion = {
        "threshold": from_units(rule.threshold, asset),
        "available": from_units(available, asset),
    }
    return {
        "tenant_id": rule.tenant_id,
        "customer_id": rule.customer_id,
        "account_id": rule.account.id,
        "top_up_id": top_up_id,
        "amount": rule.amount,
        "currency": rule.currency.code,
        "status": "open",
        "attempt": 0,
        "asks": 0,
        "next_attempt_at": now,
        "occasion": exact_json.dumps(occasion).decode(),
        "created_at": now,
    }
