"""Turns rows of the ledger into the book's objects and back. No SQL, no decisions."""

from __future__ import annotations

from typing import Any

from credyt_mcp import exact_json, ids
from credyt_mcp.domain.book import Authorization, Book, Customer, Event, Leg
from credyt_mcp.domain.grants import Basis, Grant
from credyt_mcp.domain.ledger import Account, Entry, Transaction
from credyt_mcp.domain.money import Asset
from credyt_mcp.domain.notices import Notice


def customer_of(row: dict[str, Any]) -> Customer:
    """Without accounts and versions, which are loaded once the row is locked."""
    return Customer(
        row["id"],
        row["tenant_id"],
        row["public_id"],
        (),
        next_due_at=row["next_due_at"],
        has_budgets=bool(row["has_budgets"]),
    )


def grant_of(row: dict[str, Any]) -> Grant:
    return Grant(
        id=row["id"],
        purpose=row["purpose"],
        source=row["source"],
        priority=row["priority"],
        amount=row["amount"],
        remaining=row["remaining"],
        effective_at=row["effective_at"],
        expires_at=row["expires_at"],
        booked=bool(row["booked"]),
        basis=None if row["basis"] is None else Basis.parse(row["basis"]),
    )


def event_of(row: dict[str, Any]) -> Event:
    fields = {name: value for name, value in row.items() if name in Event.__annotations__}
    for name in ("data", "fees", "costs"):
        fields[name] = None if row[name] is None else exact_json.loads(row[name])
    return Event(**fields)


def transaction_of(row: dict[str, Any], accounts: dict[int | None, Account]) -> Transaction:
    elsewhere = Account(
        row["account_id"], row["tenant_id"], row["customer_id"], "wallet", "", Asset("", 0, 0)
    )
    return Transaction(
        tenant_id=row["tenant_id"],
        kind=row["kind"],
        key=row["key"],
        client_id=row["client_id"],
        customer_id=row["customer_id"],
        account=accounts.get(row["account_id"], elsewhere),
        amount=row["amount"],
        recorded_at=row["recorded_at"],
        executed_at=row["executed_at"],
        description=row["description"],
        details=exact_json.loads(row["details"]),
        id=row["id"],
    )


def account_row(account: Account, book: Book) -> dict[str, Any]:
    return {
        "tenant_id": account.tenant_id,
        "customer_id": account.customer_id,
        "kind": account.kind,
        "name": account.name,
        "asset": account.asset.code,
        "balance": account.balance,
        "held": account.held,
        "overdraft_limit": account.overdraft_limit,
        "hard_limit": int(account.hard_limit),
        "low_noticed": int(account.low_noticed),
        "created_at": book.now,
    }


def event_row(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "tenant_id": event.tenant_id,
        "key": event.key,
        "client_id": event.client_id,
        "customer_id": event.customer_id,
        "event_type": event.event_type,
        "subject": event.subject,
        "user_id": event.user_id,
        "description": event.description,
        "data": _json(event.data),
        "fees": _json(event.fees),
        "costs": _json(event.costs),
        "occurred_at": event.occurred_at,
        "recorded_at": event.recorded_at,
    }


def transaction_row(transaction: Transaction) -> dict[str, Any]:
    return {
        "id": transaction.id,
        "tenant_id": transaction.tenant_id,
        "key": transaction.key,
        "kind": transaction.kind,
        "client_id": transaction.client_id,
        "customer_id": transaction.customer_id,
        "account_id": transaction.account.id,
        "amount": transaction.amount,
        "description": transaction.description,
        "details": exact_json.dumps(transaction.details).decode(),
        "recorded_at": transaction.recorded_at,
        "executed_at": transaction.executed_at,
    }


def entry_row(entry_id: int, record: Event | Transaction, entry: Entry) -> dict[str, Any]:
    return {
        "id": entry_id,
        "tenant_id": record.tenant_id,
        "transaction_id": record.id,
        "account_id": entry.account.id,
        "amount": entry.amount,
        "balance_after": entry.balance_after,
    }


def grant_row(record: Event | Transaction, account: Account, grant: Grant) -> dict[str, Any]:
    return {
        "id": grant.id,
        "tenant_id": record.tenant_id,
        "account_id": account.id,
        "transaction_id": record.id,
        "purpose": grant.purpose,
        "source": grant.source,
        "priority": grant.priority,
        "amount": grant.amount,
        "remaining": grant.remaining,
        "booked": int(grant.booked),
        "basis": None if grant.basis is None else str(grant.basis),
        "live": int(grant.remaining > 0),
        "effective_at": grant.effective_at,
        "expires_at": grant.expires_at,
        "created_at": record.recorded_at,
    }


