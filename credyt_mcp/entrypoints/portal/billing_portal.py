"""The customer's billing page. Whoever opens a portal link is signed in by a cookie; no JavaScript,
no decisions."""

from __future__ import annotations

import hmac
from typing import Annotated, Any

from fastapi import APIRouter, Cookie, Form, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from credyt_mcp.entrypoints.portal.pages import on_page_error, origin, page
from credyt_mcp.entrypoints.validation import invalid_request
from credyt_mcp.errors import CredytError, Forbidden, InvalidRequest, LinkExpired
from credyt_mcp.ids import secret_hash
from credyt_mcp.use_cases import billing_portal, portal_page
from credyt_mcp.use_cases.context import Billing, perform

router = APIRouter(include_in_schema=False)

COOKIE = "credyt_portal"
Key = Annotated[str, Cookie(alias=COOKIE)]


@router.get("/portal/sign-in")
async def sign_in(request: Request, token: str = "") -> Response:
    billing: Billing = request.app.state.billing
    try:
        command = billing_portal.EnterPortal(token=token)
        entered = await perform(billing, billing_portal.enter_portal, command)
    except LinkExpired as error:
        return await _left(request, error)
    answer = RedirectResponse("/portal", 303)
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["Cache-Control"] = "no-store"
    answer.set_cookie(
        COOKIE,
        entered.key,
        max_age=entered.lasts_seconds,
        path="/portal",
        secure=billing.settings.public_url.startswith("https:"),
        httponly=True,
        samesite="lax",
    )
    return answer


@router.get("/portal")
async def view(request: Request, key: Key = "") -> Response:
    return await _shown(request, key)


@router.post("/portal/top-ups")
async def top_up(
    request: Request,
    key: Key = "",
    csrf: Annotated[str, Form()] = "",
    choice: Annotated[str, Form()] = "",
    amount: Annotated[str, Form()] = "",
) -> Response:
    given = {"key": key, "choice": choice, "amount": amount.strip()}
    try:
        if not hmac.compare_digest(csrf.encode(), _csrf(key).encode()):
            raise Forbidden(
                "this form was not sent from your billing page",
                hint="Open the page again from the app.",
            )
        try:
            command = portal_page.TopUpInPortal.model_validate(given)
        except ValidationError as error:
            found = error.errors(include_input=False, include_url=False, include_context=False)
            raise invalid_request(found, given) from None
        started = await perform(request.app.state.billing, portal_page.top_up_in_portal, command)
    except InvalidRequest as error:
        return await _shown(request, key, refused=error, given=given)
    except LinkExpired as error:
        return await _left(request, error)
    except CredytError as error:
        return await on_page_error(request, error)
    if origin(started.redirect_url) not in started.pays_at:
        # A page on a host of one's own, such as Stripe offers: the form may not lead there itself.
        return page("continue.html", redirect_url=started.redirect_url)
    return RedirectResponse(started.redirect_url, 303)


async def _shown(
    request: Request, key: str, *, refused: InvalidRequest | None = None, given: Any = None
) -> Response:
    try:
        portal: portal_page.PortalView = await perform(
            request.app.state.billing, portal_page.view_portal, portal_page.ViewPortal(key=key)
        )
    except LinkExpired as error:
        return await _left(request, error)
    return page(
        "portal.html",
        refused.status if refused else 200,
        # The top-up form is redirected to the provider's payment page.
        leads_to=portal.pays_at,
        portal=portal,
        csrf=_csrf(key),
        refused=refused.detail if refused else None,
        given=given or {"choice": None, "amount": ""},
    )


async def _left(request: Request, error: LinkExpired) -> Response:
    """Where the app wants customers whose link or session has ended, or a page that says so."""
    if error.failure_url:
        return RedirectResponse(error.failure_url, 303)
    return await on_page_error(request, error)


def _csrf(key: str) -> str:
    return secret_hash(f"portal form of {key}").hex()
