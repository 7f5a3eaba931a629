"""Changes that a tenant makes to a subscription: end it, resume it, another version. Pure.

Each counts from now on and is a command, as in `transfers`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

from credyt_mcp.domain.book import Book, Customer, CustomerRef
from credyt_mcp.domain.entitlements import align
from credyt_mcp.domain.money import EXACT
from credyt_mcp.domain.subscription_life import (
    activate,
    ask_for,
    change_version,
    end,
    give_back,
    open_accounts,
    renewed,
    schedule,
)
from credyt_mcp.domain.subscriptions import (
    Payment,
    Stretch,
    Subscription,
    fees_due,
    paid_until,
    payment_for,
)
from credyt_mcp.domain.upkeep import bring_up_to_date
from credyt_mcp.errors import Conflict, InvalidRequest, NotFound, WrongState


@dataclass(frozen=True)
class _OnSubscription:
    """A command on one subscription of a customer."""

    ref: CustomerRef
    subscription_id: str

    on_subscriptions = True

    @property
    def keys(self) -> list[tuple[int, bytes]]:
        return []

    def found(self, book: Book) -> tuple[Customer, Subscription]:
        customer = book.customer(self.ref)
        for subscription in book.subscriptions[customer.id]:
            if subscription.public_id == self.subscription_id:
                return customer, subscription
        raise NotFound(f"the customer has no subscription '{self.subscription_id}'")


@dataclass(frozen=True)
class EndSubscription(_OnSubscription):
    """Out of force now; nothing more is asked for."""

    def decide(self, book: Book) -> Payment | None:
        """The payment that was open and is called off."""
        customer, subscription = self.found(book)
        payment = subscription.open_payment
        if subscription.status == "inactive":
            return None
        if payment is not None:
            book.touch(payment)
            payment.status, payment.next_attempt_at = "canceled", None
            payment.settled_at = book.now
        end(book, customer, subscription, "requested")
        bring_up_to_date(book, customer)
        return payment


@dataclass(frozen=True)
class ResumeSubscription(_OnSubscription):
    """In force again, on the versions it was on: at once while it is paid or nothing is to be
    paid, else when the customer has paid."""

    can_pay: bool = True

    def decide(self, book: Book) -> None:
        customer, subscription = self.found(book)
        if subscription.status in ("active", "scheduled"):
            return
        if subscription.status == "action_required":
            raise WrongState(
                f"subscription '{subscription.public_id}' waits for the customer to pay",
                hint="Send the customer to redirect_url in its required_actions; get_customer "
                "(GET /customers/{id}) shows it.",
            )
        _refuse_two(book.subscriptions[customer.id], subscription)
        never = subscription.activated_at is None
        starts = max(book.now, subscription.started_at) if never else book.now
        dues = fees_due(subscription, starts)
        if never and (subscription.renews_at or 0) > starts:
            dues = []  # paid ahead, and ended before it began
        payment = payment_for("first" if never else "reactivation", dues, starts, book.now, None)
        if payment is not None:
            if not self.can_pay:
                raise WrongState(
                    f"subscription '{subscription.public_id}' must be paid first",
                    hint="Create a new one with a return_url.",
                )
            ask_for(book, subscription, payment)
            subscription.status = "action_required"
        elif starts > book.now:
            schedule(book, customer, subscription)
        else:
            activate(book, customer, subscription, book.now)
        bring_up_to_date(book, customer)


@dataclass(frozen=True)
class ChangeVersion(_OnSubscription):
    """Put a product of a subscription on another version. With `prorate` the unused part of its
    fees is credited to the wallet, and the new version's are due at once."""

    product_id: int
    version_id: int
    prorate: bool = False

    @property
    def version_ids(self) -> tuple[int, ...]:
        return (self.version_id,)

    def decide(self, book: Book) -> Payment | None:
        """The payment that is due now, for the saved card."""
        customer, subscription = self.found(book)
        if subscription.status != "active" or subscription.open_payment:
            status = "being paid" if subscription.open_payment else subscription.status
            raise WrongState(
                f"subscription '{subscription.public_id}' is {status}",
                hint="Make it active first; get_customer shows what it needs.",
            )
        old = next(
            (one for one in subscription.current if one.card.product_id == self.product_id), None
        )
        if old is None:
            raise NotFound(f"subscription '{subscription.public_id}' has no such product")
        if old.card.version_id == self.version_id:
            return None
        if self.prorate:
            self._credit_unused(book, customer, subscription, old)
        change_version(book, customer, subscription, old, book.rate_cards[self.version_id])
        open_accounts(book, customer, subscription)
        payment = self._pay(book, customer, subscription)
        bring_up_to_date(book, customer)
        return payment

    def _pay(self, book: Book, customer: Customer, subscription: Subscription) -> Payment | None:
        dues = fees_due(subscription, book.now)
        try:
            payment = payment_for("change", dues, book.now, book.now, next_attempt_at=book.now)
        except InvalidRequest as error:
            raise error.renamed("version", without="products") from None
        if payment is not None:
            ask_for(book, subscription, payment)
            subscription.renews_at = book.now
            return payment
        if dues:
            renewed(book, customer, subscription, book.now)
        else:
            subscription.renews_at = paid_until(subscription, book.now)
        align(book, customer, subscription, book.now)
        return None

    def _credit_unused(
        self, book: Book, customer: Customer, subscription: Subscription, old: Stretch
    ) -> None:
        place = f"{subscription.public_id}:{subscription.stretches.index(old)}"
        for number, paid in enumerate(old.paid):
            left, whole = paid.to_at - max(book.now, paid.from_at), paid.to_at - paid.from_at
            units = unused_part(paid.units, left, whole)
            if left <= 0 or not units:
                continue
            name = f"{place}:unused:{number}"
            product = old.card.product_code
            give_back(book, customer, subscription, name, product, paid, units)
        book.touch(old)
        old.paid = []


def unused_part(units: int, left: int, whole: int) -> int:
    """The share of a fee for the time that is left of its period, rounded once, half-even."""
    with localcontext(EXACT):
        return int((Decimal(units) * left / whole).to_integral_value(ROUND_HALF_EVEN))


def _refuse_two(subscriptions: list[Subscription], resumed: Subscription) -> None:
    """Raises Conflict when another subscription to one of the products is there: both would bill
    each event."""
    products = {stretch.card.product_id for stretch in resumed.current}
    for other in subscriptions:
        if other is resumed or other.status == "inactive":
            continue
        for stretch in other.current:
            if stretch.card.product_id in products:
                raise Conflict(
                    f"subscription '{other.public_id}' to '{stretch.card.product_code}' is "
                    f"{other.status}",
                    hint="Use it, or end it first.",
                )
