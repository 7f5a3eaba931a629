"""One Stripe account's state: its objects, its events, what is to go wrong. A key names its account
(see server.py), and a platform's key may speak for others that are connected."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field
from typing import Any

import stripe

from tests.fake_stripe import shapes
from tests.fake_stripe.idempotency import Keys

Object = dict[str, Any]
"""One of Stripe's objects as JSON. Names with `_` in front are the fake's own and never sent."""
NUMBERS = itertools.count(1)


class Refused(Exception):
    def __init__(self, status: int, kind: str, code: str, **more: Any) -> None:
        super().__init__(code)
        self.status = status
        self.error = {"type": kind, "code": code, "message": f"refused: {code}", **more}


def invalid(code: str, **more: Any) -> Refused:
    return Refused(400, "invalid_request_error", code, **more)


@dataclass
class Fault:
    """What goes wrong with the next `times` requests that begin with `only`; see server.py."""

    what: str
    times: int
    only: str


@dataclass
class Account:
    id: str
    connected: bool = False
    """Whether a platform speaks for it: then its events name it."""
    pages_at: str = "https://checkout.stripe.com"
    """Where its payment pages are; a host of its own, if it has one."""
    objects: dict[str, Object] = field(default_factory=dict)
    events: list[Object] = field(default_factory=list)
    keys: Keys = field(default_factory=Keys)
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    """What the fake itself got wrong, by the SDK's types. A test that finds any fails."""
    ahead: int = 0
    """Seconds that this account's present is ahead of real time."""

    def now(self) -> int:
        return int(time.time()) + self.ahead

    def get(self, object_id: str, kind: str | None = None) -> Object:
        found = self.objects.get(object_id)
        if found is None or (kind is not None and found["object"] != kind):
            raise Refused(404, "invalid_request_error", "resource_missing", param="id")
        return found

    def of_kind(self, kind: str) -> list[Object]:
        return [one for one in self.objects.values() if one["object"] == kind]

    def make(self, kind: str, prefix: str, **fields: Any) -> Object:
        made = {
            "id": f"{prefix}_{next(NUMBERS)}",
            "object": kind,
            "created": self.now(),
            "livemode": False,
            **fields,
        }
        self.objects[made["id"]] = made
        return made

    def tell(self, kind: str, about: Object) -> None:
        """An event, with its object as it is now; nobody has been told of it yet."""
        told = {
            "id": f"evt_{next(NUMBERS)}",
            "object": "event",
            "type": kind,
            "api_version": stripe.api_version,
            "created": self.now(),
            "livemode": False,
            "pending_webhooks": 1,
            "request": None,
            "data": {"object": public(about)},
        }
        self.events.append(told | ({"account": self.id} if self.connected else {}))
        self.check(kind, told)
        self.check(kind, told["data"]["object"])

    def check(self, request: str, answer: Object) -> None:
        self.complaints += [f"{request}: {one}" for one in shapes.complaints(answer)]

    def fault(self, request: str) -> str:
        for fault in self.faults:
            if request.startswith(fault.only):
                fault.times -= 1
                if fault.times <= 0:
                    self.faults.remove(fault)
                return fault.what
        return ""


def public(kept: Any) -> Any:
    """An object without what is the fake's own, and apart from what it becomes later."""
    if isinstance(kept, dict):
        return {name: public(one) for name, one in kept.items() if not name.startswith("_")}
    return [public(one) for one in kept] if isinstance(kept, list) else kept


def listed(found: list[Object], query: dict[str, Any], url: str) -> Object:
    """A page of them, newest first, by cursor."""
    found = found[::-1]
    since = query.get("created")
    if isinstance(since, dict):
        found = [one for one in found if one["created"] >= since.get("gte", 0)]
        found = [one for one in found if one["created"] <= since.get("lte", one["created"])]
    after = query.get("starting_after")
    if after:
        found = found[[one["id"] for one in found].index(after) + 1 :]
    limit = query.get("limit", 10)
    return {
        "object": "list",
        "url": url,
        "data": found[:limit],
        "has_more": len(found) > limit,
    }
