"""A book kept in memory, and random commands for it: the domain's ledger without any database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any

from hypothesis import strategies as st

from credyt_mcp.clock import to_micros
from credyt_mcp.domain.assets import currency
from credyt_mcp.domain.book import Book, Customer, CustomerRef, RateCard, SubscribedVersion
from credyt_mcp.domain.compiled_prices import compile_price
from credyt_mcp.domain.money import Asset
from credyt_mcp.domain.prices import UsageBasedPrice
from credyt_mcp.domain.transfers import Adjust, Charge, SettleTopUp, TopUp
from credyt_mcp.domain.upkeep import bring_up_to_date
from credyt_mcp.domain.usage import RecordUsage, UsageEvent
from credyt_mcp.errors import CredytError
from tests.simulation.catalogue import PRODUCTS

TENANT = 1
USD, CREDITS = currency("USD") or Asset("USD", 9, 2), Asset("credits", 6, 0)
START = to_micros(datetime(2026, 3, 10, tzinfo=UTC))
DAY = 86_400_000_000
CUSTOMERS = ("ann", "bob")
TOP_UPS = {"top_1": USD, "top_2": CREDITS}

Command = Adjust | Charge | SettleTopUp | RecordUsage

_ids = st.sampled_from([f"id-{number}" for number in range(12)])
_refs = st.sampled_from([CustomerRef(TENANT, name) for name in (*CUSTOMERS, "nobody")])
_assets = st.sampled_from([USD, CREDITS])
_units = st.one_of(st.integers(1, 60 * 10**9), st.just(2**62), st.integers(2**63 - 9, 2**63 - 1))
_moments = st.one_of(st.none(), st.integers(-3, 40).map(lambda days: START + days * DAY))
_data = st.fixed_dictionaries(
    {},
    optional={
        name: st.sampled_from([0, 1, 4, Decimal("25.5"), 10**6, -1, "many", Decimal("1e14")])
        for name in ("gb", "seconds", "tokens", "pages")
    },
)
_types = st.sampled_from(["image", "chat", "call", "store", "page", "render", "frame", "other"])
_events = st.builds(
    UsageEvent,
    id=_ids,
    event_type=_types,
    occurred_at=st.integers(-2, 40).map(lambda days: START + days * DAY),
    data=_data,
)

commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(
        Adjust,
        ref=_refs,
        transaction_id=_ids,
        account_name=st.sampled_from(["default", "bonus"]),
        asset=_assets,
        amount=st.one_of(_units, _units.map(lambda units: -units)),
        reason=st.sampled_from(["gift", "external_topup", "external_refund", "other"]),
        description=st.none(),
        effective_at=_moments,
        expires_at=st.one_of(st.none(), st.integers(41, 60).map(lambda days: START + days * DAY)),
    ),
    st.builds(
        Adjust,
        ref=_refs,
        transaction_id=_ids,
        account_name=st.just("default"),
        asset=_assets,
        amount=st.integers(1, 10**9),
        reason=st.sampled_from(["gift", "external_topup"]),
        description=st.none(),
        effective_at=st.just(START - DAY),
        expires_at=st.integers(1, 20).map(lambda days: START + days * DAY),
    ),
    st.builds(
        Charge,
        ref=_refs,
        transaction_id=_ids,
        account_name=st.just("default"),
        asset=_assets,
        amount=st.one_of(st.just(0), _units),
        description=st.none(),
    ),
    st.sampled_from(sorted(TOP_UPS)).map(
        lambda name: SettleTopUp(
            CustomerRef(TENANT, "ann"), name, "succeeded", TOP_UPS[name], 10**9
        )
    ),
    st.builds(
        RecordUsage,
        ref=_refs,
        events=st.lists(_events, min_size=1, max_size=4).map(tuple),
        max_age=st.just(40 * DAY),
        max_ahead=st.just(35 * DAY),
    ),
)


class Keeper:
    """Runs commands as the lane does, one at a time, and keeps one book for ever."""

    def __init__(self) -> None:
        self.numbers = count(1)
        self.book = Book(START, lambda _, code: {"USD": USD, "credits": CREDITS}.get(code))
        versions = tuple(SubscribedVersion(card, START, None) for card in _rate_cards())
        for number, name in enumerate(CUSTOMERS, start=1):
            ref = CustomerRef(TENANT, name)
            self.book.customers[ref] = Customer(number, TENANT, name, versions)
        for number, name in enumerate(TOP_UPS, start=1):
            self.book.top_ups[TENANT, name] = TopUp(
                number, TENANT, name, "default", "initiated", 50, USD, START + 20 * DAY
            )

    def run(self, command: Command) -> CredytError | None:
        """The refusal, if it was refused; then everything is taken back."""
        self.book.mark()
        try:
            command.decide(self.book)
        except CredytError as refusal:
            self.book.undo()
            return refusal
        self.number_new_rows()
        return None

    def let_pass(self, days: int) -> None:
        self.book.now += days * DAY
        self.bring_up_to_date()

    def bring_up_to_date(self) -> None:
        for customer in self.book.customers.values():
            bring_up_to_date(self.book, customer)
        self.number_new_rows()

    def number_new_rows(self) -> None:
        """Give ids as the storage would: later rows have larger ones."""
        for record in self.book.records:
            record.id = record.id or next(self.numbers)
            for _, grant in record.grants:
                grant.id = grant.id or next(self.numbers)

    def snapshot(self) -> Any:
        """All that the book says, by value, so that any trace a command leaves is seen."""
        aside = ("_undo", "metered")  # what was worked out of events alone may stay
        said = {name: value for name, value in vars(self.book).items() if name not in aside}
        return _plain(said, {})


def _plain(value: Any, seen: dict[int, int]) -> Any:
    """Objects by their fields; one met again by its number, which tells identity apart."""
    if isinstance(value, SubscribedVersion):
        return value.rate_card.version_id  # immutable, and large
    if isinstance(value, dict):
        return {_plain(key, seen): _plain(item, seen) for key, item in value.items()}
    if type(value) in (list, tuple, set, frozenset):
        return tuple(_plain(item, seen) for item in _ordered(value))
    if is_dataclass(value) and not isinstance(value, type):
        if id(value) in seen:
            return f"object {seen[id(value)]}"
        seen[id(value)] = len(seen)
        return (
            type(value).__name__,
            tuple((one.name, _plain(getattr(value, one.name), seen)) for one in fields(value)),
        )
    if isinstance(value, tuple):
        return (type(value).__name__, *(_plain(item, seen) for item in value))
    return value


def _ordered(values: Iterable[Any]) -> Iterable[Any]:
    return sorted(values) if isinstance(values, set | frozenset) else values


def _rate_cards() -> list[RateCard]:
    assets = {"USD": USD, "credits": CREDITS}
    keys = count(1)
    cards = []
    for number, (code, versions) in enumerate(PRODUCTS.items(), start=1):
        prices = tuple(
            compile_price(
                UsageBasedPrice.model_validate(price),
                key=next(keys),
                price_id=price["name"],
                assets=assets,
            )
            for price in versions[0]
        )
        cards.append(RateCard(number, number, code, 1, prices))
    return cards
