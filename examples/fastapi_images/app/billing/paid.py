"""Paid work in a route: `billable` around it, or `hold` and `BilledStream`.

Written by credyt-mcp (fastapi, template 1), and again when the template improves:
changes you make here are kept.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from anyio import CancelScope
from fastapi import Depends, Header
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from . import charges
from .charges import Charge, Data
from .config import current_user_id

UserId = Annotated[str, Depends(current_user_id)]

RequestId = Annotated[str | None, Header(alias="Idempotency-Key")]
"""The browser's id for one click, so that a double submit is done and billed once."""


async def hold(
    user_id: str,
    event_type: str,
    *,
    request_id: str | None = None,
    estimate: Data | None = None,
) -> Charge:
    return await run_in_threadpool(
        charges.hold, user_id, event_type, request_id=request_id, estimate=estimate
    )


@asynccontextmanager
async def billable(
    user_id: str,
    event_type: str,
    *,
    request_id: str | None = None,
    estimate: Data | None = None,
) -> AsyncIterator[Charge]:
    """Bill the work inside once it is done; work that fails before `use` is free."""
    charge = await hold(user_id, event_type, request_id=request_id, estimate=estimate)
    try:
        yield charge
        charge.use()
    finally:
        await _settle(charge)


class BilledStream(StreamingResponse):
    """A stream that is billed by what was delivered, also when the reader goes away.

    Call `charge.use(tokens=…)` while it runs; what never got known is billed as
    estimated.
    """

    def __init__(
        self, charge: Charge, chunks: AsyncIterable[Any], **options: Any
    ) -> None:
        super().__init__(_delivered(charge, chunks), **options)
        self.charge = charge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await _settle(self.charge)


async def _delivered(charge: Charge, chunks: AsyncIterable[Any]) -> AsyncIterator[Any]:
    async for chunk in chunks:
        charge.use()
        yield chunk


async def _settle(charge: Charge) -> None:
    with CancelScope(shield=True):
        await run_in_threadpool(charge.settle)
