"""The REST face as a FastAPI application. It is given a running system; app.py makes one."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from credyt_mcp.entrypoints.rest import (
    accounts,
    alerts,
    analytics,
    assets,
    authorizations,
    billing_portal,
    budgets,
    clocks,
    customers,
    events,
    keys,
    ledger,
    llm_costs,
    notices,
    openapi,
    otlp,
    payment_accounts,
    payment_methods,
    products,
    reconciliations,
    replays,
    top_ups,
    vendors,
    wallets,
    webhooks,
)
from credyt_mcp.entrypoints.rest.replies import (
    on_credyt_error,
    on_failure,
    on_http_error,
    on_invalid,
)
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
    budgets.router,
    top_ups.router,
    payment_accounts.router,
    payment_methods.router,
    vendors.router,
    billing_portal.router,
    llm_costs.router,
    otlp.router,
    analytics.router,
    alerts.router,
    replays.router,
    reconciliations.router,
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
    api.add_exception_handler(Exception, on_failure)
    api.openapi = lambda: openapi.document(api, HOT_ROUTES)  # type: ignore[method-assign]  # the way FastAPI documents
