"""The sandbox dashboard in a browser: with a test key only, never from another site's form."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest

from credyt_mcp.app import System
from credyt_mcp.errors import Forbidden, NotFound
from credyt_mcp.use_cases.accounts import create_connected_account
from credyt_mcp.use_cases.sandbox_control import dispute_in_sandbox, step_in_sandbox, view_sandbox
from tests.callers import caller, live
from tests.conftest import API_KEY, Call
from tests.refunds.shop import Shop

PAGE = "/portal/sandbox"


class Dashboard:
    def __init__(self, web: httpx.AsyncClient) -> None:
        self.web, self.auth = web, ("me", API_KEY)

    async def text(self) -> str:
        answer = await self.web.get(PAGE, auth=self.auth)
        assert answer.status_code == 200
        return answer.text

    async def send(self, form: str, **fields: Any) -> httpx.Response:
        csrf = re.findall(r'name="csrf" value="(\w+)"', await self.text())[0]
        data = {"csrf": csrf, **fields}
        return await self.web.post(f"{PAGE}/{form}", data=data, auth=self.auth)

    async def ids(self, of: str) -> list[str]:
        return re.findall(rf'name="{of}" value="(\w+)"', await self.text())


@pytest.fixture
def dashboard(rest: httpx.AsyncClient) -> Dashboard:
    del rest.headers["X-CREDYT-API-KEY"]
    return Dashboard(rest)


async def test_refund_and_dispute_by_hand(shop: Shop, dashboard: Dashboard) -> None:
    await shop.top_up(10)
    assert "USD 10.00" in await dashboard.text()
    [payment] = await dashboard.ids("payment_id")
    refund = await dashboard.send("refunds", payment_id=payment, amount="2", outcome="pending")
    assert (refund.status_code, refund.headers["location"]) == (303, PAGE)
    assert await shop.has() == (8, 0)
    [pending] = await dashboard.ids("reversal_id")
    await dashboard.send("steps", reversal_id=pending, step="fail")
    assert await shop.has() == (10, 0)
    await dashboard.send("disputes", payment_id=payment)
    [dispute] = await dashboard.ids("reversal_id")
    for step, (available, held) in {"withdraw": (0, 0), "win": (10, 0)}.items():
        await dashboard.send("steps", reversal_id=dispute, step=step)
        assert await shop.has() == (available, held)
    assert "won" in await dashboard.text()


async def test_what_cannot_be_is_said_on_the_page(shop: Shop, dashboard: Dashboard) -> None:
    await shop.top_up(10)
    [payment] = await dashboard.ids("payment_id")
    for amount in ("11", "nonsense", "-1", "0.001"):
        refused = await dashboard.send("refunds", payment_id=payment, amount=amount)
        assert (refused.status_code, 'role="alert"' in refused.text) == (422, True)
    assert await shop.has() == (10, 0)


async def test_it_wants_a_key_and_its_own_form(shop: Shop, dashboard: Dashboard) -> None:
    await shop.top_up(10)
    [payment] = await dashboard.ids("payment_id")
    for auth in (None, ("me", "key_nobody")):
        answer = await dashboard.web.get(PAGE, auth=auth)
        assert (answer.status_code, "Basic" in answer.headers["www-authenticate"]) == (401, True)
    forged = {"csrf": "0" * 64, "payment_id": payment}
    answer = await dashboard.web.post(f"{PAGE}/refunds", data=forged, auth=dashboard.auth)
    assert answer.status_code == 403
    assert await shop.has() == (10, 0)


async def test_live_and_other_accounts_see_nothing_of_it(
    call: Call, shop: Shop, system: System
) -> None:
    dispute = await shop.dispute(await shop.top_up(10))
    with pytest.raises(Forbidden):
        await (await asyncio.to_thread(live, system.billing))(view_sandbox)
    made = await call(create_connected_account, name="Corner Shop", external_id="shop_17")
    other = await system.keys.admit(API_KEY, made.id)
    theirs = caller(system.billing.as_tenant(other.tenant, other.key_id, other.scopes))
    assert (await theirs(view_sandbox)).payments == []
    payment = (await call(view_sandbox)).payments[0].id
    with pytest.raises(NotFound):
        await theirs(dispute_in_sandbox, payment_id=payment)
    with pytest.raises(NotFound):
        await theirs(step_in_sandbox, reversal_id=dispute, step="win")
