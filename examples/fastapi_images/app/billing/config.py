"""What this app decides about billing. This file is yours: it was written once."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import Depends

from app.users import get_current_user

PRODUCTS: tuple[str, ...] = ("studio",)
"""Codes of the products that a new user is subscribed to."""

ASSET = "USD"
CURRENCY = "USD"
TOP_UP_AMOUNTS = ("10", "25", "50")
"""Users pay one of these amounts of CURRENCY and get ASSET."""

RETURN_PATH = "/"
"""Where payment pages lead back to, below APP_URL."""

RUN_WITHOUT_BILLING = False
"""Whether paid work runs while billing is down; it is billed once billing is back."""

log = logging.getLogger(__name__)


def current_user_id(user: Any = Depends(get_current_user)) -> str:
    """Who pays: an id that stays the same for ever."""
    return str(user.id)


def on_event(event: dict[str, Any]) -> None:
    """The billing server tells of `balance.low`, `top_up.succeeded` and so on."""
    log.info("billing: %s %s", event["type"], event["data"])
