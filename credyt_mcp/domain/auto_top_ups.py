"""Automatic top-ups: a rule that the customer agreed to, and the charges that it makes. Pure.

A rule watches its account through `Account.top_up_below`. When what is available falls below, the
lane writes a top-up and its charge in the very transaction of what took the money, and stops
watching until that top-up has ended: there is never more than one under way for an account. A
worker outside the lane then charges the saved card; each of its steps is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from credyt_mcp import ids
from credyt_mcp.clock import SECOND, from_micros, to_micros
from credyt_mcp.domain.book import Book, Customer, CustomerRef
from credyt_mcp.domain.declines import decline
from credyt_mcp.domain.ledger import Account
from credyt_mcp.domain.money import Asset, from_units

RuleStatus = Literal["active", "action_required", "off", "frozen"]
ChargeState = Literal["open", "charging", "waiting", "confirming", "succeeded", "failed"]

OPEN = ("open", "charging", "waiting", "confirming")
"""States in which a charge may still take money."""
HOUR = 3600 * SECOND
RETRY_AFTER = (1 * HOUR, 6 * HOUR, 24 * HOUR)
"""After a soft decline: a new attempt each of these after the one before; then the rule is off."""
FIRST_ASK, LAST_ASK = 300 * SECOND, 6 * HOUR
"""How long an attempt without a final answer is left alone before it is asked about again."""

CALLED_OFF = "called_off"
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


class Attempt(NamedTuple):
    """What a worker is to do: charge under this attempt's key, or, unless `may_charge`, only see
    to it that nothing more is taken. Nothing (`number` 0) where the top-up was called off."""

    number: int
    may_charge: bool
    card: str | None


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
    _tell(book, rule, "capped", once, reason=SAID["cap_reached"], until=until)
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
    rule = _rule_of(book, charge)
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
    """Stop the customer's automatic top-ups until `thaw`, because of a dispute for one. For
    commands with `on_auto_top_ups`. `reason` is told to the tenant."""
    for rule in rules_of(book, customer):
        if rule.status in ("active", "action_required"):
            _stop(book, rule, "frozen", reason)


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
class _OnRules:
    """A command on a customer's rules."""

    ref: CustomerRef

    on_auto_top_ups = True

    @property
    def keys(self) -> list[tuple[int, bytes]]:
        return []


@dataclass(frozen=True)
class CheckAutoTopUps(_OnRules):
    """Look at a customer's rules anew: one was set or switched off, or a cap has freed up."""

    def decide(self, book: Book) -> None:
        customer = book.customer(self.ref)
        for rule in rules_of(book, customer):
            if rule.status in ("off", "frozen"):
                _call_off(book, rule, "switched_off")
            if rule.check_at is None or rule.check_at <= book.now:
                arm(book, rule)


@dataclass(frozen=True)
class FreezeAutoTopUps(_OnRules):
    reason: str

    def decide(self, book: Book) -> None:
        freeze(book, book.customer(self.ref), self.reason)


@dataclass(frozen=True)
class ThawAutoTopUps(_OnRules):
    def decide(self, book: Book) -> None:
        thaw(book, book.customer(self.ref))


@dataclass(frozen=True)
class ForgetCard(_OnRules):
    """Stop the rules that charge a card which was removed, or all, where it was the last one."""

    card: str
    last: bool

    def decide(self, book: Book) -> None:
        for rule in rules_of(book, book.customer(self.ref)):
            charged = self.last or rule.card == self.card
            if charged and rule.status in ("active", "action_required"):
                _stop(book, rule, "off", "card_removed")


@dataclass(frozen=True)
class _OnCharge(_OnRules):
    public_id: str

    @property
    def top_up(self) -> tuple[int, str]:
        return self.ref.tenant_id, self.public_id


