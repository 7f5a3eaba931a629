"""The real SDKs, metered: what each way of calling a model does to wallet, fee and cost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import anthropic
import openai
import pytest

from credyt_mcp.client import BillingUnavailable, InsufficientBalance, meter_anthropic, meter_openai
from credyt_mcp.client.charges import Terms
from credyt_mcp.use_cases.events import get_event, list_events
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.wallets import get_account
from tests.client.conftest import CREDIT, Billed, World, billed, until_recorded
from tests.client.provider import ANTHROPIC_MODEL, OPENAI_MODEL, WORDS
from tests.conftest import Call

CHAT_FEE, MESSAGE_FEE = Decimal("0.15"), Decimal("0.23")
# Dollars per million tokens: gpt-5 1.25 and 10; claude-sonnet-4-6 3, 0.30 from its cache, and 15.
CHAT_COST, MESSAGE_COST = Decimal("0.000625"), Decimal("0.00102")
CHAT = Billed("answer", CHAT_FEE, CHAT_COST)
MESSAGE = Billed("answer", MESSAGE_FEE, MESSAGE_COST)
JANE = Terms("jane", "answer", user_id="ann", subject="task-7")


def chat(prompt: str = "hello", **more: Any) -> dict[str, Any]:
    said = [{"role": "user", "content": prompt}]
    return {"model": OPENAI_MODEL, "messages": said, "max_completion_tokens": 200, **more}


def message(prompt: str = "hello", **more: Any) -> dict[str, Any]:
    said = [{"role": "user", "content": prompt}]
    return {"model": ANTHROPIC_MODEL, "messages": said, "max_tokens": 300, **more}


def openai_sdk(world: World, terms: Terms = JANE, **billing: Any) -> openai.OpenAI:
    sdk = openai.OpenAI(api_key="x", base_url=f"{world.provider_url}/v1")
    return meter_openai(sdk, world.sync(**billing), terms)


def async_openai(world: World, terms: Terms = JANE) -> openai.AsyncOpenAI:
    sdk = openai.AsyncOpenAI(api_key="x", base_url=f"{world.provider_url}/v1")
    return meter_openai(sdk, world.asynchronous(), terms)


def anthropic_sdk(world: World) -> anthropic.Anthropic:
    sdk = anthropic.Anthropic(api_key="x", base_url=world.provider_url)
    return meter_anthropic(sdk, world.sync(), JANE)


def async_anthropic(world: World) -> anthropic.AsyncAnthropic:
    sdk = anthropic.AsyncAnthropic(api_key="x", base_url=world.provider_url)
    return meter_anthropic(sdk, world.asynchronous(), JANE)


async def off_loop(work: Callable[[], Any]) -> Any:
    """As a sync app would: the server under test needs the event loop."""
    return await asyncio.to_thread(work)


async def settled(call: Call, *expected: Billed) -> None:
    """Exactly `expected` is recorded, nothing is held, and the books are right."""
    assert await billed(call) == list(expected)
    account = await call(get_account, customer_id="jane", account_id="default:USD")
    spent = sum((one.fee for one in expected), Decimal(0))
    assert (account.available, account.pending_out) == (CREDIT - spent, 0)
    assert (await call(verify_ledger)).ok


async def test_a_plain_answer_is_billed_by_what_it_used(call: Call, world: World) -> None:
    sdk = openai_sdk(world)
    answer = await off_loop(lambda: sdk.chat.completions.create(**chat()))
    assert answer.choices[0].message.content == "".join(WORDS)
    reply = await off_loop(lambda: sdk.responses.create(model=OPENAI_MODEL, input="hello"))
    assert reply.output_text == "".join(WORDS)
    await off_loop(lambda: sdk.embeddings.create(model="text-embedding-3-small", input="hello"))
    embedded = Billed("answer", Decimal("0.1"), Decimal("0.000002"))
    await settled(call, CHAT, CHAT, embedded)


async def test_async_answers_are_billed_alike(call: Call, world: World) -> None:
    await async_openai(world).chat.completions.create(**chat())
    await async_anthropic(world).messages.create(**message())
    await settled(call, CHAT, MESSAGE)


async def test_a_stream_is_billed_by_what_its_end_says(call: Call, world: World) -> None:
    sdk = openai_sdk(world)

    def read() -> list[str | None]:
        with sdk.chat.completions.create(**chat(), stream=True) as stream:
            return [chunk.choices[0].delta.content for chunk in stream]

    # The chunk that carries the usage was not asked for, and has no choice.
    assert await off_loop(read) == [*WORDS, None]
    events = await async_openai(world).responses.create(
        model=OPENAI_MODEL, input="hello", stream=True
    )
    assert [event.type async for event in events][-1] == "response.completed"
    await settled(call, CHAT, CHAT)


async def test_anthropics_streams_are_billed_by_their_cumulative_counts(
    call: Call, world: World
) -> None:
    sdk = anthropic_sdk(world)
    await off_loop(lambda: list(sdk.messages.create(**message(), stream=True)))

    def managed() -> str:
        with sdk.messages.stream(**message()) as stream:
            return "".join(stream.text_stream)

    assert await off_loop(managed) == "".join(WORDS)
    async with async_anthropic(world).messages.stream(**message()) as stream:
        assert (await stream.get_final_message()).stop_reason == "end_turn"
    await settled(call, MESSAGE, MESSAGE, MESSAGE)


async def test_a_stream_left_half_way_is_billed_as_estimated_and_its_cost_is_open(
    call: Call, world: World
) -> None:
    sdk = openai_sdk(world)

    def leave() -> None:
        for _ in sdk.chat.completions.create(**chat("hang"), stream=True):
            break

    await off_loop(leave)
    await world.provider.gone.wait()
    world.provider.gone.clear()
    async for _ in await async_openai(world).chat.completions.create(**chat("hang"), stream=True):
        break
    await world.provider.gone.wait()
    half = Billed("answer", Decimal("0.2"), None)
    await until_recorded(call, 2)
    await settled(call, half, half)


async def test_of_anthropics_half_stream_the_least_that_was_used_is_known(
    call: Call, world: World
) -> None:
    def leave() -> None:
        sdk = anthropic_sdk(world)
        with sdk.messages.create(**message("hang"), stream=True) as stream:
            for event in stream:
                if event.type == "content_block_delta":
                    break
        with sdk.messages.stream(**message("hang")) as managed:
            next(managed.text_stream)

    await off_loop(leave)
    # The input is known from the start, and one word was delivered.
    least = Billed("answer", Decimal("0.181"), Decimal("0.000285"))
    await settled(call, least, least)


async def test_a_stream_left_before_anything_came_is_free_and_its_cost_is_open(
    call: Call, world: World
) -> None:
    def leave() -> None:
        openai_sdk(world).chat.completions.create(**chat("hang"), stream=True).close()

    await off_loop(leave)
    await settled(call, Billed("answer.aborted", Decimal(0), None))


async def test_a_cancelled_call_is_free_and_its_cost_is_open(call: Call, world: World) -> None:
    stream = await async_openai(world).chat.completions.create(**chat("hang"), stream=True)
    await stream.close()
    await settled(call, Billed("answer.aborted", Decimal(0), None))


async def test_what_the_sdk_tries_again_is_billed_once(call: Call, world: World) -> None:
    sdk = openai_sdk(world)
    await off_loop(lambda: sdk.chat.completions.create(**chat("fail once")))
    assert world.provider.asked["fail once"] == 2
    await settled(call, CHAT)


async def test_a_call_that_the_provider_refuses_costs_nobody_anything(
    call: Call, world: World
) -> None:
    with pytest.raises(openai.BadRequestError):
        await off_loop(lambda: openai_sdk(world).chat.completions.create(**chat("refuse")))
    with pytest.raises(anthropic.BadRequestError):
        async with async_anthropic(world).messages.stream(**message("refuse")):
            pass
    await settled(call)


async def test_without_enough_credit_the_model_is_not_asked(call: Call, world: World) -> None:
    sdk = openai_sdk(world)
    with pytest.raises(InsufficientBalance) as denied:
        await off_loop(lambda: sdk.chat.completions.create(**chat(max_completion_tokens=5500)))
    assert (denied.value.available, denied.value.missing) == (CREDIT, Decimal("0.5"))
    assert not world.provider.asked
    await settled(call)


async def test_terms_say_what_is_held_and_what_prices_read(call: Call, world: World) -> None:
    terms = Terms(
        "jane",
        "answer",
        data=lambda usage: {"total_tokens": usage["completion_tokens"]},
        estimate={"total_tokens": 1000},
        shared_key="system prompt",
    )
    await off_loop(lambda: openai_sdk(world, terms).chat.completions.create(**chat()))
    [listed] = (await call(list_events)).items
    [cost] = (await call(get_event, event_id=listed.id)).costs
    assert (cost.rule.on, cost.rule.shared_key) == ("cache_writes", "system prompt")
    await settled(call, Billed("answer", Decimal("0.05"), CHAT_COST))
    dear = Terms("jane", "answer", estimate={"total_tokens": 4951})
    with pytest.raises(InsufficientBalance):
        await async_openai(world, dear).chat.completions.create(**chat())


async def test_a_new_customer_gets_a_wallet_at_the_first_call(call: Call, world: World) -> None:
    sdk = openai_sdk(world, Terms("kim", "answer"), products=["studio"])
    with pytest.raises(InsufficientBalance):
        await off_loop(lambda: sdk.chat.completions.create(**chat()))
    account = await call(get_account, customer_id="kim", account_id="default:USD")
    assert account.available == 0


async def test_without_billing_nothing_runs_unless_that_is_asked_for(
    call: Call, world: World
) -> None:
    down = world._replace(billing_url="http://127.0.0.1:1")
    with pytest.raises(BillingUnavailable):
        await off_loop(lambda: openai_sdk(down).chat.completions.create(**chat()))
    assert not world.provider.asked
    lost: list[dict[str, Any]] = []
    risky = openai_sdk(down, run_without_billing=True, on_lost=lost.append)
    await off_loop(lambda: risky.chat.completions.create(**chat()))
    [body] = lost
    with world.sync()._http as billing:
        for _ in range(2):
            answer = await off_loop(lambda: billing.post(body.pop("path", "/events"), json=body))
            assert answer.is_success
    await settled(call, CHAT)


def test_what_is_not_metered_cannot_be_called_by_mistake() -> None:
    world = World("http://127.0.0.1:1", "http://127.0.0.1:1", None)  # type: ignore[arg-type]
    sdk = openai_sdk(world)
    with pytest.raises(AttributeError, match=r"audio\.speech is not metered"):
        sdk.audio.speech.create(model="tts-1", voice="ash", input="hello")
    with pytest.raises(TypeError, match="an AsyncCredyt with an async client"):
        meter_openai(openai.AsyncOpenAI(api_key="x"), world.sync(), JANE)
