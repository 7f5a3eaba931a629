"""Accounts at payment providers, and what a tenant set for its payments, as rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlmodel import Session, col, func, select, update

from credyt_mcp.storage.auto_top_up_tables import AutoChargeRow
from credyt_mcp.storage.payment_tables import SubscriptionPaymentRow, TopUpRow
from credyt_mcp.storage.provider_tables import PaymentAccountRow, PaymentSettingsRow
from credyt_mcp.storage.reversal_tables import ReversalRow
from credyt_mcp.storage.tables import TenantRow
from credyt_mcp.storage.webhook_tables import WebhookDestinationRow

ASKED = ("charging", "waiting")
"""States of an automatic charge that may be taking money."""


class Found(NamedTuple):
    account: PaymentAccountRow
    tenant: TenantRow


def find(session: Session, tenant_id: int, public_id: str) -> PaymentAccountRow | None:
    return session.exec(
        select(PaymentAccountRow).where(
            PaymentAccountRow.tenant_id == tenant_id, PaymentAccountRow.public_id == public_id
        )
    ).first()


def of_account(
    session: Session, tenant_id: int, provider: str, account: str
) -> PaymentAccountRow | None:
    row = PaymentAccountRow
    own = (row.tenant_id == tenant_id, row.provider == provider, row.account == account)
    return session.exec(select(row).where(*own)).first()


def of_tenant(session: Session, tenant_id: int) -> Sequence[PaymentAccountRow]:
    """The one that takes new payments first."""
    own = select(PaymentAccountRow).where(PaymentAccountRow.tenant_id == tenant_id)
    newest = own.order_by(col(PaymentAccountRow.active).desc(), col(PaymentAccountRow.id).desc())
    return session.exec(newest).all()


def active(session: Session, tenant_id: int) -> PaymentAccountRow | None:
    return session.exec(
        select(PaymentAccountRow).where(
            PaymentAccountRow.tenant_id == tenant_id, PaymentAccountRow.active == 1
        )
    ).first()


def at(
    session: Session, provider: str, account: str, tenant_ids: Sequence[int] | None = None
) -> Found | None:
    """Our access to that account of the provider: that of one of the tenants, or (None) anybody's;
    one with a key of its own before one that is connected."""
    row = PaymentAccountRow
    query = _whole().where(row.provider == provider, row.account == account)
    if tenant_ids is not None:
        query = query.where(col(row.tenant_id).in_(tenant_ids))
    return _first(session, query.order_by(col(row.connected), col(row.key_set_at).desc()))


def by_endpoint(session: Session, public_id: str) -> Found | None:
    """For a delivery, which names nothing but where it arrived."""
    return _first(session, _whole().where(PaymentAccountRow.public_id == public_id))


def every(session: Session) -> list[Found]:
    rows = session.exec(_whole().order_by(col(PaymentAccountRow.id)))
    return [Found(*row) for row in rows]


def make_active(session: Session, chosen: PaymentAccountRow) -> None:
    """It alone takes the tenant's new payments."""
    row = PaymentAccountRow
    session.exec(
        update(row)
        .where(col(row.tenant_id) == chosen.tenant_id, col(row.account) != chosen.account)
        .values(active=0)
    )
    chosen.active = 1
    session.add(chosen)


def open_payments(session: Session, account: PaymentAccountRow) -> int:
    """How many of the tenant's payments may still be paid, or charged, there, and how many refunds
    and disputes of them are not decided."""
    here, total = (account.provider, account.account), 0
    top_up, fee = TopUpRow, SubscriptionPaymentRow
    for table, provider, at, states in (
        (top_up, top_up.provider, top_up.provider_account, ("initiated", "pending")),
        (fee, fee.provider, fee.provider_account, ("open", "charging")),
        (fee, fee.charge_provider, fee.charge_account, ("charging",)),
    ):
        count = select(func.count()).select_from(table)
        own = (col(table.tenant_id) == account.tenant_id, col(table.status).in_(states))
        asked = col(table.next_poll_at).is_not(None) | (col(table.status) == "charging")
        total += session.exec(
            count.where(*own, asked, col(provider) == here[0], col(at) == here[1])
        ).one()
    return total + _undecided(session, account)


def _undecided(session: Session, account: PaymentAccountRow) -> int:
    """Automatic charges there that may be taking money, and what may go back of payments."""
    found = 0
    for name, tenant_id, is_open in (
        (AutoChargeRow.top_up_id, AutoChargeRow.tenant_id, col(AutoChargeRow.status).in_(ASKED)),
        (ReversalRow.top_up_id, ReversalRow.tenant_id, col(ReversalRow.settled_at).is_(None)),
    ):
        of_account = (
            col(TopUpRow.tenant_id) == account.tenant_id,
            col(TopUpRow.provider) == account.provider,
            col(TopUpRow.provider_account) == account.account,
        )
        its_own = (col(tenant_id) == TopUpRow.tenant_id, col(name) == TopUpRow.public_id)
        count = select(func.count()).select_from(TopUpRow)
        found += session.exec(count.where(*of_account, *its_own, is_open)).one()
    return found


def reseal(session: Session, anew: Callable[[str], str]) -> int:
    """Rows whose secrets were sealed anew."""
    accounts = session.exec(select(PaymentAccountRow)).all()
    for account in accounts:
        if account.secret_key is not None:
            account.secret_key = anew(account.secret_key)
        if account.webhook_secrets is not None:
            account.webhook_secrets = anew(account.webhook_secrets)
        session.add(account)
    destinations = session.exec(select(WebhookDestinationRow)).all()
    for destination in destinations:
        destination.secret = anew(destination.secret)
        session.add(destination)
    return len(accounts) + len(destinations)


def settings(session: Session, tenant_id: int) -> PaymentSettingsRow:
    """What the tenant set; where it set nothing, a row that says so and is not stored."""
    found = session.get(PaymentSettingsRow, tenant_id)
    return found or PaymentSettingsRow(tenant_id=tenant_id)


def _whole() -> Any:
    return select(PaymentAccountRow, TenantRow).join(
        TenantRow, col(TenantRow.id) == col(PaymentAccountRow.tenant_id)
    )


def _first(session: Session, query: Any) -> Found | None:
    row = session.exec(query.limit(1)).first()
    return None if row is None else Found(*row)
