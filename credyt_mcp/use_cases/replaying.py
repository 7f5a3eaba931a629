"""Walks recorded wallets under other prices and adds up what comes of it, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from credyt_mcp.clock import from_micros
from credyt_mcp.domain.bill_shock import FIRST_BILL, Largest, Rise, Shock, largest_rise, order, rise
from credyt_mcp.domain.grants import Basis
from credyt_mcp.domain.margins import Earned
from credyt_mcp.domain.money import from_units
from credyt_mcp.domain.replays import (
    Movement,
    Outcome,
    ReplayedWallet,
    Stretch,
    Sums,
    versions_under,
)
from credyt_mcp.storage.replay_history import History, RecordedWallet
from credyt_mcp.use_cases.context import Billing
from credyt_mcp.use_cases.long_work import Step
from credyt_mcp.use_cases.replay_fields import CustomerChange, FeeChange, RanDry
from credyt_mcp.use_cases.replay_terms import Terms

SHOWN = 5
"""Customers shown with the totals; all are listed apart."""

Keep = Callable[[CustomerChange, Rise], None]


@dataclass
class Totals:
    shock: Shock
    outcome: Outcome = field(default_factory=Outcome)
    customers: int = 0
    ran_dry: int = 0
    newly_dry: int = 0
    largest: Largest[CustomerChange] = field(default_factory=lambda: Largest(SHOWN))
    lowest: Largest[CustomerChange] = field(default_factory=lambda: Largest(SHOWN))


@dataclass(frozen=True)
class Walk:
    """One question to recorded history; may be asked again with other terms."""

    billing: Billing
    history: History
    stretch: Stretch
    max_rise: Decimal
    now: int

    def totals(self, terms: Terms, step: Step, keep: Keep | None = None) -> Totals:
        """Everything added up; `keep` gets each customer who had usage in the stretch."""
        totals = Totals(Shock(self.max_rise))
        for wallet in self.history.wallets():
            outcome = self._replayed(wallet, terms, step)
            totals.outcome.join(outcome)
            if outcome.events:
                totals.customers += 1
                self._note(totals, wallet, outcome, keep)
        return totals

    def _replayed(self, wallet: RecordedWallet, terms: Terms, step: Step) -> Outcome:
        customer = wallet.customer
        customer.versions = versions_under(
            customer.versions, terms.card, alone=terms.product is None, everyone=terms.everyone
        )
        replayed = ReplayedWallet(
            customer,
            self.stretch,
            terms.own_prices,
            self._account_of,
            self.history.find_asset,
            self.history.find_rate,
        )
        for happened in wallet.life:
            if isinstance(happened, Movement):
                replayed.move(happened)
            else:
                replayed.use(happened)
                step(1)
        return replayed.outcome

    def _account_of(self, price: int) -> str:
        return self.billing.prices.get((price,))[price].price.account_name

    def _note(
        self, totals: Totals, wallet: RecordedWallet, outcome: Outcome, keep: Keep | None
    ) -> None:
        one = largest_rise(outcome.billed.fees, outcome.replayed.fees, self._basis_of)
        dry = self._dry(outcome)
        shown = CustomerChange(
            customer_id=wallet.customer.public_id,
            external_id=wallet.external_id,
            events=outcome.events,
            fees=self.changes(wallet.customer.tenant_id, outcome.billed, outcome.replayed),
            rise=one,
            first_bill=one is FIRST_BILL or None,
            ran_dry=dry or None,
        )
        totals.shock.add(one)
        if order(one) > 0:
            totals.largest.add(order(one), shown)
        if dry:
            totals.ran_dry += 1
            totals.newly_dry += all((item.lowest_balance_billed or 0) >= 0 for item in dry)
            totals.lowest.add(max(-item.lowest_balance for item in dry), shown)
        if keep is not None:
            keep(shown, one)

    def _dry(self, outcome: Outcome) -> list[RanDry]:
        found = []
        for account, event_id, at, lowest in outcome.dry.values():
            billed = None
            if account.id is not None:
                last = outcome.last_event_id
                billed = self.history.lowest_billed(account, event_id, last)
            found.append(
                RanDry(
                    account=account.label,
                    at=from_micros(at),
                    event_id=self.history.event_id(event_id),
                    lowest_balance=from_units(lowest, account.asset),
                    lowest_balance_billed=None
                    if billed is None
                    else from_units(billed, account.asset),
                )
            )
        return found

    def changes(self, tenant_id: int, billed: Sums, replayed: Sums) -> list[FeeChange]:
        found = []
        for code in sorted(billed.fees.keys() | replayed.fees.keys()):
            asset = self.history.find_asset(tenant_id, code)
            assert asset is not None, "fees are in assets that exist"
            before, after = billed.fees.get(code, 0), replayed.fees.get(code, 0)
            found.append(
                FeeChange(
                    asset=code,
                    billed=from_units(before, asset),
                    replayed=from_units(after, asset),
                    change=from_units(after - before, asset),
                    percent=rise(before, after) if before > 0 else None,
                )
            )
        return found

    def _basis_of(self, code: str) -> Basis | None:
        asset = self.history.find_asset(self.billing.tenant.id, code)
        assert asset is not None, "fees are in assets that exist"
        return self.history.find_rate(asset, self.now)


def amounts(revenue: Earned, standing: Earned, costs: Earned) -> dict[str, tuple[int, int]]:
    """Revenue and cost by currency."""
    codes = revenue.keys() | standing.keys() | costs.keys()
    return {
        code: (revenue.get(code, 0) + standing.get(code, 0), costs.get(code, 0)) for code in codes
    }
