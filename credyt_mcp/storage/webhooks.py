"""Destinations of webhooks: find, lock, list and delete them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, col, delete, func, or_, select

from credyt_mcp.storage.webhook_tables import WebhookDeliveryRow, WebhookDestinationRow


def find(
    session: Session, tenant_id: int, public_id: str, *, lock: bool = False
) -> WebhookDestinationRow | None:
    query = select(WebhookDestinationRow).where(
        WebhookDestinationRow.tenant_id == tenant_id, WebhookDestinationRow.public_id == public_id
    )
    return session.exec(query.with_for_update() if lock else query).first()


def lock(session: Session, destination_id: int) -> WebhookDestinationRow | None:
    """The destination, if it still exists; nobody else changes what is due there until we end."""
    query = select(WebhookDestinationRow).where(WebhookDestinationRow.id == destination_id)
    return session.exec(query.with_for_update()).first()


def of_tenant(
    session: Session, tenant_id: int, *, enabled: bool | None = None, connect: bool | None = None
) -> Sequence[WebhookDestinationRow]:
    """Destinations, newest first. What is None does not narrow."""
    query = select(WebhookDestinationRow).where(WebhookDestinationRow.tenant_id == tenant_id)
    if enabled is not None:
        query = query.where(WebhookDestinationRow.enabled == int(enabled))
    if connect is not None:
        query = query.where(WebhookDestinationRow.connect == int(connect))
    return session.exec(query.order_by(col(WebhookDestinationRow.id).desc())).all()


def listening(
    session: Session, tenant_id: int, platform_id: int | None = None
) -> Sequence[WebhookDestinationRow]:
    """Destinations that are sent what happens to a tenant: its own, and those of its platform that
    ask for connected accounts; locked, in order of their ids."""
    tenant, connect = WebhookDestinationRow.tenant_id, WebhookDestinationRow.connect
    own = (col(tenant) == tenant_id) & (col(connect) == 0)
    theirs = (col(tenant) == platform_id) & (col(connect) == 1)
    query = select(WebhookDestinationRow).where(
        own if platform_id is None else or_(own, theirs), WebhookDestinationRow.enabled == 1
    )
    return session.exec(query.order_by(col(WebhookDestinationRow.id)).with_for_update()).all()


def count(session: Session, tenant_id: int) -> int:
    own = WebhookDestinationRow.tenant_id == tenant_id
    return session.exec(select(func.count()).select_from(WebhookDestinationRow).where(own)).one()


def remove(session: Session, row: WebhookDestinationRow) -> None:
    """The destination with all that was, or was to be, sent there. It must be locked."""
    session.exec(delete(WebhookDeliveryRow).where(col(WebhookDeliveryRow.destination_id) == row.id))
    session.delete(row)
