"""One call of a model as billing sees it: what is held for it, and what is billed in the end.

Pure: it says what to ask of the server, and asks nothing itself.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

OUTPUT_TOKENS = 1000
"""Held for a call that names no limit of its output and whose `estimate` was not given."""

Usage = Mapping[str, Any]
Outcome = Literal["ok", "failed", "aborted", "unknown"]


class Ask(NamedTuple):
    """A request to the server. All may be repeated: their ids are ours."""

    method: str
    path: str
    body: dict[str, Any]


@dataclass(frozen=True)
class Terms:
    """Whose calls they are, and what they are billed as.

    `data` is what prices read of an event, beside `model`, `input_tokens`, `output_tokens` and
    `total_tokens`, which are always there; a function makes all of it from the usage object.
    `estimate` replaces what is held for by default: the output limit of the call in tokens.
    `shared_key` names the cached prompt or embeddings that others use as well.
    """

    customer: str
    event_type: str
    user_id: str | None = None
    subject: str | None = None
    data: Mapping[str, Any] | Callable[[Usage], Mapping[str, Any]] | None = None
    estimate: Mapping[str, Any] | None = None
    shared_key: str | None = None


@dataclass
class Answer:
    """What is known of the provider's answer so far. `delivered` counts the parts that the caller
    has seen of a stream."""

    model: str
    usage: dict[str, Any] | None = None
    response_id: str | None = None
    service_tier: str | None = None
    delivered: int = 0
    finished: bool = False


@dataclass
class Charge:
    """`held` is set once the server agreed. `settle` answers something once only."""

    terms: Terms
    provider: str
    model: str
    output_limit: int | None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    held: bool = False
    settled: bool = False

    def hold(self) -> Ask:
        body = {
            "id": self.id,
            "customer_id": self.terms.customer,
            "event_type": self.terms.event_type,
            "data": self._estimate(),
            "subject": self.terms.subject,
        }
        return Ask("POST", "/authorizations", body)

    def settle(self, answer: Answer, outcome: Outcome) -> list[Ask]:
        """Bill what was delivered. What was not is free for the customer; if it may have cost
        something all the same, that is recorded as `<event type>.aborted`, which no price names."""
        if self.settled:
            return []
        self.settled = True
        if outcome == "ok" or answer.delivered:
            return [self._bill(self._event(answer, outcome, self.terms.event_type))]
        release = [Ask("POST", f"/authorizations/{self.id}/release", {})] if self.held else []
        if outcome == "failed":
            return release
        event = self._event(answer, outcome, f"{self.terms.event_type}.aborted")
        return [*release, self._record(event)]

    def _bill(self, event: dict[str, Any]) -> Ask:
        if not self.held:
            return self._record(event)
        return Ask("POST", f"/authorizations/{self.id}/capture", {"event": event})

    def _record(self, event: dict[str, Any]) -> Ask:
        return Ask("POST", "/events", {"customer_id": self.terms.customer, "events": [event]})

    def _event(self, answer: Answer, outcome: Outcome, event_type: str) -> dict[str, Any]:
        call = {
            "provider": self.provider,
            "model": answer.model,
            "usage": answer.usage,
            "response_id": answer.response_id,
            "service_tier": answer.service_tier,
            "outcome": outcome,
            "shared_key": self.terms.shared_key,
        }
        return {
            "id": self.id,
            "event_type": event_type,
            "occurred_at": datetime.now(UTC).isoformat(),
            "user_id": self.terms.user_id,
            "subject": self.terms.subject,
            "data": self._data(answer.usage),
            "llm_usage": call,
        }

    def _estimate(self) -> dict[str, Any]:
        limit = OUTPUT_TOKENS if self.output_limit is None else self.output_limit
        tokens = {"input_tokens": 0, "output_tokens": limit, "total_tokens": limit}
        given = self.terms.data if isinstance(self.terms.data, Mapping) else {}
        return {"model": self.model, **tokens, **given, **(self.terms.estimate or {})}

    def _data(self, usage: Usage | None) -> dict[str, Any]:
        """As estimated, where the provider never said what was used."""
        if usage is None:
            return self._estimate()
        if callable(self.terms.data):
            return dict(self.terms.data(usage))
        return {"model": self.model, **tokens_of(usage), **(self.terms.data or {})}


def tokens_of(usage: Usage) -> dict[str, int]:
    """Totals of a provider's usage object, cache included."""
    given = usage.get("prompt_tokens")
    if given is None:
        # Anthropic counts what went through its cache beside the input.
        beside = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
        given = sum(usage.get(name) or 0 for name in beside)
    made = usage.get("completion_tokens", usage.get("output_tokens")) or 0
    return {"input_tokens": given, "output_tokens": made, "total_tokens": given + made}
