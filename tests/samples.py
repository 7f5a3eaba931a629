"""Prices and customers that many tests begin with, in the wire's shapes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from credyt_mcp.use_cases.assets import create_asset
from credyt_mcp.use_cases.products import create_product
from credyt_mcp.use_cases.provisioning import create_wallet
from credyt_mcp.use_cases.wallets import get_wallet
from tests.conftest import Call


def unit_price(
    price: str | int, asset: str = "USD", event_type: str = "image", **more: Any
) -> dict[str, Any]:
    return {
        "name": f"Per {event_type}",
        "type": "usage_based",
        "billing_model": {"type": "real_time"},
        "usage_calculation": {"event_type": event_type, "usage_type": "unit"},
        "pricing": [{"asset": asset, "values": [{"unit_price": price}]}],
        **more,
    }


def volume_price(
    rate: str | int, field: str = "tokens", event_type: str = "chat", **value: Any
) -> dict[str, Any]:
    return {
        "name": f"Per {field}",
        "type": "usage_based",
        "billing_model": {"type": "real_time"},
        "usage_calculation": {
            "event_type": event_type,
            "usage_type": "volume",
            "volume_field": field,
        },
        "pricing": [{"asset": "USD", "values": [{"volume_rate": rate, **value}]}],
    }


TIERED: dict[str, Any] = {
    "name": "API calls",
    "type": "usage_based",
    "pricing_model": "tiered",
    "tiering": {"basis": "unit", "period": "monthly"},
    "billing_model": {"type": "real_time"},
    "usage_calculation": {"event_type": "call", "usage_type": "unit"},
    "pricing": [
        {"asset": "USD", "values": [{"up_to": 2, "unit_price": "0.01"}, {"unit_price": "0.008"}]}
    ],
}


async def a_product(call: Call, *prices: dict[str, Any], code: str = "studio") -> Any:
    return await call(create_product, name=code, code=code, prices=list(prices), publish=True)


async def a_wallet(call: Call, *products: str, credit: Any = None, who: str = "jane") -> Any:
    """A customer `who` with the products; `credit` is a starting credit in USD, or as given."""
    if isinstance(credit, int | str):
        credit = {"asset": "USD", "amount": credit}
    more = {} if credit is None else {"starting_credit": credit}
    return await call(create_wallet, external_id=who, products=list(products), **more)


async def credits_asset(call: Call) -> None:
    await call(
        create_asset, code="credits", name="Credits", rates=[{"source": "USD", "rate": "0.05"}]
    )


async def balances(call: Call, who: str = "jane") -> dict[str, Decimal]:
    wallet = await call(get_wallet, customer_id=who)
    return {account.id: account.available for account in wallet.accounts}
