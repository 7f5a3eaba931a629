"""Two ways to ask the real system for the simulation's operations: in process, and over REST."""

from __future__ import annotations

import asyncio
import typing
from abc import ABC, abstractmethod
from decimal import Decimal
from typing import Any

import httpx

from credyt_mcp import exact_json
from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.errors import CredytError
from credyt_mcp.use_cases.adjustments import create_adjustment, create_charge
from credyt_mcp.use_cases.assets import create_asset
from credyt_mcp.use_cases.checkouts import pay_checkout
from credyt_mcp.use_cases.context import perform
from credyt_mcp.use_cases.customers import create_customer
from credyt_mcp.use_cases.events import get_event, list_events, submit_events
from credyt_mcp.use_cases.products import create_product, create_product_version
from credyt_mcp.use_cases.stats import get_customer_stats, get_vendor_stats, list_customer_stats
from credyt_mcp.use_cases.subscriptions import update_subscription, update_subscription_product
from credyt_mcp.use_cases.top_ups import get_top_up, start_top_up
from credyt_mcp.use_cases.vendors import create_vendor
from credyt_mcp.use_cases.wallets import get_account, get_wallet, list_grants
from tests.simulation import catalogue, operations

PAGE = 100


class Face(ABC):
    """`perform` answers `done`, a status, or the code of the error it was refused with."""

    def __init__(self, clock: FrozenClock) -> None:
        self._clock = clock
        self._ids: dict[str, str] = {"nobody": "nobody"}
        self._subscriptions: dict[str, str] = {}
        self._top_ups: dict[str, dict[str, Any]] = {}

    async def set_up(self) -> None:
        """Create what is sold and who buys it."""
        await self._ask(create_asset, **catalogue.CREDITS)
        await self._ask(create_vendor, name="Maker", external_id="maker")
        for code, versions in catalogue.PRODUCTS.items():
            first, *later = versions
            await self._ask(create_product, name=code, code=code, prices=first, publish=True)
            for prices in later:
                await self._ask(
                    create_product_version, product_id=code, prices=prices, publish=True
                )
        for name, products in catalogue.CUSTOMERS.items():
            subscriptions = [{"products": [{"code": code}]} for code in products]
            made = await self._ask(
                create_customer, name=name, external_id=name, subscriptions=subscriptions
            )
            self._ids[name] = made["id"]
            for subscription in made["subscriptions"]:
                if subscription["products"][0]["code"] == "studio":
                    self._subscriptions[name] = subscription["id"]
        # From here on the vendor is known, and finding it lets no request overtake another.
        cost = operations.Cost("first", Decimal(1), "USD", None)
        await self.perform(
            operations.Submit("nobody", (operations.Event("first", "image", None, None, (cost,)),))
        )

    async def perform(self, operation: operations.Operation) -> str:
        try:
            method = getattr(self, f"_{type(operation).__name__.lower()}")
            return await method(operation) or "done"
        except CredytError as refused:
            return refused.code

    async def wallet(self, customer: str) -> list[dict[str, Any]]:
        answer = await self._ask(get_wallet, customer_id=self._ids[customer])
        return list(answer["accounts"])

    async def account(self, customer: str, account_id: str) -> dict[str, Any]:
        return await self._ask(get_account, customer_id=self._ids[customer], account_id=account_id)

    async def grants(self, customer: str, account_id: str) -> list[dict[str, Any]]:
        """Oldest first."""
        found: list[dict[str, Any]] = []
        while True:
            page = await self._ask(
                list_grants,
                customer_id=self._ids[customer],
                account_id=account_id,
                limit=PAGE,
                offset=len(found),
            )
            found += page["items"]
            if len(found) >= page["total_count"]:
                return found[::-1]

    async def event(self, event_id: str) -> dict[str, Any]:
        return await self._ask(get_event, event_id=event_id)

    async def customer_stats(self, customer: str, **period: Any) -> dict[str, Any]:
        return await self._ask(get_customer_stats, customer_id=self._ids[customer], **period)

    async def all_stats(self, **period: Any) -> dict[str, Any]:
        return await self._ask(list_customer_stats, **period)

    async def vendor_stats(self, **narrowed: Any) -> dict[str, Any]:
        return await self._ask(get_vendor_stats, vendor_id="maker", **narrowed)

    async def recorded_events(self) -> list[str]:
        page = await self._ask(list_events, limit=1000)
        assert page["total_count"] == len(page["items"])
        return [event["id"] for event in page["items"]]

    @abstractmethod
    async def _ask(self, use_case: Any, **fields: Any) -> dict[str, Any]: ...

    @abstractmethod
    async def _burst(self, asked: operations.Burst) -> str: ...

    @abstractmethod
    async def _pay(self, checkout_id: str, card: str) -> str: ...

    async def _advance(self, asked: operations.Advance) -> None:
        self._clock.advance(asked.step)

    async def _submit(self, asked: operations.Submit) -> None:
        events = [
            {name: value for name, value in vars(event).items() if value is not None}
            | {"costs": [vars(cost) for cost in event.costs]}
            for event in asked.events
        ]
        await self._ask(submit_events, customer_external_id=asked.customer, events=events)

    async def _adjust(self, asked: operations.Adjust) -> None:
        await self._ask(create_adjustment, **self._transfer(asked))

    async def _charge(self, asked: operations.Charge) -> None:
        await self._ask(create_charge, **self._transfer(asked))

    def _transfer(self, asked: operations.Adjust | operations.Charge) -> dict[str, Any]:
        fields = {name: value for name, value in vars(asked).items() if value is not None}
        fields["transaction_id"] = fields.pop("id")
        fields["customer_id"] = self._ids[fields.pop("customer")]
        return fields

    async def _starttopup(self, asked: operations.StartTopUp) -> None:
        fields = {
            "customer_id": self._ids[asked.customer],
            "amount": asked.amount,
            "currency": "USD",
            "destination": {"asset": asked.asset},
            "credit_expires_at": asked.credit_expires_at,
            "return_url": "https://app.test/paid",
            "failure_url": "https://app.test/declined",
        }
        self._top_ups[asked.label] = await self._ask(start_top_up, **fields)

    async def _paytopup(self, asked: operations.PayTopUp) -> str:
        if asked.label not in self._top_ups:
            return "never started"
        link = self._top_ups[asked.label]["redirect_url"]
        return await self._pay(link.rpartition("/")[2], asked.card)

    async def _lookattopup(self, asked: operations.LookAtTopUp) -> str:
        if asked.label not in self._top_ups:
            return "never started"
        top_up = await self._ask(get_top_up, top_up_id=self._top_ups[asked.label]["id"])
        return str(top_up["status"])

    async def _changeversion(self, asked: operations.ChangeVersion) -> None:
        await self._ask(
            update_subscription_product,
            customer_id=self._ids[asked.customer],
            subscription_id=self._subscriptions[asked.customer],
            product_id="studio",
            version=asked.version,
        )

    async def _changestatus(self, asked: operations.ChangeStatus) -> None:
        await self._ask(
            update_subscription,
            customer_id=self._ids[asked.customer],
            subscription_id=self._subscriptions[asked.customer],
            status=asked.status,
        )


