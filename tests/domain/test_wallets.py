"""What time does to a wallet is the same whenever it is looked at or written down."""

from __future__ import annotations

from copy import deepcopy

from hypothesis import given
from hypothesis import strategies as st

from credyt_mcp.domain.book import Book, Customer
from credyt_mcp.domain.grants import Grant
from credyt_mcp.domain.ledger import Account
from credyt_mcp.domain.money import Asset
from credyt_mcp.domain.upkeep import bring_up_to_date
from credyt_mcp.domain.wallets import as_of

USD = Asset("USD", 9, 2)
LAST = 60


@st.composite
def wallets(draw: st.DrawFn) -> Customer:
    """At moment 0: some credit in use or a debt, and grants that start and end later."""
    customer = Customer(1, 1, "cust_1", ())
    account = Account(1, 1, 1, "wallet", "default", USD)
    for grant_id in range(draw(st.integers(1, 6))):
        starts = draw(st.integers(-5, LAST))
        ends = draw(st.none() | st.integers(max(starts, 0) + 1, LAST + 5))
        units = draw(st.integers(1, 50))
        booked = starts <= 0
        purpose = draw(st.sampled_from(["paid", "promotion", "adjustment"]))
        account.grants.append(
            Grant(grant_id, purpose, "test", 100, units, units, starts, ends, booked)
        )
        account.balance += units if booked else 0
    debt = draw(st.integers(0, 80))
    book = Book(0, lambda _tenant, _code: None)
    if debt:
        book.debit(account, debt)
    customer.accounts["default", "USD"] = account
    return customer


def standing(customer: Customer) -> tuple[object, ...]:
    account = customer.accounts["default", "USD"]
    left = {grant.id: (grant.remaining, grant.booked) for grant in account.grants}
    return account.balance, account.pending, {i: v for i, v in left.items() if v[0]}


@given(wallets(), st.lists(st.integers(0, LAST), max_size=4).map(sorted))
def test_booking_on_the_way_changes_nothing_at_the_end(
    customer: Customer, moments: list[int]
) -> None:
    reader = deepcopy(customer)
    for moment in moments:
        bring_up_to_date(Book(moment, lambda _tenant, _code: None), customer)
    as_of(customer, LAST)
    as_of(reader, LAST)
    assert standing(reader) == standing(customer)


@given(wallets(), st.integers(0, LAST))
def test_live_grants_are_the_positive_part_of_the_balance(customer: Customer, now: int) -> None:
    for account in as_of(customer, now):
        live = [grant for grant in account.grants if grant.booked]
        assert sum(grant.remaining for grant in live) == max(0, account.balance)
        assert not any(grant.expired(now) for grant in account.grants)
        assert all(grant.effective_at > now for grant in account.grants if not grant.booked)


@given(wallets(), st.integers(1, 100))
def test_a_debit_never_takes_from_credit_that_is_not_in_effect(
    customer: Customer, units: int
) -> None:
    account = customer.accounts["default", "USD"]
    pending = account.pending
    Book(0, lambda _tenant, _code: None).debit(account, units)
    assert account.pending == pending
