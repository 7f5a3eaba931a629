"""The sandbox's payment page. Whoever has the link may pay: it holds an unguessable id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from credyt_mcp.entrypoints.portal.pages import on_page_error, page, stylesheet
from credyt_mcp.errors import CredytError
from credyt_mcp.use_cases import checkouts
from credyt_mcp.use_cases.context import Billing, perform

router = APIRouter(include_in_schema=False)


@router.get("/checkout/style.css")
async def style() -> Response:
    return stylesheet()


@router.get("/checkout/{checkout_id}")
async def view(request: Request, checkout_id: str) -> Response:
    command = checkouts.ViewCheckout(checkout_id=checkout_id)
    return await _shown(request, checkouts.view_checkout, command)


@router.post("/checkout/{checkout_id}")
async def pay(
    request: Request,
    checkout_id: str,
    card_number: Annotated[str, Form(max_length=40)] = "",
    confirmed: Annotated[Literal["yes", "no"] | None, Form()] = None,
) -> Response:
    command = checkouts.PayCheckout(
        checkout_id=checkout_id,
        card_number=card_number,
        confirmed=None if confirmed is None else confirmed == "yes",
    )
    return await _shown(request, checkouts.pay_checkout, command, leaves=True)


async def _shown(
    request: Request, use_case: Callable[..., Any], command: Any, *, leaves: bool = False
) -> Response:
    billing: Billing = request.app.state.billing
    try:
        checkout = await perform(billing, use_case, command)
    except CredytError as error:
        return await on_page_error(request, error)
    if leaves and checkout.status == "paid" and not checkout.declined:
        # 303, so that reloading or going back cannot send the card again.
        return RedirectResponse(checkout.return_url or request.url.path, 303)
    return page(
        "challenge.html" if checkout.challenge else "checkout.html",
        402 if checkout.declined else 200,
        leads_to=[checkout.return_url or ""],
        checkout=checkout,
    )
