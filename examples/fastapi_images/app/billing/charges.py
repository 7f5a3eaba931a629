"""Hold what work will cost, then bill what was delivered or give the hold back.

Written by credyt-mcp (fastapi, template 1), and again when the template improves:
changes you make here are kept.
"""

from __future__ import annotations

import json
import logging
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from . import client, config, outbox
from .errors import BillingUnavailable, DuplicateRequest

log = logging.getLogger(__name__)

Data = dict[str, "str | int | float | bool"]


@dataclass
class Charge:
    """Work under way: `use` says what was delivered, `settle` bills it or releases."""

    id: str
    user_id: str
    event_type: str
    data: Data
    held: bool
    delivered: bool = False
    calls: list[dict[str, Any]] = field(default_factory=list)
    settled: bool = field(default=False, repr=False)

    def use(self, **data: str | int | float | bool) -> None:
        """Something was delivered. What prices read of it replaces the estimate."""
        self.delivered = True
        self.data.update(data)

    def llm(
        self, provider: str, model: str, usage: Any = None, **more: Any
    ) -> dict[str, Any]:
        """A model is called: what that costs you is booked with the event.

        `usage` is the provider's, unchanged. Of a stream it comes late: set `["usage"]`
        of the answer then. A call that is cut off before that counts as unpriced.
        """
        call = {"provider": provider, "model": model, "usage": usage, **more}
        self.calls.append(call)
        return call

    def settle(self) -> None:
        """Once, after the work. It never raises: the work cannot be taken back."""
        if self.settled:
            return
        self.settled = True
        event = self._event()
        try:
            if self.delivered and self.held:
                client.capture(self.id, event)
            elif self.delivered:
                client.record(self.user_id, event)
            elif self.held:
                client.release(self.id)
            outbox.resend()
        except Exception as failure:
            if self.delivered:
                hold = {"authorization_id": self.id} if self.held else {}
                outbox.keep(self.user_id, {**event, **hold}, failure)
            else:
                log.warning("hold %s expires unreleased: %s", self.id, failure)
        if self.calls and not self.delivered:
            # Work that failed is free for the user, but its calls cost you.
            outbox.record("internal", {**event, "user_id": self.user_id})

    def _event(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "event_type": self.event_type,
            "occurred_at": datetime.now(timezone.utc).isoformat(),
            "data": self.data,
            "llm_usage": [{**one, "usage": _plain(one["usage"])} for one in self.calls],
        }


def _plain(usage: Any) -> Any:
    """As JSON has it: the provider's library may have made a pydantic model of it."""
    dump = getattr(usage, "model_dump", None)
    return usage if dump is None else dump(mode="json")


def hold(
    user_id: str,
    event_type: str,
    *,
    request_id: str | None = None,
    estimate: Data | None = None,
) -> Charge:
    """Set aside what the work will cost.

    Raises InsufficientBalance, DuplicateRequest when the user sent `request_id` before,
    and BillingUnavailable unless config.RUN_WITHOUT_BILLING.
    """
    charge_id = str(uuid.uuid4())
    if request_id is not None:
        name = json.dumps([event_type, user_id, request_id])
        charge_id = str(uuid.uuid5(uuid.NAMESPACE_URL, name))
    attempt = str(uuid.uuid4())
    data = dict(estimate or {})
    try:
        held = client.authorize(charge_id, user_id, event_type, data, attempt)
    except BillingUnavailable:
        if not config.RUN_WITHOUT_BILLING:
            raise
        log.warning("running %s for %s without a hold", event_type, user_id)
        return Charge(charge_id, user_id, event_type, data, held=False)
    if (held.get("metadata") or {}).get("attempt") != attempt:
        raise DuplicateRequest
    return Charge(charge_id, user_id, event_type, data, held=True)
