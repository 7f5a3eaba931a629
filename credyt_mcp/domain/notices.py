"""What notices say: the `data` of each webhook topic that a book can raise, in wire shape. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from credyt_mcp.clock import from_micros
from credyt_mcp.domain.grants import Grant
from credyt_mcp.domain.ledger import Account
from credyt_mcp.domain.money import from_units

if TYPE_CHECKING:
    from credyt_mcp.domain.book import Authorization


@dataclass(frozen=True)
class Notice:
    """Something the tenant should know, written in the transaction of what caused it. `kind` is a
    webhook topic and `data` what is sent of it; of those with an equal `once`, one is kept."""

    tenant_id: int
    kind: str
    customer_id: int
    account: Account | None
    data: dict[str, Any]
    created_at: int
    once: bytes | None


def data_of(
    customer_id: str, account: Account | None, details: dict[str, Any], at: int
) -> dict[str, Any]:
    """The whole data of a notice: whom it is about first, when it happened last."""
    data: dict[str, Any] = {"customer_id": customer_id}
    if account is not None:
        data |= _account(account)
    data |= details
    data.setdefault("occurred_at", from_micros(at))
    return data


def balance_low(account: Account) -> dict[str, Any]:
    assert account.low_threshold is not None
    return {
        "balance": from_units(account.balance, account.asset),
        "threshold": from_units(account.low_threshold, account.asset),
    }


def balance_depleted(account: Account) -> dict[str, Any]:
    return {"balance": from_units(account.balance, account.asset)}


def grant(account: Account, parcel: Grant) -> dict[str, Any]:
    """Credit with an end, and what is left of it."""
    assert parcel.expires_at is not None
    return {
        "grant_id": f"grt_{parcel.id}",
        "purpose": parcel.purpose,
        "amount": from_units(parcel.remaining, account.asset),
        "expires_at": from_micros(parcel.expires_at),
    }


def authorization(held: Authorization) -> dict[str, Any]:
    """A hold before it is closed: what it will give back."""
    return {
        "authorization_id": held.client_id,
        "released": [
            {**_account(leg.account), "amount": from_units(leg.held, leg.account.asset)}
            for leg in held.legs
        ],
    }


def _account(account: Account) -> dict[str, Any]:
    return {"account_id": account.label, "asset": account.asset.code}
