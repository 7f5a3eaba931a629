"""The customer's billing page. Whoever opens a portal link is signed in by a cookie; no JavaScript,
no decisions."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Cookie, Form, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ValidationError

from credyt_mcp.entrypoints.portal.pages import on_page_error, origin, page
from credyt_mcp.entrypoints.validation import invalid_request
from credyt_mcp.errors import CredytError, Forbidden, InvalidRequest, LinkExpired
from credyt_mcp.ids import secret_hash
from credyt_mcp.use_cases import billing_portal, portal_page
from credyt_mcp.use_cases import portal_auto_top_ups as auto
from credyt_mcp.use_cases.context import Billing, perform

router = APIRouter(include_in_schema=False)

COOKIE = "credyt_portal"
Key = Annotated[str, Cookie(alias=COOKIE)]
Text = Annotated[str, Form()]


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
    csrf: Text = "",
    choice: Text = "",
    amount: Text = "",
    save_card: Text = "",
) -> Response:
    given = {"choice": choice, "amount": amount.strip(), "save_card": bool(save_card)}
    use_case, command = portal_page.top_up_in_portal, portal_page.TopUpInPortal
    return await _act(request, key, csrf, use_case, command, given, "top-up")


@router.post("/portal/auto-top-ups")
async def set_auto_top_up(
    request: Request,
    key: Key = "",
    csrf: Text = "",
    choice: Text = "",
    threshold: Text = "",
    amount: Text = "",
    monthly_limit: Text = "",
    card: Text = "",
    agreed: Text = "",
) -> Response:
    given = {
        "choice": choice,
        "threshold": threshold.strip(),
        "amount": amount.strip(),
        "monthly_limit": monthly_limit.strip(),
        "card": card,
        "agreed": bool(agreed),
        "ip": request.client.host if request.client else None,
    }
    use_case, command = auto.set_auto_top_up_in_portal, auto.SetAutoTopUpInPortal
    return await _act(request, key, csrf, use_case, command, given, "automatic")


@router.post("/portal/auto-top-ups/off")
async def stop_auto_top_up(
    request: Request, key: Key = "", csrf: Text = "", account_id: Text = ""
) -> Response:
    use_case, command = auto.stop_auto_top_up_in_portal, auto.StopAutoTopUpInPortal
    given = {"account_id": account_id}
    return await _act(request, key, csrf, use_case, command, given, "automatic")


@router.post("/portal/cards")
async def add_card(request: Request, key: Key = "", csrf: Text = "") -> Response:
    use_case, command = auto.add_card_in_portal, auto.AddCardInPortal
    return await _act(request, key, csrf, use_case, command, {}, "cards")


@router.post("/portal/cards/default")
async def choose_card(
    request: Request, key: Key = "", csrf: Text = "", card: Text = ""
) -> Response:
    use_case, command = auto.choose_card_in_portal, auto.OnCardInPortal
    return await _act(request, key, csrf, use_case, command, {"card": card}, "cards")


@router.post("/portal/cards/remove")
async def remove_card(
    request: Request, key: Key = "", csrf: Text = "", card: Text = ""
) -> Response:
    use_case, command = auto.remove_card_in_portal, auto.OnCardInPortal
    return await _act(request, key, csrf, use_case, command, {"card": card}, "cards")


async def _act(
    request: Request,
    key: str,
    csrf: str,
    use_case: Callable[..., Any],
    command: type[BaseModel],
    given: dict[str, Any],
    section: str,
) -> Response:
    """Do what a form of the page asks, and lead on: to where it answers, or to the page again. A
    refusal is shown in its section."""
    try:
        if not hmac.compare_digest(csrf.encode(), _csrf(key).encode()):
            raise Forbidden(
                "this form was not sent from your billing page",
                hint="Open the page again from the app.",
            )
        try:
            asked = command.model_validate({"key": key, **given})
        except ValidationError as error:
            found = error.errors(include_input=False, include_url=False, include_context=False)
            raise invalid_request(found, given) from None
        done = await perform(request.app.state.billing, use_case, asked)
    except InvalidRequest as error:
        return await _shown(request, key, refused=error, given=given, section=section)
    except LinkExpired as error:
        return await _left(request, error)
    except CredytError as error:
        return await on_page_error(request, error)
    onward: str | None = getattr(done, "redirect_url", None)
    if onward is not None and origin(onward) not in done.pays_at:
        # A page on a host of one's own, such as Stripe offers: the form may not lead there itself.
        return page("continue.html", redirect_url=onward)
    return RedirectResponse(onward or "/portal", 303)


async def _shown(
    request: Request,
    key: str,
    *,
    refused: InvalidRequest | None = None,
    given: Any = None,
    section: str = "",
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
        refused={section: refused.detail} if refused else {},
        given={section: given},
    )


async def _left(request: Request, error: LinkExpired) -> Response:
    """Where the app wants customers whose link or session has ended, or a page that says so."""
    if error.failure_url:
        return RedirectResponse(error.failure_url, 303)
    return await on_page_error(request, error)


def _csrf(key: str) -> str:
    return secret_hash(f"portal form of {key}").hex()
