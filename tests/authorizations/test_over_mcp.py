"""Holds as a model uses them: authorize, run, record; told plainly what is missing when denied."""

from __future__ import annotations

from typing import Any

from mcp import Client

from credyt_mcp import exact_json
from tests.conftest import Call
from tests.samples import a_product, a_wallet, unit_price, volume_price


async def ask(mcp: Client, tool: str, **arguments: Any) -> Any:
    result = await mcp.call_tool(tool, arguments)
    text = result.content[0].text  # type: ignore[union-attr]
    assert not result.is_error, text
    return exact_json.loads(text)


async def refusal(mcp: Client, tool: str, **arguments: Any) -> str:
    result = await mcp.call_tool(tool, arguments)
    text: str = result.content[0].text  # type: ignore[union-attr]
    assert result.is_error, text
    return text


async def jane(call: Call) -> None:
    await a_product(call, unit_price(4), volume_price("0.5"))
    await a_wallet(call, "studio", credit=10)


async def wallet(mcp: Client) -> Any:
    [account] = (await ask(mcp, "get_wallet", customer_id="jane"))["accounts"]
    return account["available"]


async def test_authorize_run_record_read_the_wallet(mcp: Client, call: Call) -> None:
    await jane(call)
    request = {"id": "a1", "customer_id": "jane", "event_type": "chat", "data": {"tokens": 12}}
    held = await ask(mcp, "authorize_usage", **request)
    again = await ask(mcp, "authorize_usage", **request)
    assert (held["status"], held["amount"], held["available"]) == ("open", 6, 4)
    assert (held["duplicate"], again["duplicate"]) == (False, True)
    assert await wallet(mcp) == 4
    event = {"customer_id": "jane", "id": "e1", "event_type": "chat", "data": {"tokens": 10}}
    recorded = await ask(mcp, "record_event", **event, authorization_id="a1")
    assert recorded["fees"][0]["amount"] == 5
    assert recorded["balances"] == {"default:USD": 5}
    assert recorded["authorization"] == {
        "id": "a1",
        "status": "captured",
        "exceeded": False,
        "late": False,
    }
    assert await wallet(mcp) == 5
    repeated = await ask(mcp, "record_event", **event, authorization_id="a1")
    assert repeated["duplicate"]
    assert await wallet(mcp) == 5
    assert (await ask(mcp, "verify_ledger"))["ok"]


async def test_a_denial_says_what_there_is_what_is_missing_and_what_to_do(
    mcp: Client, call: Call
) -> None:
    await jane(call)
    await ask(mcp, "authorize_usage", id="a1", customer_id="jane", amount=7.5)
    text = await refusal(mcp, "authorize_usage", id="a2", customer_id="jane", event_type="image")
    assert "insufficient_balance: " in text
    assert "2.5 USD available in default:USD" in text
    assert "1.5 missing" in text
    assert "generate_topup_flow" in text
    event = {"customer_id": "jane", "id": "e1", "event_type": "image", "enforce": True}
    assert "1.5 missing" in await refusal(mcp, "record_event", **event)
    assert await wallet(mcp) == 2.5


async def test_a_stream_extends_and_a_failure_releases(mcp: Client, call: Call) -> None:
    await jane(call)
    await ask(mcp, "authorize_usage", id="a1", customer_id="jane", amount=2, expires_in=60)
    extension = {"authorization_id": "a1", "amount": 3, "extension_id": "x1"}
    extended = await ask(mcp, "extend_authorization", **extension)
    repeated = await ask(mcp, "extend_authorization", **extension)
    assert (extended["held"], repeated["held"], repeated["duplicate"]) == (5, 5, True)
    text = await refusal(mcp, "extend_authorization", authorization_id="a1", amount=6)
    assert "insufficient_balance: 5 USD available" in text and "1 missing" in text
    events = [
        {"id": f"e{number}", "event_type": "chat", "data": {"tokens": 1}, "final": False}
        for number in range(3)
    ]
    await ask(mcp, "submit_events", customer_id="jane", events=events[:2], authorization_id="a1")
    await ask(mcp, "record_event", customer_id="jane", authorization_id="a1", **events[2])
    assert await wallet(mcp) == 5
    released = await ask(mcp, "release_authorization", authorization_id="a1")
    assert (released["status"], released["captured"], released["available"]) == (
        "released",
        1.5,
        8.5,
    )
    late = await refusal(mcp, "extend_authorization", authorization_id="a1", amount=1)
    assert "wrong_state: " in late and "Authorize anew" in late
    assert "not_found: " in await refusal(mcp, "release_authorization", authorization_id="none")
    assert await wallet(mcp) == 8.5
