"""The charge of a saved card for an automatic top-up, attempt by attempt: take on what is due, book
a decline, try again, give up. Pure.

A success is booked by `transfers.SettleTopUp`, like that of any other top-up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from credyt_mcp.clock import SECOND, from_micros
from credyt_mcp.domain.auto_top_ups import (
    AutoCharge,
    OnRules,
    Rule,
    end_unpaid,
    rule_of,
    stop,
    tell,
)
from credyt_mcp.domain.book import Book
from credyt_mcp.domain.declines import decline
from credyt_mcp.domain.money import from_units

HOUR = 3600 * SECOND
RETRY_AFTER = (1 * HOUR, 6 * HOUR, 24 * HOUR)
"""After a soft decline: a new attempt each of these after the one before; then the rule is off."""
FIRST_ASK, LAST_ASK = 300 * SECOND, 6 * HOUR
"""How long an attempt without a final answer is left alone before it is asked about again."""

CALLED_OFF = "called_off"


class Attempt(NamedTuple):
    """What a worker is to do: charge under this attempt's key, or, unless `may_charge`, only see
    to it that nothing more is taken. Nothing (`number` 0) where the top-up was called off."""

    number: int
    may_charge: bool
    card: str | None


@dataclass(frozen=True)
class _OnCharge(OnRules):
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
        rule = rule_of(book, charge)
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
            end_unpaid(book, charge, top_up, "switched_off")
            return Attempt(0, False, None)
        if rule.account.available >= rule.threshold:
            end_unpaid(book, charge, top_up, "not_needed")
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
        rule = rule_of(book, charge)
        if self.code == CALLED_OFF or rule is None:
            end_unpaid(book, charge, top_up, "switched_off")
            return charge.status
        kind = decline(self.code).kind
        if kind == "needs_customer" and rule.status == "active":
            charge.status, charge.next_attempt_at = "confirming", None
            book.touch(rule)
            rule.status, rule.reason = "action_required", self.code
            link = {} if self.page is None else {"redirect_url": self.page}
            self._told(book, rule, charge, "action_required", **link)
            return charge.status
        again = kind == "soft" and rule.status == "active" and self.attempt <= len(RETRY_AFTER)
        if again:
            charge.status = "open"
            charge.next_attempt_at = book.now + RETRY_AFTER[self.attempt - 1]
            again_at = from_micros(charge.next_attempt_at)
            self._told(book, rule, charge, "failed", next_attempt_at=again_at)
            return charge.status
        self._told(book, rule, charge, "failed")
        if rule.status == "active":
            stop(book, rule, "off", self.code)
        end_unpaid(book, charge, top_up, self.code, "failed")
        return charge.status

    def _told(self, book: Book, rule: Rule, charge: AutoCharge, kind: str, **more: Any) -> None:
        tell(
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
