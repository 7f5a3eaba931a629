"""The connection to a billing server, for sync and for async apps. It retries what may be retried,
and never loses usage silently."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import anyio
import httpx

from credyt_mcp.client.charges import Answer, Ask, Charge, Outcome
from credyt_mcp.client.errors import BillingRefused, BillingUnavailable, InsufficientBalance

TIMEOUT_SECONDS = 5.0
PAUSES = (0.2, 0.8, 2.4)
"""Before another try, in seconds."""
PASSING = {429, 500, 502, 503, 504}
UNKNOWN_CUSTOMER = {"not_found", "unknown_reference"}

log = logging.getLogger(__name__)


class _Connection:
    """What both kinds share: the settings, and what an answer means."""

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        products: Sequence[str] = (),
        run_without_billing: bool = False,
        on_lost: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        """`products` are given to customers that are not known yet, at their first call.

        While the server cannot be reached calls are refused with BillingUnavailable; with
        `run_without_billing` they run, and are billed afterwards if it is back by then. `on_lost`
        gets the body of a request that could not be delivered after the call, to be sent again:
        usage with the same id is billed once. Without it the body is logged as an error.
        """
        self._options: dict[str, Any] = {
            "base_url": url.rstrip("/"),
            "headers": {"Authorization": f"Bearer {api_key}"},
            "timeout": TIMEOUT_SECONDS,
        }
        self._products = list(products)
        self._run_without_billing = run_without_billing
        self._on_lost = on_lost or _logged

    def _customer(self, charge: Charge, refused: BillingRefused) -> Ask:
        """How to make the customer that is missing; raises `refused` if that is not the matter."""
        if refused.code not in UNKNOWN_CUSTOMER or not self._products:
            raise refused
        body = {"external_id": charge.terms.customer, "products": self._products}
        return Ask("POST", "/wallets", body)

    def _without(self, charge: Charge, unavailable: BillingUnavailable) -> None:
        if not self._run_without_billing:
            raise unavailable
        log.warning("%s runs without a hold: %s", charge.terms.event_type, unavailable)

    def _lost(self, ask: Ask, error: Exception) -> None:
        log.warning("%s %s: %s", ask.method, ask.path, error)
        # A hold that could not be given back expires by itself.
        if ask.body:
            self._on_lost({"path": ask.path, **ask.body})


class Credyt(_Connection):
    """For sync apps; safe for threads. Options as of `_Connection`."""

    def __init__(self, url: str, api_key: str, **options: Any) -> None:
        super().__init__(url, api_key, **options)
        self._http = httpx.Client(**self._options)

    def hold(self, charge: Charge) -> None:
        """Raises InsufficientBalance, BillingRefused or BillingUnavailable."""
        try:
            try:
                self.send(charge.hold(), tries=2)
            except BillingRefused as refused:
                self.send(self._customer(charge, refused), tries=2)
                self.send(charge.hold(), tries=2)
            charge.held = True
        except BillingUnavailable as unavailable:
            self._without(charge, unavailable)

    def settle(self, charge: Charge, answer: Answer, outcome: Outcome) -> None:
        """Never raises: the call cannot be taken back."""
        for ask in charge.settle(answer, outcome):
            self.deliver(ask)

    def deliver(self, ask: Ask) -> None:
        """Send what tells of something done; never raises."""
        try:
            self.send(ask)
        except Exception as error:
            self._lost(ask, error)

    def send(self, ask: Ask, tries: int = len(PAUSES) + 1) -> Any:
        for last in reversed(range(tries)):
            try:
                return _meant(self._http.request(ask.method, ask.path, content=_json(ask)))
            except (httpx.HTTPError, BillingUnavailable) as error:
                if not last:
                    raise BillingUnavailable(str(error) or type(error).__name__) from error
            time.sleep(PAUSES[tries - 1 - last])
        raise AssertionError("at least one try")

    def close(self) -> None:
        self._http.close()


class AsyncCredyt(_Connection):
    """For async apps; of one event loop, as its connections are."""

    def __init__(self, url: str, api_key: str, **options: Any) -> None:
        super().__init__(url, api_key, **options)
        self._http = httpx.AsyncClient(**self._options)

    async def hold(self, charge: Charge) -> None:
        """Raises InsufficientBalance, BillingRefused or BillingUnavailable."""
        try:
            try:
                await self.send(charge.hold(), tries=2)
            except BillingRefused as refused:
                await self.send(self._customer(charge, refused), tries=2)
                await self.send(charge.hold(), tries=2)
            charge.held = True
        except BillingUnavailable as unavailable:
            self._without(charge, unavailable)

    async def settle(self, charge: Charge, answer: Answer, outcome: Outcome) -> None:
        """Never raises, and is done also when the caller is cancelled."""
        with anyio.CancelScope(shield=True):
            for ask in charge.settle(answer, outcome):
                try:
                    await self.send(ask)
                except Exception as error:
                    self._lost(ask, error)

    async def send(self, ask: Ask, tries: int = len(PAUSES) + 1) -> Any:
        for last in reversed(range(tries)):
            try:
                return _meant(await self._http.request(ask.method, ask.path, content=_json(ask)))
            except (httpx.HTTPError, BillingUnavailable) as error:
                if not last:
                    raise BillingUnavailable(str(error) or type(error).__name__) from error
            await anyio.sleep(PAUSES[tries - 1 - last])
        raise AssertionError("at least one try")

    async def close(self) -> None:
        await self._http.aclose()


def _json(ask: Ask) -> bytes:
    return json.dumps(ask.body).encode()


def _meant(answer: httpx.Response) -> Any:
    if answer.status_code in PASSING:
        raise BillingUnavailable(f"the billing server answered {answer.status_code}")
    try:
        said = answer.json() if answer.content else None
    except ValueError:
        raise BillingUnavailable(f"{answer.status_code}, and no JSON, from {answer.url}") from None
    if answer.is_success:
        return said
    problem = said if isinstance(said, dict) else {}
    uncovered = problem.get("code") == "insufficient_balance"
    raise (InsufficientBalance if uncovered else BillingRefused)(problem)


def _logged(body: dict[str, Any]) -> None:
    log.error("usage that is not billed yet, to be sent again: %s", json.dumps(body))
