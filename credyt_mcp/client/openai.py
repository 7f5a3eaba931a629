"""OpenAI's SDK, and those of others that copy it, metered. Imports none of them."""

from __future__ import annotations

from typing import Any

from credyt_mcp.client.charges import Answer, Terms
from credyt_mcp.client.metering import Billing, Client, Meter, Method, dumped, metered


class _Chat:
    """Usage comes with the last chunk of a stream, and only if it was asked for."""

    def prepared(self, options: dict[str, Any]) -> dict[str, Any]:
        if not options.get("stream"):
            return options
        asked = {**(options.get("stream_options") or {}), "include_usage": True}
        return {**options, "stream_options": asked}

    def whole(self, answer: Answer, response: Any) -> None:
        answer.model = getattr(response, "model", None) or answer.model
        answer.response_id = getattr(response, "id", None)
        answer.service_tier = getattr(response, "service_tier", None)
        answer.usage, answer.finished = dumped(getattr(response, "usage", None)), True

    def part(self, answer: Answer, event: Any) -> bool:
        answer.model, answer.response_id = event.model or answer.model, event.id
        answer.service_tier = getattr(event, "service_tier", None) or answer.service_tier
        answer.delivered += bool(event.choices)
        if event.usage is not None:
            answer.usage, answer.finished = dumped(event.usage), True
        # The chunk of usage alone is there because we asked; an app may rely on a choice in each.
        return bool(event.choices)


class _Responses(_Chat):
    """Usage comes with the response that the last event carries."""

    def prepared(self, options: dict[str, Any]) -> dict[str, Any]:
        return options

    def part(self, answer: Answer, event: Any) -> bool:
        if event.type.endswith(".delta"):
            answer.delivered += 1
        response = getattr(event, "response", None)
        if response is not None:
            self.whole(answer, response)
            answer.finished = event.type in ("response.completed", "response.incomplete")
        return True


_CHAT_LIMITS = ("max_completion_tokens", "max_tokens")
_METHODS = {
    "chat.completions.create": Method(_Chat(), _CHAT_LIMITS),
    "chat.completions.parse": Method(_Chat(), _CHAT_LIMITS),
    "responses.create": Method(_Responses(), ("max_output_tokens",)),
    "responses.parse": Method(_Responses(), ("max_output_tokens",)),
    "embeddings.create": Method(_Responses()),
    "images.generate": Method(_Responses()),
    "audio.transcriptions.create": Method(_Responses()),
}


def meter_openai(
    client: Client, billing: Billing, terms: Terms, *, provider: str = "openai"
) -> Client:
    """`client` (OpenAI or AsyncOpenAI) whose calls are authorized before and billed after, for one
    customer: make one for each request, it costs nothing. `provider` names whose prices apply when
    the client talks to another (azure, groq, openrouter).

    Calls raise InsufficientBalance, BillingRefused or BillingUnavailable before the model is asked.
    """
    return metered(client, Meter(billing, terms, provider), _METHODS)
