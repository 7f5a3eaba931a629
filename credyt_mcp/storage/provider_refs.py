"""Remembers what a payment provider calls our customers and charges. The first word stands."""

from __future__ import annotations

from credyt_mcp.storage import unique
from credyt_mcp.storage.database import Database
from credyt_mcp.storage.provider_tables import ProviderRefRow


class StoredReferences:
    def __init__(self, database: Database, provider: str) -> None:
        self._database = database
        self._provider = provider

    def get(self, tenant_id: int, name: str) -> str | None:
        with self._database.read() as session:
            row = session.get(ProviderRefRow, (tenant_id, self._provider, name))
            return None if row is None else row.ref

    def keep(self, tenant_id: int, name: str, ref: str) -> str:
        row = ProviderRefRow(tenant_id=tenant_id, provider=self._provider, name=name, ref=ref)
        with self._database.write() as session:
            if unique.save(session, row):
                return ref
            session.rollback()
        known = self.get(tenant_id, name)
        assert known is not None, "references are never removed"
        return known
