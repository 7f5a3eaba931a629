"""What only a test may ask: faults, time, deliveries, and what banks and customers do elsewhere."""

from __future__ import annotations

from threading import RLock
from typing import Any

from tests.fake_stripe.account import Account, Fault
from tests.fake_stripe.deliveries import delivery, send
from tests.fake_stripe.resources import intents, refunds


def perform(lock: RLock, account: Account, path: str, form: dict[str, Any]) -> Any:
    what = path.removeprefix("/_control/")
    if what == "deliver":
        # Outside the lock: who is told may ask back at once.
        return send(_deliveries(account, form), form["url"], form)
    with lock:
        match what:
            case "faults":
                times, only = int(form["times"]), form.get("only", "")
                account.faults = [Fault(form["fault"], times, only)] if form.get("fault") else []
            case "clock":
                account.ahead += int(form["seconds"])
            case "finish":
                intents.finish(account, account.get(form["id"]), form["outcome"])
            case "dispute" | "decide":
                return refunds.control(account, what, form)
            case "deliveries":
                found = _deliveries(account, form)
                return [{"body": one.body, "signature": one.signature} for one in found]
            case "requests" | "complaints":
                return getattr(account, what)
            case _:
                raise LookupError(what)
    return {}


def _deliveries(account: Account, form: dict[str, Any]) -> list[Any]:
    """`shape` is snapshot, thin or both; `types` names some, with commas between."""
    types = form.get("types", "").split(",")
    events = [one for one in account.events if types == [""] or one["type"] in types]
    shapes = {"snapshot": [False], "thin": [True], "both": [False, True]}
    return [
        delivery(event, form["secret"], thin=thin)
        for event in events
        for thin in shapes[form.get("shape", "snapshot")]
    ]
