"""The mechanics of a hold on a book: take it, and turn it into a debit. Pure.

What is held is part of the balance still, but not of what is available.
"""

from __future__ import annotations

from credyt_mcp.domain.book import Authorization, Book
from credyt_mcp.domain.ledger import Account
from credyt_mcp.domain.money import from_units, within_range
from credyt_mcp.errors import InsufficientBalance, WrongState


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
    for leg in authorization.legs:
        book.touch(leg.account)
        leg.account.held -= leg.held


def end_capture(
    book: Book, authorization: Authorization, billed: dict[Account, int], *, final: bool
) -> None:
    """Note what was `billed` against the hold; unless `final`, hold the rest again."""
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
    if final:
        authorization.status, authorization.closed_at = "captured", book.now


def must_be_open(authorization: Authorization, done: str) -> WrongState:
    """The refusal to do something to an authorization that has ended."""
    return WrongState(
        f"authorization '{authorization.client_id}' is {authorization.status} and cannot be {done}",
        hint="Authorize anew under a new id.",
    )
