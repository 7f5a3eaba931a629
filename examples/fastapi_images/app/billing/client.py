"""Calls the billing server. Standard library only: billing adds no dependency.

Written by credyt-mcp (fastapi, template 1), and again when the template improves:
changes you make here are kept.
"""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urljoin

from . import config
from .errors import (
    BillingRefused,
    BillingUnavailable,
    BudgetExceeded,
    InsufficientBalance,
)

TIMEOUT_SECONDS = 5
PAUSES = (0.2, 0.8)
PASSING = {429, 500, 502, 503, 504}


def authorize(
    charge_id: str, user_id: str, event_type: str, data: dict[str, Any], attempt: str
) -> dict[str, Any]:
    """Hold what it will cost. `attempt` comes back: a repeated id has another's."""
    body = {
        "id": charge_id,
        "customer_external_id": user_id,
        "event_type": event_type,
        "data": data,
        "metadata": {"attempt": attempt},
    }
    held: dict[str, Any] = _for_customer(user_id, "POST", "/authorizations", body)
    return held


def capture(charge_id: str, event: dict[str, Any]) -> None:
    _call("POST", f"/authorizations/{charge_id}/capture", {"event": event}, tries=3)


def release(charge_id: str) -> None:
    _call("POST", f"/authorizations/{charge_id}/release", {})


def record(user_id: str, event: dict[str, Any]) -> None:
    """Bill usage that was never held; the same event id is billed once, ever."""
    body = {"customer_external_id": user_id, "events": [event]}
    _for_customer(user_id, "POST", "/events", body, tries=3)


def balance(user_id: str) -> dict[str, str]:
    """What the user can spend now, as decimal text that loses no digit."""
    path = f"/customers/{quote(user_id, safe='')}/wallet"
    accounts = _for_customer(user_id, "GET", path)["accounts"]
    own = [
        Decimal(one["available"]) for one in accounts if one["asset"] == config.ASSET
    ]
    return {"available": f"{sum(own, Decimal(0)):f}", "asset": config.ASSET}


def top_up_url(user_id: str, amount: str) -> str:
    """A page where the user pays `amount`; the wallet is credited once they have."""
    body = {
        "customer_id": user_id,
        "amount": amount,
        "currency": config.CURRENCY,
        "destination": {"asset": config.ASSET},
        **_ways_back(),
    }
    return str(_for_customer(user_id, "POST", "/top-ups", body)["redirect_url"])


def portal_url(user_id: str) -> str:
    """A page with the user's balance, usage and payments; good for ten minutes."""
    body = {"customer_id": user_id, **_ways_back()}
    session = _for_customer(user_id, "POST", "/billing-portal/sessions", body)
    return str(session["redirect_url"])


def _ways_back() -> dict[str, str]:
    back = urljoin(os.environ["APP_URL"], config.RETURN_PATH)
    return {"return_url": back, "failure_url": back}


def _for_customer(
    user_id: str,
    method: str,
    path: str,
    body: dict[str, Any] | None = None,
    tries: int = 2,
) -> Any:
    """A call about a user, who becomes a customer with a wallet at first use."""
    try:
        return _call(method, path, body, tries)
    except BillingRefused as refused:
        if refused.code not in ("not_found", "unknown_reference"):
            raise
    customer = {"external_id": user_id, "products": list(config.PRODUCTS)}
    _call("POST", "/wallets", customer)
    return _call(method, path, body, tries)


def _call(
    method: str, path: str, body: dict[str, Any] | None = None, tries: int = 2
) -> Any:
    """Every call may be repeated: ids are ours, and the server does nothing twice."""
    request = urllib.request.Request(
        os.environ["CREDYT_URL"].rstrip("/") + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {os.environ['CREDYT_API_KEY']}",
            "Content-Type": "application/json",
        },
        method=method,
    )
    for left in reversed(range(tries)):
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                return json.loads(answer.read() or b"null", parse_float=Decimal)
        except urllib.error.HTTPError as refused:
            if refused.code not in PASSING:
                raise _refusal(refused) from None
            reason = f"it answered {refused.code}"
        except (OSError, ValueError) as failure:
            reason = str(failure)
        if left:
            time.sleep(PAUSES[tries - 1 - left])
    raise BillingUnavailable(f"{method} {path}: {reason}")


def _refusal(answer: urllib.error.HTTPError) -> BillingRefused:
    try:
        problem = json.loads(answer.read(), parse_float=Decimal)
    except ValueError:
        problem = {}
    code = problem.get("code", f"http_{answer.code}")
    if code == "insufficient_balance":
        return InsufficientBalance(problem)
    if code == "budget_exceeded":
        return BudgetExceeded(problem)
    return BillingRefused(code, problem.get("detail", ""))
