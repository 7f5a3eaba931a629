"""A model provider on loopback, in the wire shapes of OpenAI and Anthropic.

The prompt says how it behaves: `refuse`, `fail once`, `hang` (a stream that stops half-way).
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

WORDS = ["one ", "two ", "three "]
CHAT_USAGE = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}
RESPONSE_USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 50,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 150,
}
MESSAGE_USAGE = {"input_tokens": 80, "cache_read_input_tokens": 100, "output_tokens": 50}
OPENAI_MODEL, ANTHROPIC_MODEL = "gpt-5", "claude-sonnet-4-6"


class Provider:
    """Counts what it was asked; `gone` is set when a reader of a stream that hangs went away."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.gone = asyncio.Event()
        self.app = Starlette(
            routes=[
                Route("/v1/chat/completions", self.chat, methods=["POST"]),
                Route("/v1/responses", self.responses, methods=["POST"]),
                Route("/v1/embeddings", self.embeddings, methods=["POST"]),
                Route("/v1/messages", self.messages, methods=["POST"]),
            ]
        )

    async def chat(self, request: Request) -> Response:
        given = await request.json()
        prompt = given["messages"][0]["content"]
        if refused := self._refused(prompt):
            return refused
        head = {"id": f"chatcmpl-{self.asked.total()}", "created": 1, "model": given["model"]}
        message = {"role": "assistant", "content": "".join(WORDS)}
        if not given.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            whole = {**head, "object": "chat.completion", "choices": [choice], "usage": CHAT_USAGE}
            return JSONResponse(whole)
        parts = [
            {"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]}
            for word in WORDS
        ]
        parts.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        if (given.get("stream_options") or {}).get("include_usage"):
            parts.append({"choices": [], "usage": CHAT_USAGE})  # type: ignore[dict-item]
        chunks = [{**head, "object": "chat.completion.chunk", "usage": None, **p} for p in parts]
        return self._stream(prompt, [("", chunk) for chunk in chunks], done="data: [DONE]\n\n")

    async def responses(self, request: Request) -> Response:
        given = await request.json()
        if refused := self._refused(given["input"]):
            return refused
        text = {"type": "output_text", "text": "".join(WORDS), "annotations": []}
        item = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [text],
        }
        whole = {
            "id": f"resp_{self.asked.total()}",
            "object": "response",
            "created_at": 1,
            "model": given["model"],
            "status": "completed",
            "output": [item],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": RESPONSE_USAGE,
        }
        if not given.get("stream"):
            return JSONResponse(whole)
        begun = {**whole, "status": "in_progress", "output": [], "usage": None}
        place = {"item_id": "msg_1", "output_index": 0, "content_index": 0, "logprobs": []}
        events = [("response.created", {"response": begun})]
        events += [("response.output_text.delta", {**place, "delta": word}) for word in WORDS]
        events.append(("response.completed", {"response": whole}))
        numbered = [
            (name, {"type": name, "sequence_number": number, **event})
            for number, (name, event) in enumerate(events)
        ]
        return self._stream(given["input"], numbered)

    async def embeddings(self, request: Request) -> Response:
        given = await request.json()
        self.asked["embeddings"] += 1
        made = {"object": "embedding", "index": 0, "embedding": [0.5]}
        usage = {"prompt_tokens": 100, "total_tokens": 100}
        return JSONResponse(
            {"object": "list", "model": given["model"], "data": [made], "usage": usage}
        )

    async def messages(self, request: Request) -> Response:
        given = await request.json()
        prompt = given["messages"][0]["content"]
        if refused := self._refused(prompt):
            return refused
        head = {
            "id": f"msg_{self.asked.total()}",
            "type": "message",
            "role": "assistant",
            "model": given["model"],
            "stop_reason": None,
            "stop_sequence": None,
        }
        if not given.get("stream"):
            text = {"type": "text", "text": "".join(WORDS)}
            done = {"content": [text], "stop_reason": "end_turn", "usage": MESSAGE_USAGE}
            return JSONResponse({**head, **done})
        begun = {**head, "content": [], "usage": {**MESSAGE_USAGE, "output_tokens": 1}}
        block = {"index": 0, "content_block": {"type": "text", "text": ""}}
        events: list[tuple[str, dict[str, Any]]] = [("message_start", {"message": begun})]
        events.append(("content_block_start", block))
        for word in WORDS:
            delta = {"index": 0, "delta": {"type": "text_delta", "text": word}}
            events.append(("content_block_delta", delta))
        events.append(("content_block_stop", {"index": 0}))
        stop = {"stop_reason": "end_turn", "stop_sequence": None}
        events.append(("message_delta", {"delta": stop, "usage": {"output_tokens": 50}}))
        events.append(("message_stop", {}))
        return self._stream(prompt, [(name, {"type": name, **event}) for name, event in events])

    def _refused(self, prompt: str) -> Response | None:
        self.asked[prompt] += 1
        if prompt == "refuse":
            return JSONResponse({"error": {"message": "no", "type": "invalid"}}, 400)
        if prompt == "fail once" and self.asked[prompt] == 1:
            return JSONResponse({"error": {"message": "later", "type": "server"}}, 500)
        return None

    def _stream(
        self, prompt: str, events: list[tuple[str, dict[str, Any]]], done: str = ""
    ) -> Response:
        async def sent() -> AsyncIterator[str]:
            shown = len(events) if prompt != "hang" else len(events) - 3
            for name, event in events[:shown]:
                yield (f"event: {name}\n" if name else "") + f"data: {json.dumps(event)}\n\n"
            if prompt == "hang":
                try:
                    await asyncio.Event().wait()
                finally:
                    self.gone.set()
            yield done

        return StreamingResponse(sent(), media_type="text/event-stream")
