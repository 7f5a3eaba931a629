"""Which machines a webhook may be sent to. A tenant chooses the URL, so that without a check here
this server could be made to call what only it can reach: itself, its neighbours, a cloud's metadata
service. The name is resolved once, and the address that was checked is the one connected to."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Awaitable, Callable

import anyio

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Addresses of a host, in the order to try them. Raises OSError when there are none."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(Exception):
    """The destination is no place that we connect to."""


async def resolve(host: str, port: int) -> list[str]:
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def reachable(
    host: str, port: int, *, allow_private: bool, resolve: Resolve = resolve
) -> list[str]:
    """Addresses of `host` to connect to. Raises Refused when it has none that is public, unless
    `allow_private`, or no address at all."""
    try:
        found = await resolve(host, port)
    except (OSError, UnicodeError):
        raise Refused(f"the host name '{host}' was not found") from None
    allowed = [one for one in found if allow_private or is_public(one)]
    if not allowed:
        raise Refused(f"'{host}' is at {', '.join(found) or 'no address'}, which is not public")
    return allowed


def is_public(text: str) -> bool:
    """Whether an address is on the public internet, also judged by an IPv4 address inside it."""
    try:
        address: Address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is not None:
            return is_public(str(inner))
        if address.is_site_local:
            return False
    # What is reserved holds NAT64 (64:ff9b::/96), too, which leads to any IPv4 address.
    return address.is_global and not address.is_multicast and not address.is_reserved
