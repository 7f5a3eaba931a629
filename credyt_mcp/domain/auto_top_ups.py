"""Automatic top-ups: a rule that the customer agreed to, and the charges that it makes. Pure.

A rule watches its account through `Account.top_up_below`. When what is available falls below, the
lane writes a top-up and its charge in the very transaction of what took the money, and stops
watching until that top-up has ended: there is never more than one under way for an account. A
worker outside the lane then charges the saved card, see `automatic_charges`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from credyt_mcp import ids
from credyt_mcp.clock import from_micros, to_micros
from credyt_mcp.domain.book import Book, Customer, CustomerRef
from credyt_mcp.domain.declines import decline
from credyt_mcp.domain.ledger import Account
from credyt_mcp.domain.money import Asset, from_units

RuleStatus = Literal["active", "action_required", "off", "frozen"]
ChargeState = Literal["open", "charging", "waiting", "confirming", "succeeded", "failed"]

OPEN = ("open", "charging", "waiting", "confirming")
"""States in which a charge may still take money."""
SAID: dict[str, str] = {
    "cap_reached": "The agreed maximum of automatic top-ups is reached.",
    "switched_off": "Automatic top-ups were switched off.",
    "not_needed": "The balance has recovered.",
}
"""Reasons that are no declines."""


@dataclass(eq=False)
class Rule:
    """Amounts in units of their assets: `threshold` of the account's, the others of `currency`.

    `top_up_id` is the top-up under way. At `check_at` the rule is looked at again though nothing
    moved: it was just set, or a cap frees up. `card` None is the customer's default card.
    """

    id: int
    tenant_id: int
    customer_id: int
    account: Account
    status: RuleStatus
    reason: str | None
    threshold: int
    amount: int
    currency: Asset
    provider: str
    card: str | None
    daily_count: int | None
    monthly_count: int | None
    daily_limit: int | None
    monthly_limit: int | None
    top_up_id: str | None
    check_at: int | None


@dataclass(eq=False)
class AutoCharge:
    """The charge of a saved card for one top-up, in attempts of which each has its own key at the
    provider. `asks` counts how often the present attempt was asked about without an answer."""

    id: int
    tenant_id: int
    top_up_id: str
    amount: int
    status: ChargeState
    attempt: int
    asks: int
    next_attempt_at: int | None
    code: str | None
    created_at: int


def arm(book: Book, rule: Rule) -> None:
    """Watch the account, or stop to. One that is low already fires when the book is saved."""
    book.touch(rule)
    book.touch(rule.account)
    rule.check_at = None
    watching = rule.status == "active" and rule.top_up_id is None
    if watching:
        rule.reason = None
    rule.account.top_up_below = rule.threshold if watching else None


def fire(book: Book, rule: Rule, recent: Sequence[AutoCharge], top_up_id: str) -> bool:
    """Whether a top-up begins now, under that id, for a rule whose account is low. `recent` are the
    account's charges of this month and all that are open."""
    book.touch(rule)
    book.touch(rule.account)
    rule.account.top_up_below = None
    under_way = next((charge for charge in recent if charge.status in OPEN), None)
    if under_way is not None:
        rule.top_up_id = under_way.top_up_id
        return False
    if rule.status != "active":
        return False
    until = _capped_until(rule, recent, from_micros(book.now))
    if until is None:
        rule.top_up_id = top_up_id
        return True
    rule.reason, rule.check_at = "cap_reached", to_micros(until)
    once = ids.text_key("auto_top_up.capped", str(rule.id), until.isoformat())
    tell(book, rule, "capped", once, reason=SAID["cap_reached"], until=until)
    return False


def settled(book: Book, tenant_id: int, top_up_id: str, status: str, card: str | None) -> None:
    """What a change of a top-up's status means to its rule, if it was an automatic one."""
    charge = book.auto_charges.get((tenant_id, top_up_id))
    if charge is None:
        return
    book.touch(charge)
    if status == "pending":
        if charge.status == "charging":
            charge.status = "waiting"
        return
    charge.status, charge.next_attempt_at = "failed", None
    if status == "succeeded":
        charge.status, charge.code = "succeeded", None
    rule = rule_of(book, charge)
    if rule is None:
        return
    book.touch(rule)
    rule.top_up_id = None
    if status == "succeeded" and rule.status == "action_required":
        rule.status = "active"
        if rule.card is not None and card is not None:
            rule.card = card
    arm(book, rule)


def freeze(book: Book, customer: Customer, reason: str) -> None:
    """Stop the customer's automatic top-ups until `thaw`, because of a dispute. For commands
    with `on_auto_top_ups`. `reason` is told to the tenant."""
    for rule in rules_of(book, customer):
        if rule.status in ("active", "action_required"):
            stop(book, rule, "frozen", reason)


