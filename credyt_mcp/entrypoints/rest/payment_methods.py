"""REST routes of customers' saved cards. Translation only."""

from __future__ import annotations

from fastapi import APIRouter, Response

from credyt_mcp.entrypoints.rest.auth import Caller
from credyt_mcp.entrypoints.rest.replies import ExactRoute, reply
from credyt_mcp.use_cases import payment_methods

router = APIRouter(
    prefix="/customers/{customer_id}/payment-methods",
    tags=["payment-methods"],
    route_class=ExactRoute,
)


@router.get("", response_model=payment_methods.PaymentMethods)
async def list_payment_methods(caller: Caller, customer_id: str) -> Response:
    command = payment_methods.ListPaymentMethods(customer_id=customer_id)
    return await reply(caller, payment_methods.list_payment_methods, command)


@router.post("", status_code=201, response_model=payment_methods.CardPage)
async def add_payment_method(
    caller: Caller, customer_id: str, body: payment_methods.PaymentMethodFields
) -> Response:
    command = payment_methods.AddPaymentMethod(customer_id=customer_id, **dict(body))
    return await reply(caller, payment_methods.add_payment_method, command, 201)


@router.post("/{payment_method_id}/default", response_model=payment_methods.PaymentMethod)
async def set_default_payment_method(
    caller: Caller, customer_id: str, payment_method_id: str
) -> Response:
    command = payment_methods.SetDefaultPaymentMethod(
        customer_id=customer_id, payment_method_id=payment_method_id
    )
    return await reply(caller, payment_methods.set_default_payment_method, command)


@router.delete("/{payment_method_id}", status_code=204)
async def remove_payment_method(
    caller: Caller, customer_id: str, payment_method_id: str
) -> Response:
    command = payment_methods.RemovePaymentMethod(
        customer_id=customer_id, payment_method_id=payment_method_id
    )
    return await reply(caller, payment_methods.remove_payment_method, command, 204)
