"""The REST face as a FastAPI application. It is given a running system; app.py makes one."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException

from credyt_mcp.entrypoints.rest import (
    accounts,
    assets,
    authorizations,
    billing_portal,
    clocks,
    customers,
    events,
    keys,
    ledger,
    notices,
    products,
    top_ups,
    vendors,
    wallets,
    webhooks,
)
from credyt_mcp.entrypoints.rest.documented_access import describe_access
from credyt_mcp.entrypoints.rest.replies import on_credyt_error, on_http_error, on_invalid
from credyt_mcp.errors import CredytError

# Wallets come before customers: their paths are longer.
ROUTERS = (
    accounts.router,
    keys.router,
    assets.router,
    products.router,
    wallets.router,
    customers.router,
    events.router,
    authorizations.router,
    top_ups.router,
    vendors.router,
    billing_portal.router,
    notices.router,
    webhooks.router,
    ledger.router,
    clocks.router,
)
HOT_ROUTES = (*events.HOT_ROUTES, *authorizations.HOT_ROUTES)


def add_routes(api: FastAPI) -> None:
    for router in ROUTERS:
        api.include_router(router)
    api.add_exception_handler(CredytError, on_credyt_error)
    api.add_exception_handler(RequestValidationError, on_invalid)
    api.add_exception_handler(HTTPException, on_http_error)
    api.openapi = lambda: _openapi(api)  # type: ignore[method-assign]


def _openapi(api: FastAPI) -> dict[str, Any]:
    """FastAPI's document with the hot routes in it, which it cannot see."""
    if api.openapi_schema is None:
        document = get_openapi(
            title=api.title,
            version=api.version,
            description=api.description,
            routes=api.routes,
        )
        for hot in HOT_ROUTES:
            document["paths"].setdefault(hot.path, {}).update(hot.documented())
        _, definitions = models_json_schema(
            [(hot.body, "validation") for hot in HOT_ROUTES if hot.body is not None],
            ref_template="#/components/schemas/{model}",
        )
        document["components"]["schemas"] |= definitions["$defs"]
        describe_access(document)
        api.openapi_schema = document
    return api.openapi_schema
