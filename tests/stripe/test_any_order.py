"""Whatever the order in which customers pay, money goes back, Stripe tells, we ask and our
processes die: in the end the wallet is the sum of the money that moved at Stripe, each once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.fake_stripe.account import Account, Object
from tests.stripe.payments_world import Trouble, World, world

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

AMOUNTS = [1, 10, 100, 1_000, 10_000, 100_000]
"""Each payment is a decimal place of its own, so that a balance tells which were credited."""


Movements = Callable[[Account, set[str]], list[int]]


def paid(account: Account, intents: set[str]) -> list[int]:
    """What customers paid, in cents."""
    found = [one for one in account.of_kind("payment_intent") if one["id"] in intents]
    return [one["amount"] for one in found if one["status"] == "succeeded"]


def refunded(account: Account, intents: set[str]) -> list[int]:
    """Whoever asked for it, also what is on its way still."""
    found = [one for one in account.of_kind("refund") if one["payment_intent"] in intents]
    return [-one["amount"] for one in found if one["status"] not in ("failed", "canceled")]


def disputed(account: Account, intents: set[str]) -> list[int]:
    """What banks took back, and what they may yet."""
    found = [one for one in account.of_kind("dispute") if one["payment_intent"] in intents]
    return [-one["amount"] for one in found if one["status"] in UNDECIDED or net(one) < 0]


def net(dispute: Object) -> int:
    return sum(one["amount"] for one in dispute["balance_transactions"])


MOVEMENTS: list[Movements] = [paid, refunded, disputed]
"""All kinds of money facts, in or (negative) out. What else moves money at Stripe belongs here, and
its rules into the machine."""
UNDECIDED = ("needs_response", "under_review")

pick = st.integers(0, 5)
trouble = st.one_of(
    st.just(None),
    st.integers(1, 8),
    st.tuples(
        st.sampled_from(["429", "500", "500_after", "drop_before", "drop_after"]),
        st.sampled_from([1, 3, 1000]),
    ),
)
"""What goes wrong while we do something: nothing; we crash at that seam; Stripe fails so often (the
SDK tries three times)."""
methods = st.sampled_from(
    [
        *("pm_card_visa",) * 4,
        "pm_card_chargeDeclined",
        "pm_card_authenticationRequired",
        "pm_usBankAccount",
    ]
)


def picked(found: list[Object], which: int) -> list[Object]:
    """One of them, if there are any: what there is depends on races, which rules run must not."""
    return [found[which % len(found)]] if found else []


def next_step(dispute: Object, is_won: bool) -> str | None:
    """As banks do: the money first, then the decision, and money back if it was won."""
    if not dispute["balance_transactions"]:
        return "funds_withdrawn" if dispute["status"] in UNDECIDED else None
    if dispute["status"] in UNDECIDED:
        return "won" if is_won else "lost"
    return "funds_reinstated" if dispute["status"] == "won" and net(dispute) < 0 else None


class Payments(RuleBasedStateMachine):
    world: World

    @initialize(asks=st.booleans(), paid=st.integers(0, 3), trouble=trouble)
    def open(self, asks: bool, paid: int, trouble: Trouble) -> None:
        """Either we also ask after open payments, or events alone must be enough. Some pages are
        paid from the beginning, so that there is money to go back."""
        self.asks = asks
        self.customer = self.world.customer()
        self.before = len(self.pages_ever())
        self.told = len(self.world.account.events)
        self.begun = 0
        for which in range(paid):
            self.a_customer_begins_to_pay(None if which else trouble)
            self.a_customer_pays(which, "pm_card_visa")

    @precondition(lambda self: self.begun < len(AMOUNTS))
    @rule(trouble=trouble)
    def a_customer_begins_to_pay(self, trouble: Trouble) -> None:
        with self.world.in_trouble(trouble):
            self.world.begin_top_up(self.customer, AMOUNTS[self.begun])
        self.begun += 1

    @rule(which=pick, method=methods)
    def a_customer_pays(self, which: int, method: str) -> None:
        """Also on a page whose address never reached us."""
        for page in self.page(which):
            self.world.fake.pay(page["id"], method)

    @rule(which=pick)
    def a_customer_answers_the_bank(self, which: int) -> None:
        for page in self.page(which):
            self.world.fake.authenticate(page["id"])

    @precondition(lambda self: self.asks)
    @rule(which=pick, trouble=trouble)
    def we_refund(self, which: int, trouble: Trouble) -> None:
        """All that can go back; somebody must ask for it again if Stripe does not answer."""
        with self.world.in_trouble(trouble):
            for page in self.paid_page(which):
                self.world.refund(page["client_reference_id"])

    @rule(which=pick)
    def a_refund_is_made_in_the_dashboard(self, which: int) -> None:
        for page in self.paid_page(which):
            self.world.fake.refund(page["payment_intent"])

    @rule(which=pick)
    def a_refund_fails_at_the_bank(self, which: int) -> None:
        for refund in picked(self.of_ours("refund"), which):
            if refund["status"] == "succeeded":
                self.world.fake.control("decide", id=refund["id"], status="failed")

    @rule(which=pick)
    def a_bank_disputes(self, which: int) -> None:
        for page in self.paid_page(which):
            self.world.fake.control("dispute", id=page["payment_intent"], status="needs_response")

    @rule(which=pick, is_won=st.booleans())
    def a_dispute_goes_on(self, which: int, is_won: bool) -> None:
        for dispute in picked(self.of_ours("dispute"), which):
            step = next_step(dispute, is_won)
            if step is not None:
                self.world.fake.control("decide", id=dispute["id"], status=step)

    @rule(which=pick, outcome=st.sampled_from(["succeeded", "failed"]))
    def a_bank_speaks(self, which: int, outcome: str) -> None:
        for page in picked(self.debits(), which):
            self.world.fake.finish_debit(page["id"], outcome)

    @rule(
        which=st.lists(st.integers(0, 40), min_size=1, max_size=6),
        thin=st.booleans(),
        trouble=trouble,
    )
    def stripe_tells(self, which: list[int], thin: bool, trouble: Trouble) -> None:
        """In any order, and as often as it likes."""
        events = self.events()
        with self.world.in_trouble(trouble):
            for event in (event for one in which for event in picked(events, one)):
                self.world.deliver(event, thin=thin)

    @precondition(lambda self: self.asks)
    @rule(which=pick, trouble=trouble)
    def a_customer_comes_back(self, which: int, trouble: Trouble) -> None:
        with self.world.in_trouble(trouble):
            for page in self.page(which):
                self.world.success_page(page["client_reference_id"])

    @rule(minutes=st.sampled_from([0, 0, 1, 2, 30, 61]), trouble=trouble)
    def we_look(self, minutes: int, trouble: Trouble) -> None:
        self.world.pass_time(minutes)
        with self.world.in_trouble(trouble):
            self.look()

    @rule(trouble=trouble)
    def we_fetch_what_was_not_delivered(self, trouble: Trouble) -> None:
        with self.world.in_trouble(trouble):
            self.world.fetch_undelivered()

    @precondition(lambda self: self.asks)
    @rule(trouble=trouble)
    def everybody_asks_at_once(self, trouble: Trouble) -> None:
        with self.world.in_trouble(trouble):
            self.world.all_at_once([page["client_reference_id"] for page in self.pages()])

    @invariant()
    def nothing_is_credited_that_was_not_paid_and_nothing_twice(self) -> None:
        if hasattr(self, "customer"):
            credited, ever = self.world.balance(self.customer), self.moved([paid])
            for amount in AMOUNTS:
                assert credited // amount % 10 <= ever // amount % 10, (credited, ever)

    def teardown(self) -> None:
        """All is well, and time goes by."""
        if not hasattr(self, "customer"):
            return
        for _ in range(4):
            self.world.pass_time(61)
            self.world.fetch_undelivered()
            self.look()
        assert self.world.balance(self.customer) == self.moved()
        assert self.world.problems() == []
        for event in self.events():
            event["pending_webhooks"] = 0

    def look(self) -> None:
        if self.asks:
            self.world.poll()
        else:
            self.world.look_into_events()

    def pages_ever(self) -> list[Object]:
        return self.world.account.of_kind("checkout.session")

    def pages(self) -> list[Object]:
        """Of this customer; also those whose answers were lost."""
        return self.pages_ever()[self.before :]

    def page(self, which: int) -> list[Object]:
        return picked(self.pages(), which)

    def paid_page(self, which: int) -> list[Object]:
        """One whose payment was neither refunded nor disputed."""
        at_stripe = self.world.account.objects
        found = []
        for page in self.pages():
            charge = (at_stripe.get(page["payment_intent"]) or {}).get("latest_charge")
            if charge and at_stripe[charge]["status"] == "succeeded":
                gone = at_stripe[charge]["amount_refunded"] or at_stripe[charge]["disputed"]
                found += [] if gone else [page]
        return picked(found, which)

    def of_ours(self, kind: str) -> list[Object]:
        intents = {page["payment_intent"] for page in self.pages()}
        found = self.world.account.of_kind(kind)
        return [one for one in found if one["payment_intent"] in intents]

    def debits(self) -> list[Object]:
        waiting = [one for one in self.pages() if one["status"] == "complete"]
        intents = self.world.account.objects
        return [one for one in waiting if intents[one["payment_intent"]]["status"] == "processing"]

    def events(self) -> list[Object]:
        return self.world.account.events[self.told :]

    def moved(self, kinds: Sequence[Movements] = MOVEMENTS) -> Decimal:
        intents = {page["payment_intent"] for page in self.pages()}
        cents = sum(sum(kind(self.world.account, intents)) for kind in kinds)
        return Decimal(cents) / 100


def play(opened: World, examples: int, steps: int) -> None:
    run_state_machine_as_test(
        type("PaymentsHere", (Payments,), {"world": opened}),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],  # a failure is told at once; made small it would come too late
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_any_order_is_each_payment_once(database_url: str) -> None:
    with world(database_url) as opened:
        play(opened, examples=30, steps=25)
