"""What each outcome of an automatic top-up's charge must look like to an operator, whatever the
provider. Jane has $4 left of $10, and the card was charged once."""

from __future__ import annotations

from typing import Any

from credyt_mcp.app import System
from credyt_mcp.use_cases.top_ups import get_top_up
from tests.auto_top_ups.cards import rule, told
from tests.auto_top_ups.table import Row
from tests.conftest import Call
from tests.samples import balances


async def as_documented(call: Call, system: System, row: Row) -> None:
    standing = await rule(call)
    last = standing.last_charge
    kinds = [one["kind"].removeprefix("auto_top_up.") for one in await told(system)]
    top_up = await call(get_top_up, top_up_id=last.top_up_id)
    found: Any = (standing.status, last.status, top_up.status, kinds)
    assert (
        found
        == {
            "succeeded": ("active", "succeeded", "succeeded", []),
            "tried again": ("active", "open", "initiated", ["failed"]),
            "off": ("off", "failed", "failed", ["failed", "disabled"]),
            "needs the customer": (
                "action_required",
                "confirming",
                "initiated",
                ["action_required"],
            ),
        }[row.outcome]
    )
    paid = 20 if row.outcome == "succeeded" else 0
    assert await balances(call) == {"default:USD": 4 + paid}
    assert (last.code, last.attempts) == (row.code, 1)
    if row.code is not None:
        assert last.reason and last.hint
    if row.outcome in ("off", "needs the customer"):
        assert standing.reason and standing.hint
