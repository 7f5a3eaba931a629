"""A wallet as a reader sees it: what time did to it counts at once, written down or not. Pure."""

from __future__ import annotations

from credyt_mcp.domain.book import Book, Customer
from credyt_mcp.domain.ledger import Account
from credyt_mcp.domain.upkeep import bring_up_to_date


def as_of(customer: Customer, now: int) -> list[Account]:
    """The customer's accounts with what expired or took effect by `now`.

    The very rule by which the lane books it, in a book that is thrown away: a reader cannot
    disagree with what will be written.
    """
    bring_up_to_date(Book(now, lambda _tenant, _code: None), customer)
    return list(customer.accounts.values())