def thaw(book: Book, customer: Customer) -> None:
    """Let rules that were frozen go on. For commands with `on_auto_top_ups`."""
    for rule in rules_of(book, customer):
        if rule.status == "frozen":
            book.touch(rule)
            rule.status, rule.reason = "active", None
            arm(book, rule)


def rules_of(book: Book, customer: Customer) -> list[Rule]:
    return [rule for rule in book.rules.values() if rule.customer_id == customer.id]


@dataclass(frozen=True)
class OnRules:
    """A command on a customer's rules."""

    ref: CustomerRef

    on_auto_top_ups = True

    @property
    def keys(self) -> list[tuple[int, bytes]]:
        return []


@dataclass(frozen=True)
class CheckAutoTopUps(OnRules):
    """Look at a customer's rules anew: one was set or switched off, or a cap has freed up."""

    def decide(self, book: Book) -> None:
        customer = book.customer(self.ref)
        for rule in rules_of(book, customer):
            if rule.status in ("off", "frozen"):
                _call_off(book, rule, "switched_off")
            if rule.check_at is None or rule.check_at <= book.now:
                arm(book, rule)


@dataclass(frozen=True)
class ForgetCard(OnRules):
    """Stop the rules that charge a card which was removed, or all, where it was the last one."""

    card: str
    last: bool

    def decide(self, book: Book) -> None:
        for rule in rules_of(book, book.customer(self.ref)):
            charged = self.last or rule.card == self.card
            if charged and rule.status in ("active", "action_required"):
                stop(book, rule, "off", "card_removed")


def end_unpaid(
    book: Book, charge: AutoCharge, top_up: Any, code: str, status: str = "expired"
) -> None:
    """Close a top-up for which nothing was taken; its rule goes on as it may."""
    book.touch(charge)
    book.touch(top_up)
    charge.code = code
    top_up.status, top_up.settled_at = status, book.now
    if status == "failed":
        details = {
            "top_up_id": top_up.public_id,
            "amount": from_units(top_up.paid, top_up.currency),
            "currency": top_up.currency.code,
        }
        rule = rule_of(book, charge)
        assert rule is not None, "without its rule a charge is called off"
        book.notice("top_up.failed", rule.tenant_id, rule.customer_id, details)
    settled(book, charge.tenant_id, charge.top_up_id, status, None)


def _call_off(book: Book, rule: Rule, code: str) -> None:
    """End what is under way for a rule, unless an attempt of it may be taking money just now."""
    if rule.top_up_id is None:
        return
    charge = book.auto_charges[rule.tenant_id, rule.top_up_id]
    if charge.status == "open":
        end_unpaid(book, charge, book.top_ups[rule.tenant_id, rule.top_up_id], code)


def stop(book: Book, rule: Rule, status: Literal["off", "frozen"], reason: str) -> None:
    book.touch(rule)
    rule.status, rule.reason = status, reason
    said = decline(reason).says if status == "off" else reason
    tell(book, rule, "disabled" if status == "off" else "frozen", code=reason, reason=said)
    arm(book, rule)
    _call_off(book, rule, "switched_off")


def rule_of(book: Book, charge: AutoCharge) -> Rule | None:
    """The rule that the charge is under way for."""
    named = (rule for rule in book.rules.values() if rule.tenant_id == charge.tenant_id)
    return next((rule for rule in named if rule.top_up_id == charge.top_up_id), None)


def tell(book: Book, rule: Rule, kind: str, once: bytes | None = None, **details: Any) -> None:
    topic = f"auto_top_up.{kind}"
    book.notice(topic, rule.tenant_id, rule.customer_id, details, rule.account, once=once)


def _capped_until(rule: Rule, charges: Iterable[AutoCharge], now: datetime) -> datetime | None:
    """When the caps of the rule leave room again, or None if they do now. Days and months are
    UTC's; charges that failed took nothing and do not count."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    month = day.replace(day=1)
    next_month = (month + timedelta(days=32)).replace(day=1)
    ends = [
        until
        for since, until, count, limit in (
            (day, day + timedelta(days=1), rule.daily_count, rule.daily_limit),
            (month, next_month, rule.monthly_count, rule.monthly_limit),
        )
        if _is_full(rule, _amounts(charges, to_micros(since)), count, limit)
    ]
    return max(ends, default=None)


def _amounts(charges: Iterable[AutoCharge], since: int) -> list[int]:
    taken = (charge for charge in charges if charge.status != "failed")
    return [charge.amount for charge in taken if charge.created_at >= since]


def _is_full(rule: Rule, amounts: list[int], count: int | None, limit: int | None) -> bool:
    return (count is not None and len(amounts) >= count) or (
        limit is not None and sum(amounts) + rule.amount > limit
    )
