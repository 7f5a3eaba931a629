"""Who is calling: an API key from a request's headers to a tenant. The same for REST and MCP."""

from __future__ import annotations

from collections.abc import Mapping

from credyt_mcp.errors import Forbidden, Unauthorized
from credyt_mcp.use_cases.keys import Caller, KeyRing


async def authenticate(keys: KeyRing, headers: Mapping[str, str]) -> Caller:
    """The caller by X-CREDYT-API-KEY, or else of a bearer token; header names in lower case.

    Raises Unauthorized without a good key, Forbidden for another account in X-CREDYT-ACCOUNT.
    """
    key = headers.get("x-credyt-api-key")
    if key is None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        key = token if scheme.lower() == "bearer" else None
    if not key:
        raise Unauthorized("the request has no API key")
    key = key.strip()
    caller = await keys.caller(key)
    account = headers.get("x-credyt-account")
    if account is not None and account != caller.tenant.account_id:
        raise Forbidden("X-CREDYT-ACCOUNT names an account that is not this key's")
    return caller
