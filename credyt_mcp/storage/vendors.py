"""Vendors: whom the tenant pays for what an event cost."""

from __future__ import annotations

import anyio
from sqlmodel import Session, col, func, or_, select

from credyt_mcp.storage.database import Database
from credyt_mcp.storage.tables import VendorRow

KNOWN_MAX = 10_000


def find(session: Session, tenant_id: int, name: str) -> VendorRow | None:
    """The vendor of that id or external id."""
    rows = session.exec(
        select(VendorRow).where(
            VendorRow.tenant_id == tenant_id,
            or_(col(VendorRow.public_id) == name, col(VendorRow.external_id) == name),
        )
    ).all()
    return next((row for row in rows if row.public_id == name), rows[0] if rows else None)


def page(
    session: Session, tenant_id: int, external_id: str | None, offset: int, limit: int
) -> tuple[list[VendorRow], int]:
    """Vendors newest first, and how many there are."""
    conditions = [col(VendorRow.tenant_id) == tenant_id]
    if external_id is not None:
        conditions.append(col(VendorRow.external_id) == external_id)
    total = session.exec(select(func.count()).select_from(VendorRow).where(*conditions)).one()
    newest = select(VendorRow).where(*conditions).order_by(col(VendorRow.id).desc())
    return list(session.exec(newest.offset(offset).limit(limit))), total


class KnownVendors:
    """Vendors as costs name them: both ids by either. Read once and kept, since neither changes
    and no vendor is deleted; an unknown name is asked for again."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[tuple[int, str], tuple[str, str | None]] = {}

    async def get(self, tenant_id: int, names: set[str]) -> dict[str, tuple[str, str | None]]:
        """Public and external id of those of `names` that exist."""
        if any((tenant_id, name) not in self._known for name in names):
            await anyio.to_thread.run_sync(self._read, tenant_id, names)
        return self._of(tenant_id, names)

    def read(self, tenant_id: int, names: set[str]) -> dict[str, tuple[str, str | None]]:
        """The same, for callers that are in a thread of their own."""
        if any((tenant_id, name) not in self._known for name in names):
            self._read(tenant_id, names)
        return self._of(tenant_id, names)

    def _of(self, tenant_id: int, names: set[str]) -> dict[str, tuple[str, str | None]]:
        known = {name: self._known.get((tenant_id, name)) for name in names}
        return {name: ids for name, ids in known.items() if ids is not None}

    def _read(self, tenant_id: int, names: set[str]) -> None:
        if len(self._known) > KNOWN_MAX:
            self._known.clear()
        with self._database.read() as session:
            for name in names:
                row = find(session, tenant_id, name)
                if row is not None:
                    self._known[tenant_id, name] = (row.public_id, row.external_id)
