"""REST routes of wallets. Translation only.

The fixed words under /wallet/ come before `{account_id}`, which would match them too.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from credyt_mcp.entrypoints.rest.auth import Caller
from credyt_mcp.entrypoints.rest.replies import ExactRoute, reply
from credyt_mcp.use_cases import adjustments, auto_top_ups, limits, provisioning, wallets

router = APIRouter(tags=["wallets"], route_class=ExactRoute)

WALLET = "/customers/{customer_id}/wallet"


@router.post("/wallets", status_code=201, response_model=provisioning.WalletCreated)
async def create_wallet(caller: Caller, body: provisioning.CreateWallet) -> Response:
    return await reply(caller, provisioning.create_wallet, body, 201)


@router.get(WALLET, response_model=wallets.Wallet)
async def get_wallet(caller: Caller, customer_id: str) -> Response:
    return await reply(caller, wallets.get_wallet, wallets.GetWallet(customer_id=customer_id))


@router.post(WALLET + "/adjustments", status_code=201, response_model=adjustments.AdjustmentCreated)
async def create_adjustment(
    caller: Caller, customer_id: str, body: adjustments.AdjustmentFields
) -> Response:
    command = adjustments.CreateAdjustment(customer_id=customer_id, **dict(body))
    return await reply(caller, adjustments.create_adjustment, command, 201)


@router.post(WALLET + "/charges", status_code=201, response_model=adjustments.ChargeCreated)
async def create_charge(
    caller: Caller, customer_id: str, body: adjustments.ChargeFields
) -> Response:
    command = adjustments.CreateCharge(customer_id=customer_id, **dict(body))
    return await reply(caller, adjustments.create_charge, command, 201)


@router.get(
    WALLET + "/transactions/{transaction_id:path}", response_model=wallets.TransactionDetails
)
async def get_transaction(caller: Caller, customer_id: str, transaction_id: str) -> Response:
    command = wallets.GetTransaction(customer_id=customer_id, transaction_id=transaction_id)
    return await reply(caller, wallets.get_transaction, command)


@router.get(WALLET + "/{account_id}", response_model=wallets.AccountDetails)
async def get_account(caller: Caller, customer_id: str, account_id: str) -> Response:
    command = wallets.GetAccount(customer_id=customer_id, account_id=account_id)
    return await reply(caller, wallets.get_account, command)


@router.patch(WALLET + "/{account_id}", response_model=wallets.AccountDetails)
async def set_wallet_limits(
    caller: Caller, customer_id: str, account_id: str, body: limits.LimitFields
) -> Response:
    given = body.model_dump(exclude_unset=True)
    command = limits.SetWalletLimits(customer_id=customer_id, account_id=account_id, **given)
    return await reply(caller, limits.set_wallet_limits, command)


@router.get(WALLET + "/{account_id}/limit-changes", response_model=limits.LimitChanges)
async def get_limit_changes(caller: Caller, customer_id: str, account_id: str) -> Response:
    command = limits.GetLimitChanges(customer_id=customer_id, account_id=account_id)
    return await reply(caller, limits.get_limit_changes, command)


@router.put(WALLET + "/{account_id}/auto-top-up", response_model=auto_top_ups.AutoTopUp)
async def set_auto_top_up(
    caller: Caller, customer_id: str, account_id: str, body: auto_top_ups.AutoTopUpFields
) -> Response:
    command = auto_top_ups.SetAutoTopUp(
        customer_id=customer_id, account_id=account_id, **dict(body)
    )
    return await reply(caller, auto_top_ups.set_auto_top_up, command)


@router.get(WALLET + "/{account_id}/auto-top-up", response_model=auto_top_ups.AutoTopUp)
async def get_auto_top_up(caller: Caller, customer_id: str, account_id: str) -> Response:
    command = auto_top_ups.GetAutoTopUp(customer_id=customer_id, account_id=account_id)
    return await reply(caller, auto_top_ups.get_auto_top_up, command)


@router.delete(WALLET + "/{account_id}/auto-top-up", response_model=auto_top_ups.AutoTopUp)
async def stop_auto_top_up(caller: Caller, customer_id: str, account_id: str) -> Response:
    command = auto_top_ups.StopAutoTopUp(customer_id=customer_id, account_id=account_id)
    return await reply(caller, auto_top_ups.stop_auto_top_up, command)


@router.get(WALLET + "/{account_id}/grants", response_model=wallets.GrantPage)
async def list_grants(
    caller: Caller,
    customer_id: str,
    account_id: str,
    query: Annotated[wallets.GrantFields, Query()],
) -> Response:
    command = wallets.ListGrants(customer_id=customer_id, account_id=account_id, **dict(query))
    return await reply(caller, wallets.list_grants, command)
