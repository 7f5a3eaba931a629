"""Receives what the billing server tells: signed, recent, and each event once.

Written by credyt-mcp (fastapi, template 1), and again when the template improves:
changes you make here are kept.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import threading
import time
from collections.abc import Mapping

from . import config
from .errors import InvalidSignature

TOLERANCE_SECONDS = 300

_seen: dict[str, float] = {}
_lock = threading.Lock()


def receive(body: bytes, headers: Mapping[str, str]) -> None:
    """Hand a genuine event to config.on_event. Raises InvalidSignature.

    Events may come more than once: this process remembers them while their signature
    is good, and on_event must not mind a repeat after that.
    """
    event_id = _verified_id(body, headers)
    with _lock:
        for old in [one for one, until in _seen.items() if until < time.time()]:
            del _seen[old]
        if event_id in _seen:
            return
        config.on_event(json.loads(body))
        _seen[event_id] = time.time() + 2 * TOLERANCE_SECONDS


def _verified_id(body: bytes, headers: Mapping[str, str]) -> str:
    event_id = headers.get("webhook-id", "")
    sent_at = headers.get("webhook-timestamp", "")
    secret = os.environ["CREDYT_WEBHOOK_SECRET"].removeprefix("whsec_")
    signed = f"{event_id}.{sent_at}.".encode() + body
    code = hmac.new(base64.b64decode(secret), signed, hashlib.sha256).digest()
    good = b"v1," + base64.b64encode(code)
    signatures = headers.get("webhook-signature", "").split()
    genuine = any(hmac.compare_digest(good, one.encode()) for one in signatures)
    recent = sent_at.isdigit() and abs(time.time() - int(sent_at)) <= TOLERANCE_SECONDS
    if not (genuine and recent):
        raise InvalidSignature
    return event_id
