"""A small billing system to hold against the real one: DESIGN sections 5, 6 and 13, in fractions.

Time passes for every customer at once, and a command works on a copy that is kept or thrown away.
Where this and the real system disagree, one of them is wrong.
"""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from tests.simulation import catalogue, operations
from tests.simulation.reference_earnings import Fact, costs_of, earned, sold_for
from tests.simulation.reference_fees import chosen, options_of
from tests.simulation.reference_prices import Refused, rounded
from tests.simulation.reference_wallet import NONE, Customer, Grant

PURPOSES = {"gift": "promotion", "external_topup": "paid", "external_refund": "paid"}
SIDES = {"gift": "promotion", "external_topup": "funding", "external_refund": "funding"}
GOOD_CARD = "4242424242424242"
AHEAD, BACK = timedelta(minutes=5), timedelta(days=35)
CREDIT_LIFE, LINK_LIFE = timedelta(days=365), timedelta(minutes=60)

Fee = tuple[str, str, Fraction]
"""Name of the price, asset, amount."""


@dataclass
class TopUp:
    customer: str
    asset: str
    paid: Fraction
    credited: Fraction
    credit_expires_at: datetime
    link_expires_at: datetime
    succeeded: bool = False


class Reference:
    """`execute` answers what a face must answer: `done`, a status, or an error's code."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.customers: dict[str, Customer] = {}
        self.events: dict[str, Any] = {}
        self.fees: dict[str, list[Fee]] = {}
        self.transactions: dict[str, Any] = {}
        self.top_ups: dict[str, TopUp] = {}
        self.facts: list[Fact] = []
        self.repeated: list[Fact] = []
        self._cost_ids: set[str] = set()
        self._grants = 0
        for name, products in catalogue.CUSTOMERS.items():
            self.customers[name] = Customer()
            for product in products:
                self.customers[name].put_on(product, 1, now)

    def execute(self, operation: operations.Operation) -> str:
        try:
            return getattr(self, f"_{type(operation).__name__.lower()}")(operation) or "done"
        except Refused as refusal:
            return refusal.code

    def business(self) -> dict[tuple[str, str], Fraction]:
        """What the tenant's own accounts must hold, by kind and asset."""
        sums: Counter[tuple[str, str]] = Counter()
        for customer in self.customers.values():
            for (_, asset), account in customer.accounts.items():
                for amount, _, side in account.statement:
                    sums[side, asset] -= amount
        for top_up in self.top_ups.values():
            if top_up.succeeded and top_up.asset != "USD":
                sums["trading", "USD"] += top_up.paid
                sums["funding", "USD"] -= top_up.paid
        return {key: amount for key, amount in sums.items() if amount}

    def _advance(self, asked: operations.Advance) -> None:
        self.now += asked.step
        for customer in self.customers.values():
            for account in customer.accounts.values():
                account.let_pass(self.now)

    def _burst(self, asked: operations.Burst) -> str:
        return " ".join(self.execute(request) for request in asked.requests)

    def _submit(self, asked: operations.Submit) -> None:
        trial = deepcopy(self._customer(asked.customer, "unknown_reference"))
        events: dict[str, Any] = {}
        fees: dict[str, list[Fee]] = {}
        facts, repeated, cost_ids = list[Fact](), list[Fact](), set(self._cost_ids)
        for event in asked.events:
            said = (asked.customer, event.event_type, event.data or {})
            known = self.events.get(event.id, events.get(event.id))
            if known not in (None, said):
                raise Refused("id_reused")
            if known is None:
                fees[event.id], revenue = self._bill(trial, event)
                events[event.id] = said
                about = asked.customer, (event.occurred_at or self.now).date()
                facts += [Fact(*about, *part, event=event.id) for part in revenue.items()]
                for cost, counts in costs_of(event, cost_ids):
                    spent = Fraction(cost.amount), cost.category or "uncategorized"
                    fact = Fact(*about, cost.currency, NONE, *spent, event.id)
                    (facts if counts else repeated).append(fact)
        self.customers[asked.customer] = trial
        self.events |= events
        self.fees |= fees
        self.facts += facts
        self.repeated += repeated
        self._cost_ids = cost_ids

    def _bill(self, customer: Customer, event: operations.Event) -> tuple[list[Fee], Counter[str]]:
        """The fees, and what they earn by currency."""
        moment = event.occurred_at or self.now
        if not self.now - BACK <= moment <= self.now + AHEAD:
            raise Refused("outside_window")
        fees: list[Fee] = []
        owed: Counter[tuple[str, str]] = Counter()
        for stretch in customer.stretches:
            for price in stretch.prices if stretch.holds(moment) else ():
                if price["usage_calculation"]["event_type"] == event.event_type:
                    key = stretch.product, price["name"]
                    options = options_of(customer, key, price, event.data or {}, moment)
                    for account, amount in chosen(customer, options, owed):
                        owed[account] += amount
                        fees.append((price["name"], account[1], amount))
        revenue: Counter[str] = Counter()
        for account, amount in owed.items():
            paid_by = customer.account(*account)
            revenue.update(earned(paid_by, account[1], amount))
            if amount > 0:
                paid_by.take(amount, "revenue")
            if amount < 0:
                grant = self._grant("adjustment", "revenue", -amount, self.now, None)
                grant.worth = paid_by.next_worth(sold_for(account[1]))
                paid_by.add(grant, self.now)
        return fees, revenue

    def _adjust(self, asked: operations.Adjust) -> None:
        trial, amount = self._target(asked)
        starts, ends = asked.effective_at or self.now, asked.expires_at
        if amount < 0 and (ends is not None or starts > self.now + AHEAD):
            raise Refused("invalid_request")
        if ends is not None and asked.id not in self.transactions and ends <= max(starts, self.now):
            raise Refused("invalid_request")
        if not self._is_new(asked, amount, asked.reason):
            return
        side = SIDES.get(asked.reason, "adjustment")
        account = trial.account(asked.account_name, asked.asset)
        if amount < 0:
            account.take(-amount, side)
        else:
            purpose = PURPOSES.get(asked.reason, "adjustment")
            grant = self._grant(purpose, side, amount, starts, ends)
            if asked.asset in catalogue.CREDIT_RATES:
                grant.worth = sold_for(asked.asset) if purpose == "paid" else NONE
            account.add(grant, self.now)
        self._keep(asked, trial, amount, asked.reason)

    def _charge(self, asked: operations.Charge) -> None:
        trial, amount = self._target(asked)
        if not self._is_new(asked, amount):
            return
        account = trial.account(asked.account_name, asked.asset)
        if amount:
            for code, part in earned(account, asked.asset, amount).items():
                self.facts.append(Fact(asked.customer, self.now.date(), code, part))
            account.take(amount, "revenue")
        self._keep(asked, trial, amount)

    def _starttopup(self, asked: operations.StartTopUp) -> None:
        amount, expires_at = Fraction(asked.amount), asked.credit_expires_at
        if amount * 100 % 1:
            raise Refused("amount_out_of_range")
        if expires_at is not None and expires_at <= self.now:
            raise Refused("invalid_request")
        self._customer(asked.customer, "unknown_reference")
        rate = Fraction(catalogue.CREDIT_RATES.get(asked.asset, "1"))
        self.top_ups[asked.label] = TopUp(
            asked.customer,
            asked.asset,
            amount,
            rounded(amount / rate, catalogue.SCALES[asked.asset]),
            expires_at or self.now + CREDIT_LIFE,
            self.now + LINK_LIFE,
        )

    def _paytopup(self, asked: operations.PayTopUp) -> str:
        top_up = self.top_ups.get(asked.label)
        if top_up is None:
            return "never started"
        if top_up.succeeded:
            return "done"
        if self.now >= top_up.link_expires_at:
            raise Refused("wrong_state")
        if asked.card != GOOD_CARD:
            return "declined"
        top_up.succeeded = True
        side = "funding" if top_up.asset == "USD" else "trading"
        grant = self._grant("paid", side, top_up.credited, self.now, top_up.credit_expires_at)
        if top_up.asset in catalogue.CREDIT_RATES:
            grant.worth = top_up.paid / top_up.credited
        account = self.customers[top_up.customer].account("default", top_up.asset)
        account.add(grant, self.now)
        account.let_pass(self.now)
        return "done"

    def _lookattopup(self, asked: operations.LookAtTopUp) -> str:
        top_up = self.top_ups.get(asked.label)
        if top_up is None:
            return "never started"
        if top_up.succeeded:
            return "succeeded"
        return "initiated" if self.now < top_up.link_expires_at else "expired"

    def _changeversion(self, asked: operations.ChangeVersion) -> None:
        customer = self.customers[asked.customer]
        last = customer.last_on("studio")
        if last.ends is not None:
            raise Refused("wrong_state")
        if last.version != asked.version:
            last.ends = self.now
            customer.put_on("studio", asked.version, self.now)

    def _changestatus(self, asked: operations.ChangeStatus) -> None:
        customer = self.customers[asked.customer]
        last = customer.last_on("studio")
        if asked.status == "inactive" and last.ends is None:
            last.ends = self.now
        if asked.status == "active" and last.ends is not None:
            customer.put_on("studio", last.version, self.now)

    def _customer(self, name: str, refusal: str) -> Customer:
        if name not in self.customers:
            raise Refused(refusal)
        return self.customers[name]

    def _grant(
        self, purpose: str, side: str, amount: Fraction, starts: datetime, ends: datetime | None
    ) -> Grant:
        self._grants += 1
        return Grant(self._grants, purpose, side, amount, starts, ends)

    def _target(self, asked: operations.Adjust | operations.Charge) -> tuple[Customer, Fraction]:
        trial = deepcopy(self._customer(asked.customer, "not_found"))
        if asked.asset not in catalogue.SCALES:
            raise Refused("unknown_reference")
        return trial, Fraction(asked.amount)

    def _is_new(
        self, asked: operations.Adjust | operations.Charge, amount: Fraction, *more: str
    ) -> bool:
        scale = 10 ** catalogue.SCALES[asked.asset]
        if amount * scale % 1 or abs(amount * scale) > 2**63 - 1:
            raise Refused("amount_out_of_range")
        known = self.transactions.get(asked.id)
        if known not in (None, _said(asked, amount, *more)):
            raise Refused("id_reused")
        return known is None

    def _keep(
        self,
        asked: operations.Adjust | operations.Charge,
        trial: Customer,
        amount: Fraction,
        *more: str,
    ) -> None:
        self.customers[asked.customer] = trial
        self.transactions[asked.id] = _said(asked, amount, *more)


def _said(asked: operations.Adjust | operations.Charge, amount: Fraction, *more: str) -> Any:
    kind = type(asked).__name__
    return kind, asked.customer, asked.account_name, asked.asset, amount, *more
