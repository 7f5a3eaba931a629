"""REST routes of customers and their subscriptions. Translation only."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from credyt_mcp.entrypoints.rest.auth import Caller
from credyt_mcp.entrypoints.rest.replies import ExactRoute, json_response, reply
from credyt_mcp.errors import NotFound
from credyt_mcp.use_cases import customers, profits, stats, subscriptions
from credyt_mcp.use_cases.context import perform

router = APIRouter(prefix="/customers", tags=["customers"], route_class=ExactRoute)


@router.post("", status_code=201, response_model=customers.CustomerCreated)
async def create_customer(caller: Caller, body: customers.CreateCustomer) -> Response:
    return await reply(caller, customers.create_customer, body, 201)


@router.get(
    "",
    response_model=customers.CustomerPage,
    responses={303: {"description": "With `external_id`: where that customer is"}},
)
async def list_customers(
    caller: Caller, query: Annotated[customers.ListCustomers, Query()]
) -> Response:
    page = await perform(caller, customers.list_customers, query)
    if query.external_id is None:
        return json_response(page)
    if not page.items:
        raise NotFound(f"there is no customer with external_id '{query.external_id}'")
    return Response(status_code=303, headers={"Location": f"/customers/{page.items[0].id}"})


@router.get("/stats", response_model=stats.CustomerStatsPage)
async def list_customer_stats(
    caller: Caller, query: Annotated[stats.ListCustomerStats, Query()]
) -> Response:
    return await reply(caller, stats.list_customer_stats, query)


@router.get("/{customer_id}", response_model=customers.CustomerDetails)
async def get_customer(caller: Caller, customer_id: str) -> Response:
    return await reply(
        caller, customers.get_customer, customers.GetCustomer(customer_id=customer_id)
    )


@router.get("/{customer_id}/stats", response_model=profits.Profitability)
async def get_customer_stats(
    caller: Caller, customer_id: str, query: Annotated[stats.PeriodFields, Query()]
) -> Response:
    command = stats.GetCustomerStats(customer_id=customer_id, **dict(query))
    return await reply(caller, stats.get_customer_stats, command)


@router.patch("/{customer_id}", status_code=204)
async def update_customer(
    caller: Caller, customer_id: str, body: customers.CustomerFields
) -> Response:
    command = customers.UpdateCustomer(customer_id=customer_id, **dict(body))
    return await reply(caller, customers.update_customer, command, 204)


@router.post(
    "/{customer_id}/subscriptions", status_code=201, response_model=subscriptions.Subscription
)
async def create_subscription(
    caller: Caller, customer_id: str, body: subscriptions.SubscriptionFields
) -> Response:
    command = subscriptions.CreateSubscription(customer_id=customer_id, **dict(body))
    return await reply(caller, subscriptions.create_subscription, command, 201)


@router.patch("/{customer_id}/subscriptions/{subscription_id}", status_code=204)
async def update_subscription(
    caller: Caller, customer_id: str, subscription_id: str, body: subscriptions.StatusField
) -> Response:
    command = subscriptions.UpdateSubscription(
        customer_id=customer_id, subscription_id=subscription_id, **dict(body)
    )
    return await reply(caller, subscriptions.update_subscription, command, 204)


@router.patch(
    "/{customer_id}/subscriptions/{subscription_id}/products/{product_id}", status_code=204
)
async def update_subscription_product(
    caller: Caller,
    customer_id: str,
    subscription_id: str,
    product_id: str,
    body: subscriptions.VersionField,
) -> Response:
    command = subscriptions.UpdateSubscriptionProduct(
        customer_id=customer_id,
        subscription_id=subscription_id,
        product_id=product_id,
        **dict(body),
    )
    return await reply(caller, subscriptions.update_subscription_product, command, 204)
