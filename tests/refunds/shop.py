"""A customer who pays top-ups in the sandbox, and the business that has a dashboard there."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx

from credyt_mcp.use_cases.events import submit_events
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.sandbox_control import (
    dispute_in_sandbox,
    refund_in_sandbox,
    step_in_sandbox,
    view_sandbox,
)
from credyt_mcp.use_cases.top_ups import start_top_up
from credyt_mcp.use_cases.wallets import get_account
from tests.conftest import Call

GOOD, PENDING, FAILING = "4242424242424242", "4000000000007726", "4000000000005126"


class Shop:
    def __init__(self, call: Call, web: httpx.AsyncClient) -> None:
        self.call, self.web = call, web

    async def top_up(self, amount: Any, card: str = GOOD, **more: Any) -> str:
        """Id of a top-up of jane's that was paid with that card."""
        started = await self.call(
            start_top_up, customer_id="jane", amount=amount, currency="USD", **more
        )
        paid = await self.web.post(httpx.URL(started.redirect_url).path, data={"card_number": card})
        assert paid.status_code in (200, 303)
        return str(started.id)

    async def spend(self, event_id: str, price: str = "image") -> None:
        event = {"id": event_id, "event_type": price}
        await self.call(submit_events, customer_id="jane", events=[event])

    async def has(self, account: str = "default:USD") -> tuple[Decimal, Decimal]:
        """Available, and set aside."""
        found = await self.account("jane", account.partition(":")[2])
        return found.available, found.pending_out

    async def account(self, who: str, asset: str) -> Any:
        return await self.call(get_account, customer_id=who, account_id=f"default:{asset}")

    async def refund_there(self, top_up_id: str, **how: Any) -> str:
        """A refund made in the provider's dashboard; its id there."""
        view = await self.call(refund_in_sandbox, payment_id=await self._payment(top_up_id), **how)
        return self._newest(view, top_up_id)

    async def dispute(self, top_up_id: str, **how: Any) -> str:
        payment = await self._payment(top_up_id)
        view = await self.call(dispute_in_sandbox, payment_id=payment, **how)
        return self._newest(view, top_up_id)

    async def step(self, reversal_id: str, step: str) -> None:
        await self.call(step_in_sandbox, reversal_id=reversal_id, step=step)

    async def books_are_right(self) -> None:
        verified = await self.call(verify_ledger)
        assert verified.ok, verified.problems

    async def _payment(self, top_up_id: str) -> str:
        view = await self.call(view_sandbox)
        return next(one.id for one in view.payments if _is_for(one, top_up_id))

    def _newest(self, view: Any, top_up_id: str) -> str:
        [payment] = [one for one in view.payments if _is_for(one, top_up_id)]
        return str(payment.reversals[-1].id)


def _is_for(payment: Any, top_up_id: str) -> bool:
    """By a page, or by a charge of a saved card, whose key says more."""
    return bool(payment.reference.partition(":")[0] == top_up_id)
