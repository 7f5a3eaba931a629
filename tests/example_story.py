"""The OpenAPI document's examples as a story: what a new account sends, one after the other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from credyt_mcp.entrypoints.rest.examples import BODIES, PATH_VALUES

CARD = {"card_number": "4242 4242 4242 4242"}
LEARNED = {
    "create_alert": "alert_id",
    "create_api_key": "key_id",
    "create_connected_account": "connected_account_id",
    "set_budget": "budget_id",
    "create_subscription": "subscription_id",
    "create_webhook": "webhook_id",
    "connect_payment_account": "payment_account_id",
    "import_vendor_bill": "bill_id",
    "replay_pricing": "replay_id",
    "send_test": "webhook_event_id",
    "start_top_up": "top_up_id",
}
"""Operations that answer an id which later paths need, and that cannot be chosen by the caller."""

WITH_STRIPE = {"connect_payment_account", "update_payment_account"}
"""Operations that succeed only where there is a Stripe to ask, and a key to seal its keys with."""


class Operation(NamedTuple):
    name: str
    method: str
    path: str
    said: dict[str, Any]

    @property
    def success(self) -> int:
        """201 where both a first and a repeated request succeed."""
        return max(int(status) for status in self.said["responses"] if status < "300")


class Story:
    def __init__(self, document: dict[str, Any]) -> None:
        self.operations = {
            said["operationId"]: Operation(said["operationId"], method, path, said)
            for path, methods in document["paths"].items()
            for method, said in methods.items()
        }
        self.known: dict[str, Any] = dict(PATH_VALUES)

    def steps(self) -> Iterator[tuple[Operation, Any]]:
        """Each operation that takes a body, and the body to send."""
        for name in BODIES:
            operation = self.operations[name]
            content = operation.said["requestBody"]["content"]["application/json"]
            yield operation, content["example"]

    def address(self, operation: Operation) -> str:
        return re.sub(r"{(\w+)}", lambda part: str(self.known[part[1]]), operation.path)

    def learn(self, operation: Operation, answer: Any) -> str | None:
        """What later steps need; answers the page that the customer sends before the story goes
        on: one to pay, or to save a card."""
        if operation.name in LEARNED:
            self.known[LEARNED[operation.name]] = answer.json()["id"]
        if operation.name not in ("start_top_up", "add_payment_method"):
            return None
        return urlsplit(answer.json()["redirect_url"]).path
