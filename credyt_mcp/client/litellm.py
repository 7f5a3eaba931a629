"""A callback for LiteLLM, which reports its calls after they are done. Imports it when asked for.

It cannot hold before: where the wallet must cover the call, authorize it yourself.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import anyio

from credyt_mcp.client.billing import Credyt
from credyt_mcp.client.charges import Ask, tokens_of
from credyt_mcp.client.metering import dumped

INTERNAL = "internal"
"""The customer of calls that name none: work that is nobody's in particular."""


def litellm_callback(billing: Credyt, event_type: str) -> Any:
    """To be put into `litellm.callbacks`. A call says whose it is in its `metadata`: `customer`,
    and if it likes `user_id`, `subject`, and `event_type` in place of the one given here.

    Raises ImportError where LiteLLM is not installed.
    """
    from litellm.integrations.custom_logger import CustomLogger

    class Billed(CustomLogger):  # type: ignore[misc]  # an app's dependency, not ours
        def log_success_event(
            self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
        ) -> None:
            billing.deliver(_reported(kwargs, response_obj, event_type))

        async def async_log_success_event(
            self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
        ) -> None:
            report = _reported(kwargs, response_obj, event_type)
            await anyio.to_thread.run_sync(billing.deliver, report)

    return Billed()


def _reported(call: dict[str, Any], response: Any, event_type: str) -> Ask:
    said = (call.get("litellm_params") or {}).get("metadata") or {}
    usage = dumped(getattr(response, "usage", None))
    event = {
        "id": call["litellm_call_id"],
        "event_type": said.get("event_type", event_type),
        "occurred_at": datetime.now(UTC).isoformat(),
        "user_id": said.get("user_id"),
        "subject": said.get("subject"),
        "data": {"model": call.get("model"), **tokens_of(usage or {})},
        "llm_usage": {
            "provider": call.get("custom_llm_provider"),
            "model": call.get("model"),
            "usage": usage,
            "response_id": getattr(response, "id", None),
            "outcome": "ok",
        },
    }
    customer = said.get("customer", INTERNAL)
    return Ask("POST", "/events", {"customer_id": customer, "events": [event]})
