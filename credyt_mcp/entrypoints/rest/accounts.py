"""REST routes of accounts: one's own, and a platform's connected ones. Translation only.

`/accounts/self` comes before `{connected_account_id}`, which would match it too.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from credyt_mcp.entrypoints.rest.auth import Caller
from credyt_mcp.entrypoints.rest.replies import ExactRoute, reply
from credyt_mcp.use_cases import accounts

router = APIRouter(prefix="/accounts", tags=["accounts"], route_class=ExactRoute)


@router.post("", status_code=201, response_model=accounts.AccountCreated)
async def create_connected_account(
    caller: Caller, body: accounts.CreateConnectedAccount
) -> Response:
    return await reply(caller, accounts.create_connected_account, body, 201)


@router.get("", response_model=accounts.ConnectedAccountPage)
async def list_connected_accounts(
    caller: Caller, query: Annotated[accounts.ListConnectedAccounts, Query()]
) -> Response:
    return await reply(caller, accounts.list_connected_accounts, query)


@router.get("/self", response_model=accounts.AccountContext)
async def get_account_context(caller: Caller) -> Response:
    return await reply(caller, accounts.get_account_context, accounts.GetAccountContext())


@router.get("/{connected_account_id}", response_model=accounts.ConnectedAccount)
async def get_connected_account(caller: Caller, connected_account_id: str) -> Response:
    command = accounts.GetConnectedAccount(account_id=connected_account_id)
    return await reply(caller, accounts.get_connected_account, command)
