"""REST routes of authorizations, all but the read one hot. Translation only."""

from __future__ import annotations

from fastapi import APIRouter, Response

from credyt_mcp.entrypoints.rest.auth import Caller
from credyt_mcp.entrypoints.rest.hot import HotRoute
from credyt_mcp.entrypoints.rest.replies import ExactRoute, json_response, reply
from credyt_mcp.use_cases import authorizations
from credyt_mcp.use_cases.authorizations import AuthorizationView

router = APIRouter(prefix="/authorizations", tags=["authorizations"], route_class=ExactRoute)


def _created(result: AuthorizationView) -> Response:
    """A repeat answers what the first did, but with 200."""
    return json_response(result, 200 if result.duplicate else 201)


HOT_ROUTES = (
    HotRoute(
        "/authorizations",
        authorizations.authorize_usage,
        authorizations.AuthorizeUsage,
        authorizations.AuthorizeUsage,
        _created,
        {
            201: "Held",
            200: "Held before under this id",
            402: "Denied: insufficient_balance, budget_exceeded",
        },
    ),
    HotRoute(
        "/authorizations/{authorization_id}/extend",
        authorizations.extend_authorization,
        authorizations.ExtendAuthorization,
        authorizations.ExtendFields,
        json_response,
        {200: "Extended", 402: "Denied: insufficient_balance, budget_exceeded"},
    ),
    HotRoute(
        "/authorizations/{authorization_id}/capture",
        authorizations.capture_authorization,
        authorizations.CaptureAuthorization,
        authorizations.CaptureFields,
        json_response,
        {200: "Billed; the rest is given back"},
    ),
    HotRoute(
        "/authorizations/{authorization_id}/release",
        authorizations.release_authorization,
        authorizations.ReleaseAuthorization,
        None,
        json_response,
        {200: "Given back"},
    ),
)


@router.get("/{authorization_id}", response_model=AuthorizationView)
async def get_authorization(caller: Caller, authorization_id: str) -> Response:
    command = authorizations.GetAuthorization(authorization_id=authorization_id)
    return await reply(caller, authorizations.get_authorization, command)
