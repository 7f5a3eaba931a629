"""The books go on where another process, or an earlier run, left them."""

from __future__ import annotations

from decimal import Decimal

from credyt_mcp.app import System, running
from credyt_mcp.clock import FrozenClock
from credyt_mcp.settings import Settings
from credyt_mcp.use_cases.context import perform
from credyt_mcp.use_cases.ledger import VerifyLedger, verify_ledger
from credyt_mcp.use_cases.provisioning import CreateWallet, create_wallet


async def test_the_books_go_on_after_a_restart(settings: Settings, clock: FrozenClock) -> None:
    for customer in ("jane", "joe"):
        async with running(settings, clock=clock) as system:
            await _credit(system, customer)
            assert (await perform(system.billing, verify_ledger, VerifyLedger())).ok


async def test_two_processes_meet_in_the_same_business_accounts(
    system: System, settings: Settings, clock: FrozenClock
) -> None:
    async with running(settings, clock=clock) as other:
        await _credit(system, "jane")
        await _credit(other, "joe")
        report = await perform(other.billing, verify_ledger, VerifyLedger())
        # Jane's wallet, Joe's wallet, and one account that paid for both gifts.
        assert (report.ok, report.checked["ledger_accounts"]) == (True, 3)


async def _credit(system: System, customer: str) -> None:
    credit = {"asset": "USD", "amount": 1}
    command = CreateWallet.model_validate({"external_id": customer, "starting_credit": credit})
    made = await perform(system.billing, create_wallet, command)
    assert made.balances == {"default:USD": Decimal(1)}