def changed_accounts(book: Book) -> list[dict[str, Any]]:
    rows = [
        {
            "id": row.id,
            "balance": row.balance,
            "held": row.held,
            "low_noticed": int(row.low_noticed),
        }
        for row in book.changed.values()
        if isinstance(row, Account)
    ]
    return sorted(rows, key=lambda row: row["id"])


def changed_grants(book: Book) -> list[dict[str, Any]]:
    """Those that last; no index need know of their change."""
    return [_grant_state(grant) for grant in _changed_grants(book) if grant.remaining > 0]


def used_up_grants(book: Book) -> list[dict[str, Any]]:
    used_up = (grant for grant in _changed_grants(book) if grant.remaining <= 0)
    return [{**_grant_state(grant), "live": 0} for grant in used_up]


def _changed_grants(book: Book) -> list[Grant]:
    changed = [row for row in book.changed.values() if isinstance(row, Grant)]
    return sorted(changed, key=lambda grant: grant.id or 0)


def _grant_state(grant: Grant) -> dict[str, Any]:
    return {"id": grant.id, "remaining": grant.remaining, "booked": int(grant.booked)}


def account_of(row: dict[str, Any], asset: Asset) -> Account:
    return Account(
        id=row["id"],
        tenant_id=row["tenant_id"],
        customer_id=row["customer_id"],
        kind=row["kind"],
        name=row["name"],
        asset=asset,
        balance=row["balance"],
        held=row["held"],
        overdraft_limit=row["overdraft_limit"],
        hard_limit=bool(row["hard_limit"]),
        low_threshold=row["low_threshold"],
        low_noticed=bool(row["low_noticed"]),
        top_up_below=row["top_up_below"],
    )


def authorization_of(row: dict[str, Any], accounts: dict[int | None, Account]) -> Authorization:
    """`accounts` of other customers are unknown; their legs stay empty, and are not written."""
    details = exact_json.loads(row["details"])
    return Authorization(
        id=row["id"],
        tenant_id=row["tenant_id"],
        key=row["key"],
        client_id=row["client_id"],
        customer_id=row["customer_id"],
        status=row["status"],
        legs=[
            Leg(accounts[account_id], *units)
            for account_id, *units in exact_json.loads(row["legs"])
            if account_id in accounts
        ],
        request=exact_json.loads(row["request"]),
        subject=row["subject"],
        expires_at=row["expires_at"],
        created_at=row["created_at"],
        closed_at=row["closed_at"],
        **details,
    )


def authorization_row(row: Authorization) -> dict[str, Any]:
    return {
        **_authorization_state(row),
        "tenant_id": row.tenant_id,
        "key": row.key,
        "client_id": row.client_id,
        "customer_id": row.customer_id,
        "request": exact_json.dumps(row.request).decode(),
        "subject": row.subject,
        "created_at": row.created_at,
    }


def changed_authorizations(book: Book) -> list[dict[str, Any]]:
    new = set(map(id, book.new_authorizations))
    changed = [row for row in book.changed.values() if isinstance(row, Authorization)]
    return [_authorization_state(row) for row in changed if id(row) not in new]


def _authorization_state(row: Authorization) -> dict[str, Any]:
    details: dict[str, Any] = {
        "metadata": row.metadata,
        "extensions": row.extensions,
        "exceeded": row.exceeded,
        "late": row.late,
    }
    if row.user_id is not None:
        details["user_id"] = row.user_id
    if row.costs:
        details["costs"] = row.costs
    legs = [[leg.account.id, leg.authorized, leg.held, leg.captured] for leg in row.legs]
    return {
        "id": row.id,
        "status": row.status,
        "legs": exact_json.dumps(legs).decode(),
        "details": exact_json.dumps(details).decode(),
        "expires_at": row.expires_at,
        "closed_at": row.closed_at,
    }


def notice_row(notice: Notice) -> dict[str, Any]:
    return {
        "tenant_id": notice.tenant_id,
        "public_id": ids.new_id("evt"),
        "kind": notice.kind,
        "customer_id": notice.customer_id,
        "account_id": notice.account.id if notice.account is not None else 0,
        "details": exact_json.dumps(notice.data).decode(),
        "once_key": notice.once,
        "created_at": notice.created_at,
    }


def _json(value: Any) -> str | None:
    return None if value is None else exact_json.dumps(value).decode()
