"""Callers of use cases beside the default test account that `call` is."""

from __future__ import annotations

import typing
from typing import Any

from credyt_mcp.use_cases.context import Billing, perform
from credyt_mcp.use_cases.keys import default_tenant
from tests.conftest import Call


def caller(billing: Billing) -> Call:
    """`call` for whatever system and account that is."""

    async def call(use_case: Any, **fields: Any) -> Any:
        command = typing.get_type_hints(use_case)["command"]
        return await perform(billing, use_case, command.model_validate(fields))

    return call


def live(billing: Billing) -> Call:
    """The same account's live environment."""
    return caller(billing.as_tenant(default_tenant(billing.database, billing.clock, "live")))
