"""Sessions of the billing portal: a link for a customer, and what it lets a browser do.

The link's token is exchanged for a browser key that is derived from it, so opening the link writes
nothing: opening it twice, or by a mail program's preview, does no harm. The key does not lead back
to the token, and only the key's hash is stored.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, NamedTuple

from pydantic import Field

from credyt_mcp.errors import LinkExpired, UnknownReference
from credyt_mcp.ids import new_secret, secret_hash
from credyt_mcp.storage import billing_portal, customers
from credyt_mcp.storage.payment_tables import PortalSessionRow
from credyt_mcp.storage.tables import CustomerRow
from credyt_mcp.use_cases.context import Billing, Command, Result
from credyt_mcp.use_cases.keys import as_tenant
from credyt_mcp.use_cases.return_urls import check_return_url
from credyt_mcp.use_cases.subscriptions import CustomerId

LINK_LASTS = timedelta(minutes=10)
SESSION_LASTS = timedelta(hours=1)
REMEMBERED = timedelta(days=30)
"""How long an old session still leads to its `failure_url`."""

Url = Annotated[str, Field(max_length=2000)]


class CreatePortalSession(Command):
    """A link, good for ten minutes, that signs a customer in to their billing page."""

    customer_id: CustomerId
    return_url: Annotated[Url, Field(description="where the page leads back to")]
    failure_url: Annotated[Url, Field(description="where an expired link or session leads to")]


class PortalSession(Result):
    redirect_url: str
    expires_at: datetime


class EnterPortal(Command):
    token: str


class PortalEntered(Result):
    """`key` is what the browser shows from now on, for as many seconds."""

    key: str
    lasts_seconds: int


class Guest(NamedTuple):
    """Who is signed in: the system as their tenant sees it, the customer, and the way back."""

    billing: Billing
    customer: CustomerRow
    return_url: str


def create_portal_session(billing: Billing, command: CreatePortalSession) -> PortalSession:
    """Raises UnknownReference (customer), InvalidRequest for a URL that is not allowed."""
    for field in ("return_url", "failure_url"):
        check_return_url(billing, getattr(command, field), field)
    token, now = new_secret("bps"), billing.clock.now()
    with billing.database.write() as session:
        customer = customers.find(session, billing.tenant.id, command.customer_id)
        if customer is None:
            raise UnknownReference("customer_id", f"there is no customer '{command.customer_id}'")
        row = PortalSessionRow(
            tenant_id=billing.tenant.id,
            customer_id=customer.id,
            key_hash=secret_hash(_key_of(token)),
            return_url=command.return_url,
            failure_url=command.failure_url,
            created_at=now,
            link_expires_at=now + LINK_LASTS,
            expires_at=now + SESSION_LASTS,
        )
        billing_portal.add(session, row, forget_before=now - REMEMBERED)
    address = billing.settings.public_url.rstrip("/")
    return PortalSession(
        redirect_url=f"{address}/portal/sign-in?token={token}", expires_at=now + LINK_LASTS
    )


def enter_portal(billing: Billing, command: EnterPortal) -> PortalEntered:
    """Exchange a link's token for a browser key. Raises LinkExpired."""
    key = _key_of(command.token)
    row, _ = _session(billing, key)
    now = billing.clock.now()
    if now >= row.link_expires_at:
        raise LinkExpired("this link has expired", failure_url=row.failure_url)
    return PortalEntered(key=key, lasts_seconds=(row.expires_at - now) // timedelta(seconds=1))


def guest_of(billing: Billing, key: str) -> Guest:
    """Who shows that key. Raises LinkExpired when the session has ended, or never was."""
    row, guest = _session(billing, key)
    if billing.clock.now() >= row.expires_at:
        raise LinkExpired("this session has ended", failure_url=row.failure_url)
    return guest


def _session(billing: Billing, key: str) -> tuple[PortalSessionRow, Guest]:
    with billing.database.read() as session:
        found = billing_portal.get(session, secret_hash(key))
    if found is None:
        raise LinkExpired("this link is not known here")
    row, customer, tenant = found
    return row, Guest(billing.as_tenant(as_tenant(tenant)), customer, row.return_url)


def _key_of(token: str) -> str:
    return secret_hash(f"portal browser key of {token}").hex()
