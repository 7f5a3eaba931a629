"""What becomes of an automatic top-up, in the sandbox: every test card, retries, crashes."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.errors import ProviderUnavailable
from credyt_mcp.payments.provider import ChargeRequest, ChargeSnapshot
from credyt_mcp.use_cases.adjustments import create_charge
from credyt_mcp.use_cases.auto_top_ups import set_auto_top_up, stop_auto_top_up
from credyt_mcp.use_cases.automatic_charges import charge_due
from credyt_mcp.use_cases.clocks import advance_clock
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.open_payments import ask_after_open
from credyt_mcp.use_cases.settling import settle_payment
from credyt_mcp.use_cases.top_ups import get_top_up
from tests.auto_top_ups.cards import (
    ASKS_ALWAYS,
    LOST,
    NO_FUNDS,
    TERMS,
    USD,
    a_card,
    a_rule,
    rule,
    told,
)
from tests.auto_top_ups.outcomes import as_documented
from tests.auto_top_ups.table import Row, rows
from tests.conftest import Call
from tests.samples import balances

IN_SANDBOX = [row for row in rows() if row.number]


async def spend(call: Call, amount: int, name: str = "c1") -> None:
    await call(create_charge, customer_id="jane", transaction_id=name, asset="USD", amount=amount)


async def kinds(system: System) -> list[str]:
    return [one["kind"].removeprefix("auto_top_up.") for one in await told(system)]


@pytest.mark.parametrize("row", IN_SANDBOX, ids=[row.number for row in IN_SANDBOX])
async def test_every_test_card_does_as_documented(
    call: Call, rest: httpx.AsyncClient, system: System, row: Row
) -> None:
    await a_rule(call, rest, row.number)
    await spend(call, 6)
    await charge_due(system.billing)
    await as_documented(call, system, row)
    assert (await call(verify_ledger)).ok


async def test_a_soft_decline_is_tried_four_times_over_31_hours_and_then_it_is_off(
    call: Call, rest: httpx.AsyncClient, system: System
) -> None:
    await a_rule(call, rest, NO_FUNDS)
    await spend(call, 6)
    await charge_due(system.billing)
    for hours, attempts in ((0.9, 1), (0.2, 2), (5.8, 2), (0.2, 3), (23.8, 3), (0.2, 4)):
        await call(advance_clock, advance_by=f"PT{int(hours * 60)}M")
        assert (await rule(call)).last_charge.attempts == attempts
    standing = await rule(call)
    assert (standing.status, standing.last_charge.status) == ("off", "failed")
    assert await kinds(system) == ["failed"] * 4 + ["disabled"]
    assert [one["kind"] for one in await told(system, "top_up")] == ["top_up.failed"]
    await spend(call, 1, "c2")
    await call(advance_clock, advance_by="P3D")
    assert (await rule(call)).last_charge.attempts == 4
    assert await balances(call) == {"default:USD": 3}


async def test_a_card_that_recovers_pays_at_the_next_try(
    call: Call, rest: httpx.AsyncClient, system: System
) -> None:
    await a_rule(call, rest, NO_FUNDS)
    await spend(call, 6)
    await charge_due(system.billing)
    await a_card(call, rest)  # the newest is the default
    await call(advance_clock, advance_by="PT1H")
    assert await balances(call) == {"default:USD": 24}
    assert (await rule(call)).last_charge.code is None


async def test_a_balance_that_recovered_is_not_topped_up_again(
    call: Call, rest: httpx.AsyncClient, system: System
) -> None:
    await a_rule(call, rest, NO_FUNDS)
    await spend(call, 6)
    await charge_due(system.billing)
    await rest.post(
        "/customers/jane/wallet/adjustments",
        json={"transaction_id": "bank", "asset": "USD", "amount": 50, "reason": "external_topup"},
    )
    await a_card(call, rest)
    await call(advance_clock, advance_by="PT2H")
    standing = await rule(call)
    assert await balances(call) == {"default:USD": 54}
    assert (standing.status, standing.top_up_id) == ("active", None)
    assert standing.last_charge.code == "not_needed"
    await spend(call, 50, "c2")
    await charge_due(system.billing)
    assert await balances(call) == {"default:USD": 24}


async def test_a_hard_decline_is_not_tried_again_until_the_customer_agrees_anew(
    call: Call, rest: httpx.AsyncClient, system: System
) -> None:
    await a_rule(call, rest, LOST)
    await spend(call, 6)
    await charge_due(system.billing)
    await call(advance_clock, advance_by="P10D")
    assert (await rule(call)).last_charge.attempts == 1
    card = await a_card(call, rest)
    await call(set_auto_top_up, **USD, **TERMS, payment_method_id=card)
    await charge_due(system.billing)
    assert await balances(call) == {"default:USD": 24}


async def test_a_customer_who_confirms_pays_and_the_rule_goes_on(
    call: Call, rest: httpx.AsyncClient, system: System
) -> None:
    card = await a_rule(call, rest, ASKS_ALWAYS)
    assert card.status == "active"
    await spend(call, 6)
    await charge_due(system.billing)
    [asked] = await told(system)
    page = httpx.URL(asked["redirect_url"]).path
    challenged = await rest.post(page, data={"card_number": ASKS_ALWAYS})
    assert "Is this payment of USD 20.00 yours?" in challenged.text
    refused = await rest.post(page, data={"card_number": ASKS_ALWAYS, "confirmed": "no"})
    assert refused.status_code == 402
    assert "could not confirm" in refused.text
    paid = await rest.post(page, data={"card_number": ASKS_ALWAYS, "confirmed": "yes"})
    assert paid.status_code == 303
    assert await balances(call) == {"default:USD": 24}
    assert (await rule(call)).status == "active"
    assert len(await told(system, "top_up")) == 1


async def test_a_link_to_confirm_that_nobody_follows_expires_and_nothing_is_tried(
    call: Call, rest: httpx.AsyncClient, system: System, clock: FrozenClock
) -> None:
    await a_rule(call, rest, ASKS_ALWAYS)
    await spend(call, 6)
    await charge_due(system.billing)
    clock.advance(timedelta(days=1))
    await ask_after_open(system.billing)
    await charge_due(system.billing)
    standing = await rule(call)
    assert (standing.status, standing.top_up_id) == ("action_required", None)
    assert standing.last_charge.attempts == 1
    top_up = await call(get_top_up, top_up_id=standing.last_charge.top_up_id)
    assert top_up.status == "expired"


async def test_a_charge_without_an_answer_is_asked_about_and_not_made_again(
    call: Call,
    rest: httpx.AsyncClient,
    system: System,
    clock: FrozenClock,
    deaf: list[ChargeRequest],
) -> None:
    await a_rule(call, rest)
    await spend(call, 6)
    await charge_due(system.billing)
    await spend(call, 1, "c2")
    await charge_due(system.billing)
    assert await balances(call) == {"default:USD": 3}
    clock.advance(timedelta(minutes=5))
    await charge_due(system.billing)
    assert await balances(call) == {"default:USD": 23}
    assert [one.key for one in deaf] == [deaf[0].key] * 2
    assert (await call(verify_ledger)).ok


async def test_switched_off_without_an_answer_what_was_taken_is_credited(
    call: Call,
    rest: httpx.AsyncClient,
    system: System,
    clock: FrozenClock,
    deaf: list[ChargeRequest],
) -> None:
    await a_rule(call, rest)
    await spend(call, 6)
    await charge_due(system.billing)
    await call(stop_auto_top_up, **USD)
    clock.advance(timedelta(minutes=5))
    await charge_due(system.billing)
    assert len(deaf) == 1  # it was only looked up
    assert await balances(call) == {"default:USD": 24}
    assert (await rule(call)).status == "off"


async def test_a_charge_that_was_never_made_is_not_made_after_switching_off(
    call: Call,
    rest: httpx.AsyncClient,
    system: System,
    clock: FrozenClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await a_rule(call, rest)

    def away(request: ChargeRequest) -> ChargeSnapshot:
        raise ProviderUnavailable("it is away")

    with monkeypatch.context() as patch:
        patch.setattr(system.billing.payments, "charge", away)
        await spend(call, 6)
        await charge_due(system.billing)
    await call(stop_auto_top_up, **USD)
    clock.advance(timedelta(minutes=5))
    await charge_due(system.billing)
    standing = await rule(call)
    assert (standing.last_charge.status, standing.last_charge.code) == ("failed", "switched_off")
    assert await balances(call) == {"default:USD": 4}


async def test_a_charge_that_takes_days_waits_for_its_word(
    call: Call, rest: httpx.AsyncClient, system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_rule(call, rest)

    def later(request: ChargeRequest) -> ChargeSnapshot:
        return ChargeSnapshot("pending", request.amount_minor, request.currency)

    with monkeypatch.context() as patch:
        patch.setattr(system.billing.payments, "charge", later)
        await spend(call, 6)
        await charge_due(system.billing)
        last = (await rule(call)).last_charge
        assert last.status == "waiting"
        assert (await call(get_top_up, top_up_id=last.top_up_id)).status == "pending"
        await spend(call, 1, "c2")
        await call(advance_clock, advance_by="P2D")
        assert await balances(call) == {"default:USD": 3}
    await settle_payment(system.billing, f"{last.top_up_id}:charge:1")  # as an event has it
    assert await balances(call) == {"default:USD": 23}
    assert (await rule(call)).top_up_id is None
