"""Who is calling: from a request's headers to the running system seen as a tenant, with what the
key may do. The same for REST and MCP."""

from __future__ import annotations

from collections.abc import Mapping

from credyt_mcp.errors import Unauthorized
from credyt_mcp.use_cases.context import Billing
from credyt_mcp.use_cases.key_ring import KeyRing


async def authenticate(keys: KeyRing, billing: Billing, headers: Mapping[str, str]) -> Billing:
    """By X-CREDYT-API-KEY, or else a bearer token, and for the account that X-CREDYT-ACCOUNT
    names; header names in lower case.

    Raises Unauthorized without a good key, Forbidden for an account that the key cannot act for,
    RateLimited for a key that asks too often.
    """
    key = headers.get("x-credyt-api-key")
    if key is None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        key = token if scheme.lower() == "bearer" else None
    if not key:
        raise Unauthorized("the request has no API key")
    caller = await keys.admit(key.strip(), headers.get("x-credyt-account"))
    return billing.as_tenant(caller.tenant, caller.key_id, caller.scopes)
