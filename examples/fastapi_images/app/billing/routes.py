"""Billing's routes: balance, top-up, portal, webhook. Errors become JSON with a `code`.

Written by credyt-mcp (fastapi, template 1), and again when the template improves:
changes you make here are kept.
"""

from __future__ import annotations

from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, RedirectResponse

from . import client, config, webhooks
from .errors import BillingError
from .paid import UserId

router = APIRouter(prefix="/api/billing", tags=["billing"])


@router.get("/balance")
def balance(user_id: UserId) -> dict[str, str]:
    return client.balance(user_id)


@router.post("/top-up")
def top_up(
    request: Request, user_id: UserId, amount: str = config.TOP_UP_AMOUNTS[0]
) -> Response:
    if amount not in config.TOP_UP_AMOUNTS:
        choices = ", ".join(config.TOP_UP_AMOUNTS)
        raise HTTPException(422, f"amount must be one of {choices}")
    return _lead_to(request, client.top_up_url(user_id, amount))


@router.post("/portal")
def portal(request: Request, user_id: UserId) -> Response:
    return _lead_to(request, client.portal_url(user_id))


@router.post("/webhook", status_code=204)
async def webhook(request: Request) -> None:
    await run_in_threadpool(webhooks.receive, await request.body(), request.headers)


def install(app: FastAPI) -> None:
    app.include_router(router)
    app.add_exception_handler(BillingError, _answer)


async def _answer(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, BillingError)
    return JSONResponse(error.body(), error.status)


def _lead_to(request: Request, url: str) -> Response:
    """A redirect for a form's button, JSON for a script."""
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(url, 303)
    return JSONResponse({"url": url})