@dataclass(frozen=True)
class BeginAttempt(_OnCharge):
    """Take on what is due of a charge, as its only one until it is asked about again.

    `exchange_rate` (as text) and `credit_expires_at` (a moment) are the top-up's from its first
    attempt on. With `hinted` an attempt that was begun before is asked about at once.
    """

    exchange_rate: str | None = None
    credit_expires_at: int | None = None
    hinted: bool = False

    def decide(self, book: Book) -> Attempt | None:
        charge, top_up = book.auto_charges[self.top_up], book.top_ups[self.top_up]
        rule = _rule_of(book, charge)
        if charge.next_attempt_at is None:
            return None
        if charge.next_attempt_at > book.now and not (self.hinted and charge.status != "open"):
            return None
        book.touch(charge)
        wanted = rule is not None and rule.status == "active"
        if charge.status != "open":
            charge.asks += 1
            charge.next_attempt_at = book.now + min(FIRST_ASK << min(charge.asks, 10), LAST_ASK)
            return Attempt(charge.attempt, wanted, rule.card if rule else None)
        if rule is None or not wanted:
            _end_unpaid(book, charge, top_up, "switched_off")
            return Attempt(0, False, None)
        if rule.account.available >= rule.threshold:
            _end_unpaid(book, charge, top_up, "not_needed")
            return Attempt(0, False, None)
        charge.status, charge.asks = "charging", 0
        charge.attempt += 1
        charge.next_attempt_at = book.now + FIRST_ASK
        if charge.attempt == 1:
            book.touch(top_up)
            top_up.exchange_rate = self.exchange_rate
            top_up.credit_expires_at = self.credit_expires_at
        return Attempt(charge.attempt, True, rule.card)


@dataclass(frozen=True)
class DeclineAttempt(_OnCharge):
    """An attempt took no money, for the reason `code`; or (`CALLED_OFF`) it was never made.

    With `page` the customer can confirm there.
    """

    attempt: int
    code: str
    page: str | None = None

    def decide(self, book: Book) -> str:
        """The state of the charge."""
        charge, top_up = book.auto_charges[self.top_up], book.top_ups[self.top_up]
        if charge.status not in ("charging", "waiting") or charge.attempt != self.attempt:
            return charge.status
        book.touch(charge)
        charge.code = self.code
        rule = _rule_of(book, charge)
        if self.code == CALLED_OFF or rule is None:
            _end_unpaid(book, charge, top_up, "switched_off")
            return charge.status
        kind = decline(self.code).kind
        if kind == "needs_customer" and rule.status == "active":
            charge.status, charge.next_attempt_at = "confirming", None
            book.touch(rule)
            rule.status, rule.reason = "action_required", self.code
            link = {} if self.page is None else {"redirect_url": self.page}
            self._tell(book, rule, charge, "action_required", **link)
            return charge.status
        again = kind == "soft" and rule.status == "active" and self.attempt <= len(RETRY_AFTER)
        if again:
            charge.status = "open"
            charge.next_attempt_at = book.now + RETRY_AFTER[self.attempt - 1]
            again_at = from_micros(charge.next_attempt_at)
            self._tell(book, rule, charge, "failed", next_attempt_at=again_at)
            return charge.status
        self._tell(book, rule, charge, "failed")
        if rule.status == "active":
            _stop(book, rule, "off", self.code)
        _end_unpaid(book, charge, top_up, self.code, "failed")
        return charge.status

    def _tell(self, book: Book, rule: Rule, charge: AutoCharge, kind: str, **more: Any) -> None:
        _tell(
            book,
            rule,
            kind,
            top_up_id=charge.top_up_id,
            amount=from_units(charge.amount, rule.currency),
            currency=rule.currency.code,
            code=self.code,
            reason=decline(self.code).says,
            **more,
        )


def _end_unpaid(
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
        rule = _rule_of(book, charge)
        assert rule is not None, "without its rule a charge is called off"
        book.notice("top_up.failed", rule.tenant_id, rule.customer_id, details)
    settled(book, charge.tenant_id, charge.top_up_id, status, None)


def _call_off(book: Book, rule: Rule, code: str) -> None:
    """End what is under way for a rule, unless an attempt of it may be taking money just now."""
    if rule.top_up_id is None:
        return
    charge = book.auto_charges[rule.tenant_id, rule.top_up_id]
    if charge.status == "open":
        _end_unpaid(book, charge, book.top_ups[rule.tenant_id, rule.top_up_id], code)


def _stop(book: Book, rule: Rule, status: Literal["off", "frozen"], reason: str) -> None:
    book.touch(rule)
    rule.status, rule.reason = status, reason
    said = decline(reason).says if status == "off" else reason
    _tell(book, rule, "disabled" if status == "off" else "frozen", code=reason, reason=said)
    arm(book, rule)
    _call_off(book, rule, "switched_off")


def _rule_of(book: Book, charge: AutoCharge) -> Rule | None:
    """The rule that the charge is under way for."""
    named = (rule for rule in book.rules.values() if rule.tenant_id == charge.tenant_id)
    return next((rule for rule in named if rule.top_up_id == charge.top_up_id), None)


def _tell(book: Book, rule: Rule, kind: str, once: bytes | None = None, **details: Any) -> None:
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
