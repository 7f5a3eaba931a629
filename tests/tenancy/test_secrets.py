"""Whatever is asked, and whatever fails meanwhile: no key, signing secret or card number is told,
in an answer, an error or a tool's result, or logged."""

from __future__ import annotations

import logging

import httpx
import pytest

from credyt_mcp.app import System
from credyt_mcp.use_cases.adjustments import create_charge
from credyt_mcp.use_cases.automatic_charges import charge_due
from credyt_mcp.use_cases.open_payments import follow_up
from credyt_mcp.use_cases.topup_flows import generate_topup_flow
from tests.auto_top_ups.cards import GOOD, LOST, NO_FUNDS, a_card, a_rule
from tests.conftest import API_KEY, Call
from tests.stripe.conftest import FakeStripe
from tests.tenancy.conftest import Account, Server
from tests.tenancy.requests import everything
from tests.tenancy.world import fill


def must_not_hold(said: str, *secrets: str) -> None:
    assert len(said) > 10_000, "nothing was asked"
    for secret in secrets:
        at = said.find(secret)
        assert at < 0, f"{secret}: …{said[max(0, at - 300) : at + 50]}"


@pytest.mark.parametrize("fault", ["", "400", "500", "drop_before"])
async def test_keys_and_signing_secrets_are_never_told(
    server: Server, account: Account, system: System, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    world = await fill(await account("platform"))
    key, signing = f"sk_test_{world.marker}", f"whsec_{world.marker}"
    stripe = FakeStripe(world.stripe_url, key)
    stripe.fail(fault)
    caplog.clear()
    caplog.set_level(logging.DEBUG)
    told = [await world.ask(asked) for asked in everything(server.document, world.values)]
    told.append(await server.client.post("/providers/stripe/webhook", content=b"{}"))
    await follow_up(system.billing)
    await charge_due(system.billing)
    said = [f"{answer.headers} {answer.text}" for answer in told]
    must_not_hold(" ".join([*said, caplog.text]), key, signing, API_KEY)


async def test_card_numbers_are_never_told(
    call: Call,
    rest: httpx.AsyncClient,
    server: Server,
    system: System,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    await a_rule(call, rest, NO_FUNDS)
    for number in (GOOD, LOST):
        await a_card(call, rest, number)
    page = await call(generate_topup_flow, customer_id="jane", amount=5)
    path = httpx.URL(page.redirect_url).path
    declined = await rest.post(path, data={"card_number": LOST})
    assert declined.status_code == 402
    await call(create_charge, customer_id="jane", transaction_id="c1", asset="USD", amount=6)
    await charge_due(system.billing)
    values = {
        "customer_id": ["jane"],
        "customer_external_id": ["jane"],
        "account_id": ["default:USD"],
    }
    told = [
        await rest.get(asked.path)
        for asked in everything(server.document, _Any(values))
        if asked.method == "GET"
    ]
    assert any("4242" in answer.text for answer in told), "the last four digits are told"
    said = [f"{answer.headers} {answer.text}" for answer in told]
    must_not_hold(" ".join([*said, caplog.text]), GOOD, NO_FUNDS, LOST)


class _Any(dict[str, list[str]]):
    """Names nothing of what is not given."""

    def __missing__(self, _: str) -> list[str]:
        return ["none"]

    def __contains__(self, _: object) -> bool:
        return True
