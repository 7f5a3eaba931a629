"""Months of two customers, drawn at random, lived at once in two accounts: one under the prices it
had, the other from the start under those that are replayed. Holds no test."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.use_cases.adjustments import create_adjustment, create_charge
from credyt_mcp.use_cases.assets import create_asset
from credyt_mcp.use_cases.customers import create_customer
from credyt_mcp.use_cases.events import submit_events
from credyt_mcp.use_cases.products import create_product, create_product_version
from credyt_mcp.use_cases.subscriptions import update_subscription_product
from credyt_mcp.use_cases.vendors import create_vendor
from tests.callers import caller, live
from tests.conftest import Call
from tests.simulation.catalogue import CREDITS, PRODUCTS

BEFORE, AFTER = PRODUCTS["studio"]
LATER = [
    # Beside those of two recorded versions: bulk, package and tiers of other sizes, in both assets.
    *[price for price in AFTER if price["name"] not in ("Calls", "Image")],
    {
        **next(price for price in AFTER if price["name"] == "Calls"),
        "pricing_model": "bulk",
        "pricing": [
            {"asset": "credits", "values": [{"up_to": 2, "unit_price": 3}, {"unit_price": 1}]},
            {"asset": "USD", "values": [{"up_to": 2, "unit_price": "0.2"}, {"unit_price": "0.1"}]},
        ],
    },
    {
        **next(price for price in AFTER if price["name"] == "Image"),
        "pricing_model": "package",
        "tiering": {"period": "monthly"},
        "pricing": [{"asset": "USD", "values": [{"unit_price": "0.7", "package_size": 3}]}],
    },
]
EXTRAS = PRODUCTS["extras"][0]
WHO = ("ann", "bob")


@dataclass(frozen=True)
class Use:
    who: str
    event_type: str
    data: dict[str, Any]
    late: int


@dataclass(frozen=True)
class Credit:
    who: str
    asset: str
    amount: Decimal
    lasts: int | None
    starts: int | None
    reason: str


@dataclass(frozen=True)
class Spend:
    who: str
    asset: str
    amount: Decimal


@dataclass(frozen=True)
class Change:
    """To the second version, in the account that had the first."""

    who: str


@dataclass(frozen=True)
class Wait:
    hours: int


who = st.sampled_from(WHO)
quantities = st.integers(0, 30) | st.decimals("0", "30", places=3)
data = st.fixed_dictionaries(
    {},
    optional={
        "tokens": st.integers(0, 3_000_000),
        "model": st.sampled_from(["large", "small"]),
        "pages": quantities,
        "amount": quantities,
        "gb": quantities,
        "seconds": quantities,
        "quality": st.sampled_from(["hd", "sd"]),
    },
)
types = ["image", "chat", "page", "pay", "call", "store", "render", "frame", "unknown"]
days = st.none() | st.integers(1, 6)
amounts = st.decimals("0.01", "25", places=2)
assets = st.sampled_from(["USD", "credits"])
happenings = st.lists(
    st.one_of(
        *[st.builds(Use, who, st.sampled_from(types), data, st.integers(0, 20))] * 6,
        st.builds(
            Credit,
            who,
            assets,
            amounts,
            days,
            st.none() | st.integers(1, 5),
            st.sampled_from(["gift", "external_topup", "other"]),
        ),
        st.builds(Spend, who, assets, amounts),
        st.builds(Change, who),
        *[st.builds(Wait, st.integers(1, 200))] * 2,
    ),
    min_size=10,
    max_size=60,
)


@dataclass
class Account:
    """`versions` has the prices of the studio, the first of which customers begin with."""

    call: Call
    versions: list[list[dict[str, Any]]]
    subscriptions: dict[str, str] = field(default_factory=dict)

    async def open(self) -> None:
        await self.call(create_asset, **CREDITS)
        await self.call(create_vendor, name="Maker", external_id="maker")
        first, *others = self.versions
        await self.call(create_product, name="s", code="studio", prices=first, publish=True)
        for prices in others:
            await self.call(
                create_product_version, product_id="studio", prices=prices, publish=True
            )
        await self.call(create_product, name="e", code="extras", prices=EXTRAS, publish=True)

    async def begin(self, name: str) -> None:
        wanted = [{"products": [{"code": code}]} for code in ("studio", "extras")]
        made = await self.call(create_customer, name=name, external_id=name, subscriptions=wanted)
        self.subscriptions[name] = next(
            one.id for one in made.subscriptions if one.products[0].code == "studio"
        )

    async def live(self, event_id: str, now: Any, name: str, what: Any) -> None:
        if isinstance(what, Use):
            event = {
                "id": event_id,
                "event_type": what.event_type,
                "data": what.data,
                "occurred_at": now - timedelta(days=what.late),
                "costs": [{"id": event_id, "vendor_external_id": "maker", "amount": "0.013"}],
            }
            await self.call(submit_events, customer_external_id=name, events=[event])
        elif isinstance(what, Change):
            if len(self.versions) > 1:
                await self.call(
                    update_subscription_product,
                    customer_id=name,
                    subscription_id=self.subscriptions[name],
                    product_id="studio",
                    version=2,
                )
        else:
            fields = {
                "customer_id": name,
                "transaction_id": event_id,
                "asset": what.asset,
                "amount": what.amount,
            }
            if isinstance(what, Spend):
                await self.call(create_charge, **fields)
                return
            if what.starts is not None:
                fields["effective_at"] = now + timedelta(days=what.starts)
            if what.lasts is not None:
                fields["expires_at"] = now + timedelta(days=what.lasts + (what.starts or 0))
            await self.call(create_adjustment, reason=what.reason, **fields)


async def two_accounts(system: System) -> tuple[Account, Account]:
    """One that had two versions, and one that has the third from the start."""
    recorded = Account(caller(system.billing), [BEFORE, AFTER])
    fresh = Account(live(system.billing), [LATER])
    await recorded.open()
    await fresh.open()
    return recorded, fresh


async def lived(
    accounts: tuple[Account, ...], clock: FrozenClock, life: list[Any], mark: str
) -> list[str]:
    """The names of the customers who lived it, in each account."""
    clock.advance(timedelta(days=40))  # so that the first late events are after the start
    names = {one: f"{one}{mark}" for one in WHO}
    for account in accounts:
        for name in names.values():
            await account.begin(name)
    clock.advance(timedelta(days=21))
    for number, what in enumerate(life):
        if isinstance(what, Wait):
            clock.advance(timedelta(hours=what.hours))
            continue
        clock.advance(timedelta(seconds=1))
        for account in accounts:
            await account.live(f"{mark}:{number}", clock.now(), names[what.who], what)
    return list(names.values())
