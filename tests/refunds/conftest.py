"""The shop with one customer, jane, whose images cost 4 USD each."""

from __future__ import annotations

import httpx
import pytest

from tests.conftest import Call
from tests.refunds.shop import Shop
from tests.samples import a_product, a_wallet, unit_price


@pytest.fixture
async def shop(call: Call, rest: httpx.AsyncClient) -> Shop:
    await a_product(call, unit_price(4))
    await a_wallet(call, "studio")
    return Shop(call, rest)
