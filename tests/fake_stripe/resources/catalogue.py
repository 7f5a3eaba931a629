"""Products and prices, as Stripe's CLI makes them before its checkout sessions."""

from __future__ import annotations

from typing import Any

from stripe import params

from tests.fake_stripe.account import Account, Object
from tests.fake_stripe.routes import route


@route("POST /v1/products", params.ProductCreateParams)
def create_product(account: Account, form: dict[str, Any]) -> Object:
    return account.make("product", "prod", **form)


@route("POST /v1/prices", params.PriceCreateParams)
def create_price(account: Account, form: dict[str, Any]) -> Object:
    account.get(form["product"], "product")
    return account.make("price", "price", **form)
