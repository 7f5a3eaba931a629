"""The sandbox provider's dashboard in a browser, which asks for an API key of the test environment
as the password. No JavaScript, no decisions."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from credyt_mcp.entrypoints.auth import authenticate
from credyt_mcp.entrypoints.portal.pages import on_page_error, page
from credyt_mcp.entrypoints.validation import invalid_request
from credyt_mcp.errors import CredytError, Forbidden, InvalidRequest, Unauthorized
from credyt_mcp.ids import secret_hash
from credyt_mcp.use_cases import sandbox_control
from credyt_mcp.use_cases.context import Billing, perform

router = APIRouter(include_in_schema=False)

PAGE = "/portal/sandbox"
ASK_FOR_KEY = {"WWW-Authenticate": 'Basic realm="Any name; an API key as the password"'}
Text = Annotated[str, Form(max_length=200)]


@router.get(PAGE)
async def view(request: Request) -> Response:
    return await _shown(request)


@router.post(PAGE + "/refunds")
async def refund(
    request: Request,
    csrf: Text = "",
    payment_id: Text = "",
    amount: Text = "",
    outcome: Text = "succeeded",
) -> Response:
    given = {"payment_id": payment_id, "amount": amount or None, "outcome": outcome}
    act = sandbox_control.refund_in_sandbox
    return await _done(request, csrf, act, sandbox_control.RefundInSandbox, given)


@router.post(PAGE + "/disputes")
async def dispute(
    request: Request, csrf: Text = "", payment_id: Text = "", amount: Text = ""
) -> Response:
    given = {"payment_id": payment_id, "amount": amount or None}
    act = sandbox_control.dispute_in_sandbox
    return await _done(request, csrf, act, sandbox_control.DisputeInSandbox, given)


@router.post(PAGE + "/steps")
async def step(
    request: Request, csrf: Text = "", reversal_id: Text = "", step: Text = ""
) -> Response:
    given = {"reversal_id": reversal_id, "step": step}
    act = sandbox_control.step_in_sandbox
    return await _done(request, csrf, act, sandbox_control.StepInSandbox, given)


async def _done(
    request: Request, csrf: str, act: Callable[..., Any], command: Any, given: dict[str, Any]
) -> Response:
    """Back to the page, or the page with what was wrong."""
    try:
        billing, key = await _caller(request)
        if not hmac.compare_digest(csrf.encode(), _csrf(key).encode()):
            raise Forbidden("this form was not sent from the page", hint="Open the page again.")
        try:
            asked = command.model_validate(given)
        except ValidationError as error:
            found = error.errors(include_input=False, include_url=False, include_context=False)
            raise invalid_request(found, given) from None
        await perform(billing, act, asked)
    except Unauthorized:
        return Response("An API key is needed.", 401, ASK_FOR_KEY)
    except InvalidRequest as error:
        return await _shown(request, error)
    except CredytError as error:
        return await on_page_error(request, error)
    return RedirectResponse(PAGE, 303)


async def _shown(request: Request, refused: InvalidRequest | None = None) -> Response:
    try:
        billing, key = await _caller(request)
        view = await perform(billing, sandbox_control.view_sandbox, sandbox_control.ViewSandbox())
    except Unauthorized:
        return Response("An API key is needed.", 401, ASK_FOR_KEY)
    except CredytError as error:
        return await on_page_error(request, error)
    return page(
        "sandbox.html",
        refused.status if refused else 200,
        payments=view.payments,
        csrf=_csrf(key),
        refused=refused.detail if refused else None,
    )


async def _caller(request: Request) -> tuple[Billing, str]:
    """Who asks, by the password of HTTP basic authentication. Raises as `authenticate` does."""
    scheme, _, code = request.headers.get("authorization", "").partition(" ")
    try:
        name_and_key = base64.b64decode(code, validate=True).decode()
    except ValueError:
        name_and_key = ""
    key = name_and_key.partition(":")[2] if scheme.lower() == "basic" else ""
    state = request.app.state
    return await authenticate(state.keys, state.billing, {"x-credyt-api-key": key}), key


def _csrf(key: str) -> str:
    """A browser sends the password by itself, to forms of other sites too."""
    return secret_hash(f"sandbox form of {key}").hex()
