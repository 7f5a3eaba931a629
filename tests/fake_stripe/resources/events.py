"""Events, for who asks instead of being told."""

from __future__ import annotations

from typing import Any

from stripe import params

from tests.fake_stripe.account import Account, Object, listed
from tests.fake_stripe.routes import route

DAYS = 30 * 24 * 60 * 60


@route("GET /v1/events", params.EventListParams)
def find(account: Account, form: dict[str, Any]) -> Object:
    known = [one for one in account.events if one["created"] > account.now() - DAYS]
    if "types" in form:
        known = [one for one in known if one["type"] in form["types"]]
    if "delivery_success" in form:
        known = [
            one for one in known if form["delivery_success"] is not bool(one["pending_webhooks"])
        ]
    return listed(known, form, "/v1/events")
