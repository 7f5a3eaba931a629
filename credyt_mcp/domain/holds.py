"""The mechanics of a hold on a book: take it, and turn it into a debit. Pure.

What is held is part of the balance still, but not of what is available.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from credyt_mcp.domain.book import Authorization, Book, Customer
from credyt_mcp.domain.budgets import count_hold
from credyt_mcp.domain.ledger import Account
from credyt_mcp.domain.money import from_units, within_range
from credyt_mcp.errors import InsufficientBalance, WrongState


@dataclass(eq=False)
class Authorized:
    """An authorization after a command, `repeated` when the command had been done before, and what
    was `available` then in its first account: whoever is answered may look at it later."""

    authorization: Authorization
    customer: Customer
    repeated: bool = False
    warnings: list[str] = field(default_factory=list)
    available: int = field(init=False)

    def __post_init__(self) -> None:
        legs = self.authorization.legs
        self.available = legs[0].account.available if legs else 0


def hold(book: Book, account: Account, units: int) -> None:
    """Raises InsufficientBalance when that would cross the account's overdraft limit."""
    must_cover(account, units)
    book.touch(account)
    account.held = within_range(account.held + units, account.asset)


def must_cover(account: Account, units: int) -> None:
    """Raises InsufficientBalance unless `units` more can leave the account within its limit."""
    spendable = account.available + account.overdraft_limit
    if units > spendable:
        raise InsufficientBalance(
            account=account.label,
            asset=account.asset.code,
            available=from_units(account.available, account.asset),
            missing=from_units(units - spendable, account.asset),
        )


def begin_capture(book: Book, authorization: Authorization) -> None:
    """Give back what is held, so that the debit that follows finds it available.

    An expired authorization holds nothing and may be captured late. Raises WrongState for one that
    was captured or released.
    """
    if authorization.status not in ("open", "expired"):
        raise must_be_open(authorization, "captured")
    book.touch(authorization)
    authorization.late = authorization.status == "expired"
    count_hold(book, authorization, -1)
    for leg in authorization.legs:
        book.touch(leg.account)
        leg.account.held -= leg.held


def end_capture(
    book: Book,
    authorization: Authorization,
    billed: dict[Account, int],
    *,
    final: bool,
    costs: Mapping[str, int] | None = None,
) -> None:
    """Note what was `billed` against the hold, and what that cost the tenant; unless `final`, hold
    the rest again."""
    legs = []
    for leg in authorization.legs:
        units = billed.get(leg.account, 0)
        rest = 0 if final else max(0, leg.held - max(0, units))
        leg.account.held += rest
        legs.append(leg._replace(held=rest, captured=leg.captured + units))
    covered = {leg.account: leg.held for leg in authorization.legs}
    authorization.exceeded |= not authorization.late and any(
        units > covered.get(account, 0) for account, units in billed.items()
    )
    authorization.legs = legs
    rest_of = {} if final else authorization.costs
    known = costs or {}
    authorization.costs = {code: max(0, n - known.get(code, 0)) for code, n in rest_of.items()}
    count_hold(book, authorization)
    if final:
        authorization.status, authorization.closed_at = "captured", book.now


def must_be_open(authorization: Authorization, done: str) -> WrongState:
    """The refusal to do something to an authorization that has ended."""
    return WrongState(
        f"authorization '{authorization.client_id}' is {authorization.status} and cannot be {done}",
        hint="Authorize anew under a new id.",
    )
