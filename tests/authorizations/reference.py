"""What a wallet with holds does, said a second time and naively: plain Python, no ledger.

Every request answers `(word, facts)`: `done`, `repeated`, or the code it must be refused with.
Money is in whole thousandths, moments in seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

USD, CREDITS = "USD", "credits"
Answer = tuple[str, dict[str, Any]]
Fee = list[tuple[str, int]]
"""What an event may be charged: the first listed asset that covers it, or else the first."""

PRICES: dict[str, list[Callable[[int], Fee]]] = {
    "image": [lambda _: [(USD, 4000)]],
    "chat": [lambda tokens: [(USD, 500 * tokens)]],
    "render": [lambda _: [(CREDITS, 10_000), (USD, 500)]],
    "twice": [lambda _: [(USD, 1000)], lambda _: [(USD, 250)]],
    "both": [lambda _: [(USD, 2000)], lambda _: [(CREDITS, 3000)]],
    "free": [],
}


@dataclass
class Account:
    balance: int = 0
    held: int = 0
    overdraft: int = 0
    hard: bool = False

    @property
    def available(self) -> int:
        return self.balance - self.held


@dataclass
class Leg:
    authorized: int
    held: int
    captured: int = 0


@dataclass
class Hold:
    request: Any
    expires: int
    legs: dict[str, Leg]
    status: str = "open"
    exceeded: bool = False
    late: bool = False
    extensions: dict[str, Any] = field(default_factory=dict)


class Refused(Exception):
    def __init__(self, code: str, **facts: Any) -> None:
        super().__init__(code)
        self.answer: Answer = (code, facts)


@dataclass
class Wallet:
    accounts: dict[str, Account] = field(
        default_factory=lambda: {USD: Account(), CREDITS: Account()}
    )
    holds: dict[str, Hold] = field(default_factory=dict)
    events: dict[str, Any] = field(default_factory=dict)
    debits: dict[str, Any] = field(default_factory=dict)
    now: int = 0

    def pass_time(self, seconds: int) -> None:
        self.now += seconds
        for hold in self.holds.values():
            if hold.status == "open" and hold.expires <= self.now:
                self._give_back(hold, "expired")

    def authorize(
        self, name: str, request: Any, needs: Callable[[], dict[str, int]], lasts: int
    ) -> Answer:
        if name in self.holds:
            return self._repeat(self.holds[name].request, request)
        legs = {asset: Leg(units, units) for asset, units in needs().items()}
        for asset, leg in legs.items():
            self._must_cover(asset, leg.held)
        for asset, leg in legs.items():
            self.accounts[asset].held += leg.held
        self.holds[name] = Hold(request, self.now + lasts, legs)
        return "done", {}

    def extend(self, name: str, amount: int, lasts: int | None, extension: str | None) -> Answer:
        hold = self._found(name)
        if amount and not hold.legs:
            raise Refused("invalid_request")
        if extension in hold.extensions:
            return self._repeat(hold.extensions[extension], (amount, lasts))
        if hold.status != "open":
            raise Refused("wrong_state")
        if amount:
            asset, leg = next(iter(hold.legs.items()))
            self._must_cover(asset, amount)
            self.accounts[asset].held += amount
            leg.authorized, leg.held = leg.authorized + amount, leg.held + amount
        if lasts is not None:
            hold.expires = max(hold.expires, self.now + lasts)
        if extension is not None:
            hold.extensions[extension] = (amount, lasts)
        return "done", {}

    def release(self, name: str) -> Answer:
        hold = self._found(name)
        if hold.status in ("released", "expired"):
            return "repeated", {}
        if hold.status != "open":
            raise Refused("wrong_state")
        self._give_back(hold, "released")
        return "done", {}

    def capture_amount(self, name: str, amount: int, final: bool, debit: str | None) -> Answer:
        if not final and debit is None:
            raise Refused("invalid_request")
        hold = self._found(name)
        if not hold.legs:
            raise Refused("invalid_request")
        key, request = debit or f"capture:{name}", (name, amount, final)
        if key in self.debits:
            return self._repeat(self.debits[key], request)
        if len(hold.legs) > 1 or hold.status not in ("open", "expired"):
            raise Refused("wrong_state")
        [asset] = hold.legs
        self.accounts[asset].held -= hold.legs[asset].held
        self.accounts[asset].balance -= amount
        self._settle(hold, {asset: amount}, final)
        self.debits[key] = request
        return "done", {}

    def adjust(self, key: str, asset: str, amount: int) -> Answer:
        if key in self.debits:
            return self._repeat(self.debits[key], (asset, amount))
        self.debits[key] = (asset, amount)
        self.accounts[asset].balance += amount
        return "done", {}

    def record(
        self, name: str, kind: str, tokens: int, hold_name: str | None, final: bool, enforce: bool
    ) -> Answer:
        if name in self.events:
            return self._repeat(self.events[name], (kind, tokens))
        hold = None
        if hold_name is not None:
            hold = self.holds.get(hold_name)
            if hold is None:
                raise Refused("unknown_reference")
            if hold.status not in ("open", "expired"):
                raise Refused("wrong_state")
        owed = self._owed(kind, tokens, hold)
        for asset, units in owed.items():
            if units and (enforce or self.accounts[asset].hard):
                own = hold.legs[asset].held if hold and asset in hold.legs else 0
                self._must_cover(asset, units, own)
        if hold is not None:
            for asset, leg in hold.legs.items():
                self.accounts[asset].held -= leg.held
            self._settle(hold, owed, final)
        for asset, units in owed.items():
            self.accounts[asset].balance -= units
        self.events[name] = (kind, tokens)
        return "done", {}

    def estimate(self, kind: str, tokens: int) -> dict[str, int]:
        return self._owed(kind, tokens, None)

    def _owed(self, kind: str, tokens: int, hold: Hold | None) -> dict[str, int]:
        owed: dict[str, int] = {}
        own = {asset: leg.held for asset, leg in hold.legs.items()} if hold else {}
        for price in PRICES[kind]:
            options = price(tokens)
            options = [option for option in options if option[0] in own] or options
            asset, units = next(
                (
                    (asset, units)
                    for asset, units in options
                    if units <= max(0, self._left(asset, own, owed))
                ),
                options[0],
            )
            owed[asset] = owed.get(asset, 0) + units
        return owed

    def _left(self, asset: str, own: dict[str, int], owed: dict[str, int]) -> int:
        return self.accounts[asset].available + own.get(asset, 0) - owed.get(asset, 0)

    def _must_cover(self, asset: str, units: int, own: int = 0) -> None:
        account = self.accounts[asset]
        available = account.available + own
        if units > available + account.overdraft:
            missing = units - available - account.overdraft
            raise Refused("insufficient_balance", available=available, missing=missing, asset=asset)

    def _settle(self, hold: Hold, billed: dict[str, int], final: bool) -> None:
        """What was held is given back already; note what was billed, hold the rest unless final."""
        hold.late = hold.status == "expired"
        over = any(
            units > (hold.legs[asset].held if asset in hold.legs else 0)
            for asset, units in billed.items()
        )
        hold.exceeded |= over and not hold.late
        for asset, leg in hold.legs.items():
            leg.held = 0 if final else max(0, leg.held - billed.get(asset, 0))
            leg.captured += billed.get(asset, 0)
            self.accounts[asset].held += leg.held
        if final:
            hold.status = "captured"

    def _give_back(self, hold: Hold, status: str) -> None:
        for asset, leg in hold.legs.items():
            self.accounts[asset].held -= leg.held
            leg.held = 0
        hold.status = status

    def _found(self, name: str) -> Hold:
        if name not in self.holds:
            raise Refused("not_found")
        return self.holds[name]

    def _repeat(self, known: Any, request: Any) -> Answer:
        if known != request:
            raise Refused("id_reused")
        return "repeated", {}
