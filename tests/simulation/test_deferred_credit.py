"""Credit that takes effect later must end in the same books as credit at once."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

import pytest

from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.use_cases.adjustments import create_adjustment
from tests.conftest import NOW, Call
from tests.samples import a_wallet
from tests.simulation import books

FUNDED_FROM = {
    "gift": "promotion",
    "external_topup": "funding",
    "external_refund": "funding",
    "other": "adjustment",
}


@pytest.mark.parametrize("days", [0, 1])
@pytest.mark.parametrize("reason", FUNDED_FROM)
async def test_the_reason_of_a_credit_decides_which_account_funds_it(
    call: Call, system: System, clock: FrozenClock, reason: str, days: int
) -> None:
    await a_wallet(call)
    credit = {"customer_id": "jane", "asset": "USD", "reason": reason}
    starts = NOW + timedelta(days=days)
    await call(create_adjustment, transaction_id="1", amount=5, effective_at=starts, **credit)
    clock.advance(timedelta(days=2))
    await call(create_adjustment, transaction_id="2", amount=-1, **credit)  # books what was due
    assert books.business(system.billing.database) == {(FUNDED_FROM[reason], "USD"): Fraction(-4)}
