"""REST routes of payment accounts and settings of payments. Translation only."""

from __future__ import annotations

from fastapi import APIRouter, Response

from credyt_mcp.entrypoints.rest.auth import Caller
from credyt_mcp.entrypoints.rest.replies import ExactRoute, reply
from credyt_mcp.use_cases import payment_accounts, payment_settings

router = APIRouter(tags=["payment-accounts"], route_class=ExactRoute)


@router.post("/payment-accounts", status_code=201, response_model=payment_accounts.PaymentAccount)
async def connect_payment_account(
    caller: Caller, body: payment_accounts.ConnectPaymentAccount
) -> Response:
    return await reply(caller, payment_accounts.connect_payment_account, body, 201)


@router.get("/payment-accounts", response_model=payment_accounts.PaymentAccountList)
async def list_payment_accounts(caller: Caller) -> Response:
    command = payment_accounts.ListPaymentAccounts()
    return await reply(caller, payment_accounts.list_payment_accounts, command)


@router.get(
    "/payment-accounts/{payment_account_id}", response_model=payment_accounts.PaymentAccount
)
async def get_payment_account(caller: Caller, payment_account_id: str) -> Response:
    command = payment_accounts.GetPaymentAccount(payment_account_id=payment_account_id)
    return await reply(caller, payment_accounts.get_payment_account, command)


@router.patch(
    "/payment-accounts/{payment_account_id}", response_model=payment_accounts.PaymentAccount
)
async def update_payment_account(
    caller: Caller, payment_account_id: str, body: payment_accounts.PaymentAccountFields
) -> Response:
    command = payment_accounts.UpdatePaymentAccount(
        payment_account_id=payment_account_id, **dict(body)
    )
    return await reply(caller, payment_accounts.update_payment_account, command)


@router.delete("/payment-accounts/{payment_account_id}", status_code=204)
async def disconnect_payment_account(caller: Caller, payment_account_id: str) -> Response:
    command = payment_accounts.GetPaymentAccount(payment_account_id=payment_account_id)
    return await reply(caller, payment_accounts.disconnect_payment_account, command, 204)


@router.get("/payment-settings", response_model=payment_settings.PaymentSettings)
async def get_payment_settings(caller: Caller) -> Response:
    command = payment_settings.GetPaymentSettings()
    return await reply(caller, payment_settings.get_payment_settings, command)


@router.patch("/payment-settings", response_model=payment_settings.PaymentSettings)
async def update_payment_settings(
    caller: Caller, body: payment_settings.UpdatePaymentSettings
) -> Response:
    return await reply(caller, payment_settings.update_payment_settings, body)
