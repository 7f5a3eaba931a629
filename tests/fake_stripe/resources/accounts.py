"""The account itself."""

from __future__ import annotations

from typing import Any

from stripe import params

from tests.fake_stripe.account import Account, Object
from tests.fake_stripe.routes import route


@route("GET /v1/account", params.AccountRetrieveCurrentParams)
def current(account: Account, _: dict[str, Any]) -> Object:
    return {"id": account.id, "object": "account"}
