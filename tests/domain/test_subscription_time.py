"""However seldom anybody looks, time leaves the same books: fees and credit come in their order."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from credyt_mcp.clock import DAY
from credyt_mcp.domain.book import Book, Customer, CustomerRef, RateCard
from credyt_mcp.domain.ledger import Transaction
from credyt_mcp.domain.money import Asset
from credyt_mcp.domain.periods import Every
from credyt_mcp.domain.subscription_changes import (
    ChangeVersion,
    EndSubscription,
    ResumeSubscription,
)
from credyt_mcp.domain.subscriptions import Stretch, Subscription
from credyt_mcp.domain.terms import EntitlementTerms, FixedFee
from credyt_mcp.domain.upkeep import bring_up_to_date

CREDITS = Asset("credits", 6, 0)
START = 20_000 * DAY
REF = CustomerRef(1, "jane")
PRODUCT = 7

rhythms = st.builds(Every, st.sampled_from(["day", "week", "month"]), st.integers(1, 3))
fees = st.builds(
    FixedFee,
    name=st.sampled_from(["fee", "other fee"]),
    account_name=st.just("default"),
    asset=st.just(CREDITS),
    units=st.integers(0, 50),
    every=st.none() | rhythms,
)
granted = st.builds(
    EntitlementTerms,
    name=st.sampled_from(["free", "included"]),
    asset=st.just(CREDITS),
    units=st.integers(1, 90),
    purpose=st.sampled_from(["bundled", "promotion"]),
    priority=st.integers(1, 3),
    every=rhythms,
    refresh=st.sampled_from(["expire_and_replace", "rollover", None]),
    revenue_basis=st.none(),
)


def cards(number: int) -> st.SearchStrategy[RateCard]:
    by_name: Any = {"max_size": 2, "unique_by": lambda one: one.name}
    return st.builds(
        RateCard,
        st.just(number),
        st.just(PRODUCT),
        st.just("pro"),
        st.just(number),
        st.just(()),
        st.lists(fees, **by_name).map(tuple),
        st.lists(granted, **by_name).map(tuple),
    )


class Step(NamedTuple):
    hours: int
    what: str
    units: int


steps = st.builds(
    Step,
    st.integers(0, 24 * 80),
    st.sampled_from(["use", "use", "change", "prorate", "end", "resume"]),
    st.integers(1, 200),
)


class Life:
    """Jane's only subscription, looked at every so many hours, or only when something is done."""

    def __init__(self, versions: list[RateCard], every_hours: int | None) -> None:
        self.every_hours = every_hours
        self.book = Book(START, lambda _tenant, _code: CREDITS)
        self.book.rate_cards = {card.version_id: card for card in versions}
        self.customer = Customer(1, 1, "jane", ())
        self.book.customers[REF] = self.customer
        stretch = Stretch(versions[0], START, None, None)
        self.subscription = Subscription(1, 1, "sub", 1, "scheduled", START, None, None, [stretch])
        self.book.subscriptions[1] = [self.subscription]
        self.look()

    def look(self) -> None:
        bring_up_to_date(self.book, self.customer)

    def live(self, step: Step) -> None:
        until = self.book.now + step.hours * DAY // 24
        while self.every_hours is not None and self.book.now < until:
            self.book.now = min(until, self.book.now + self.every_hours * DAY // 24)
            self.look()
        self.book.now = until
        self.look()
        self.do(step)

    def do(self, step: Step) -> None:
        if step.what == "use":
            self.book.debit(self.book.wallet_account(self.customer, "default", CREDITS), step.units)
        elif step.what == "end":
            EndSubscription(REF, "sub").decide(self.book)
        elif step.what == "resume":
            ResumeSubscription(REF, "sub").decide(self.book)
        elif self.subscription.status == "active":
            prorate = step.what == "prorate"
            ChangeVersion(REF, "sub", PRODUCT, step.units % 2 + 1, prorate).decide(self.book)

    def books(self) -> dict[str, Any]:
        return {
            "balances": {name: one.balance for name, one in self.customer.accounts.items()},
            "grants": [
                (one.amount, one.remaining, one.effective_at, one.expires_at, one.purpose)
                for account in self.customer.accounts.values()
                for one in account.grants
            ],
            "happened": [
                (one.kind, one.amount, one.executed_at)
                for one in self.book.records
                if isinstance(one, Transaction)
            ],
            "renews_at": self.subscription.renews_at,
            "status": self.subscription.status,
            "next_due_at": self.customer.next_due_at,
        }


@given(cards(1), cards(2), st.lists(steps, max_size=8), st.integers(1, 40))
def test_who_looks_often_and_who_looks_seldom_find_the_same(
    first: RateCard, second: RateCard, done: list[Step], hours: int
) -> None:
    awake, asleep = Life([first, second], hours), Life([first, second], None)
    for step in done:
        awake.live(step)
        asleep.live(step)
        assert asleep.books() == awake.books()
    live = {
        account.label: sum(grant.remaining for grant in account.grants if grant.booked)
        for account in asleep.customer.accounts.values()
    }
    for account in asleep.customer.accounts.values():
        assert live[account.label] == max(0, account.balance)


@given(cards(1), cards(2), st.lists(steps, max_size=12))
def test_a_product_is_never_on_two_versions_at_once(
    first: RateCard, second: RateCard, done: list[Step]
) -> None:
    life = Life([first, second], None)
    for step in done:
        life.live(step)
        stretches = life.subscription.stretches
        for before, after in pairwise(stretches):
            assert before.until_at is not None
            assert before.from_at <= before.until_at <= after.from_at
        in_force = stretches[-1].until_at is None
        assert in_force == (life.subscription.status == "active")
        assert len(life.customer.versions) == len(stretches)


@given(cards(1), cards(2), st.lists(steps, max_size=10))
def test_no_period_is_charged_or_granted_twice(
    first: RateCard, second: RateCard, done: list[Step]
) -> None:
    life = Life([first, second], None)
    for step in done:
        life.live(step)
    keys = [one.key for one in life.book.records]
    assert len(set(keys)) == len(keys)
    for stretch in life.subscription.stretches:
        for fee in stretch.card.fees:
            periods = sorted(
                (paid.from_at, paid.to_at) for paid in stretch.paid if paid.name == fee.name
            )
            for (_, ends), (begins, _) in pairwise(periods):
                assert ends <= begins
