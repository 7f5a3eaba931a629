"""Usage that could not be billed yet: in the log, and sent again once billing answers.

Written by credyt-mcp (fastapi, template 1), and again when the template improves:
changes you make here are kept.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from typing import Any

from . import client
from .errors import BillingUnavailable

log = logging.getLogger(__name__)

_kept: deque[tuple[str, dict[str, Any]]] = deque(maxlen=10_000)
_sending = threading.Lock()


def keep(user_id: str, event: dict[str, Any], failure: Exception) -> None:
    """The line in the log outlives this process. It holds what POST /events takes:
    sent again, however often, it is billed once."""
    body = {"customer_external_id": user_id, "events": [event]}
    log.error("unbilled: %s", json.dumps(body, default=str), exc_info=failure)
    if isinstance(failure, BillingUnavailable):
        _kept.append((user_id, event))


def record(user_id: str, event: dict[str, Any]) -> bool:
    """Whether it is billed now; otherwise it is kept."""
    try:
        client.record(user_id, event)
    except Exception as failure:
        keep(user_id, event, failure)
        return False
    return True


def resend() -> None:
    """Billing has just answered: it gets what it could not take before."""
    if not _sending.acquire(blocking=False):
        return
    try:
        while _kept and record(*_kept.popleft()):
            pass
    finally:
        _sending.release()