class InProcess(Face):
    """Calls the use cases of a running system."""

    def __init__(self, system: System, clock: FrozenClock) -> None:
        super().__init__(clock)
        self._billing = system.billing

    async def _ask(self, use_case: Any, **fields: Any) -> dict[str, Any]:
        command = typing.get_type_hints(use_case)["command"].model_validate(fields)
        result = await perform(self._billing, use_case, command)
        return {} if result is None else result.model_dump()

    async def _burst(self, asked: operations.Burst) -> str:
        # Usage without costs reaches the lane's queue in the order of the calls, in one batch.
        return " ".join(await asyncio.gather(*map(self.perform, asked.requests)))

    async def _pay(self, checkout_id: str, card: str) -> str:
        page = await self._ask(pay_checkout, checkout_id=checkout_id, card_number=card)
        return "declined" if page.get("declined") else "done"


ROUTES: dict[Any, tuple[str, str]] = {
    create_asset: ("POST", "/assets"),
    create_product: ("POST", "/products"),
    create_product_version: ("POST", "/products/{product_id}"),
    create_customer: ("POST", "/customers"),
    create_vendor: ("POST", "/vendors"),
    list_customer_stats: ("GET", "/customers/stats"),
    get_customer_stats: ("GET", "/customers/{customer_id}/stats"),
    get_vendor_stats: ("GET", "/vendors/{vendor_id}/stats"),
    get_wallet: ("GET", "/customers/{customer_id}/wallet"),
    get_account: ("GET", "/customers/{customer_id}/wallet/{account_id}"),
    list_grants: ("GET", "/customers/{customer_id}/wallet/{account_id}/grants"),
    get_event: ("GET", "/events/{event_id}"),
    list_events: ("GET", "/events"),
    submit_events: ("POST", "/events"),
    create_adjustment: ("POST", "/customers/{customer_id}/wallet/adjustments"),
    create_charge: ("POST", "/customers/{customer_id}/wallet/charges"),
    start_top_up: ("POST", "/top-ups"),
    get_top_up: ("GET", "/top-ups/{top_up_id}"),
    update_subscription: ("PATCH", "/customers/{customer_id}/subscriptions/{subscription_id}"),
    update_subscription_product: (
        "PATCH",
        "/customers/{customer_id}/subscriptions/{subscription_id}/products/{product_id}",
    ),
}


class RefusedOverRest(CredytError):
    """Carries the code of a problem answer."""


class OverRest(Face):
    """Sends JSON to the HTTP application, and reads its answers exactly."""

    def __init__(self, client: httpx.AsyncClient, clock: FrozenClock) -> None:
        super().__init__(clock)
        self._client = client

    async def _ask(self, use_case: Any, **fields: Any) -> dict[str, Any]:
        method, path = ROUTES[use_case]
        named = {name for name in fields if f"{{{name}}}" in path}
        rest = {name: value for name, value in fields.items() if name not in named}
        address = path.format(**{name: fields[name] for name in named})
        if method == "GET":
            answer = await self._client.get(address, params=rest)
        else:
            answer = await self._client.request(method, address, content=exact_json.dumps(rest))
        body = exact_json.loads(answer.content) if answer.content else {}
        if answer.status_code >= 400:
            refused = RefusedOverRest(f"{body}")
            refused.code = body["code"]  # type: ignore[misc]
            raise refused
        return dict(body)

    async def _burst(self, asked: operations.Burst) -> str:
        return " ".join([await self.perform(request) for request in asked.requests])

    async def _pay(self, checkout_id: str, card: str) -> str:
        answer = await self._client.post(f"/checkout/{checkout_id}", data={"card_number": card})
        return {303: "done", 402: "declined", 409: "wrong_state"}[answer.status_code]
