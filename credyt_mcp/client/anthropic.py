"""Anthropic's SDK, metered. Imports nothing of it."""

from __future__ import annotations

from typing import Any

from credyt_mcp.client.charges import Answer, Terms
from credyt_mcp.client.metering import Billing, Client, Meter, Method, dumped, metered


class _Messages:
    """What a stream has used stands in its first event, and again, cumulative, in its last."""

    def prepared(self, options: dict[str, Any]) -> dict[str, Any]:
        return options

    def whole(self, answer: Answer, response: Any) -> None:
        answer.model, answer.response_id = response.model, response.id
        answer.usage = dumped(response.usage)
        answer.finished = response.stop_reason is not None
        answer.delivered = len(response.content)

    def part(self, answer: Answer, event: Any) -> bool:
        if event.type == "message_start":
            self.whole(answer, event.message)
        elif event.type == "content_block_delta":
            answer.delivered += 1
            _at_least(answer, answer.delivered)
        elif event.type == "message_delta":
            answer.usage = {**(answer.usage or {}), **(dumped(event.usage) or {})}
            answer.finished = event.delta.stop_reason is not None
        return True


class _Streamed(_Messages):
    """The SDK's own stream, which has put together what came."""

    def whole(self, answer: Answer, response: Any) -> None:
        try:
            message = response.current_message_snapshot
        except AssertionError:  # left before anything came
            return
        super().whole(answer, message)
        if not answer.finished:
            # A word is about a token, and never less than one: a lower bound of what was made.
            texts = (getattr(block, "text", "") for block in message.content)
            _at_least(answer, sum(len(text.split()) for text in texts))


def _at_least(answer: Answer, tokens: int) -> None:
    """Until the last event comes the SDK knows of one output token or so; more were delivered."""
    usage = answer.usage or {}
    usage["output_tokens"] = max(usage.get("output_tokens") or 0, tokens)
    answer.usage = usage


_METHODS = {
    "messages.create": Method(_Messages(), ("max_tokens",)),
    "messages.parse": Method(_Messages(), ("max_tokens",)),
    "messages.stream": Method(_Streamed(), ("max_tokens",), manager=True),
}


def meter_anthropic(
    client: Client, billing: Billing, terms: Terms, *, provider: str = "anthropic"
) -> Client:
    """`client` (Anthropic or AsyncAnthropic) whose calls are authorized before and billed after,
    for one customer: make one for each request, it costs nothing.

    Calls raise InsufficientBalance, BillingRefused or BillingUnavailable before the model is asked.
    """
    return metered(client, Meter(billing, terms, provider), _METHODS)
