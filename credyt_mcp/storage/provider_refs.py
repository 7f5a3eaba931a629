"""Remembers what an account at a payment provider calls our customers and charges. The first word
stands."""

from __future__ import annotations

from sqlalchemy import exists
from sqlalchemy.orm import aliased
from sqlmodel import col, update

from credyt_mcp.storage import unique
from credyt_mcp.storage.database import Database
from credyt_mcp.storage.provider_tables import ProviderRefRow


class StoredReferences:
    def __init__(self, database: Database, provider: str, account: str) -> None:
        self._database = database
        self._provider = provider
        self._account = account

    def get(self, tenant_id: int, name: str) -> str | None:
        with self._database.read() as session:
            key = (tenant_id, self._provider, self._account, name)
            row = session.get(ProviderRefRow, key)
            return None if row is None else row.ref

    def keep(self, tenant_id: int, name: str, ref: str) -> str:
        row = ProviderRefRow(
            tenant_id=tenant_id,
            provider=self._provider,
            account=self._account,
            name=name,
            ref=ref,
        )
        with self._database.write() as session:
            if unique.save(session, row):
                return ref
            session.rollback()
        known = self.get(tenant_id, name)
        assert known is not None, "references are never removed"
        return known

    def adopt(self, *others: str) -> None:
        """Take over what was kept while this account was known by other names."""
        row, known = ProviderRefRow, aliased(ProviderRefRow)
        before = [name for name in others if name != self._account]
        taken = exists().where(
            col(known.tenant_id) == col(row.tenant_id),
            col(known.provider) == col(row.provider),
            col(known.account) == self._account,
            col(known.name) == col(row.name),
        )
        with self._database.write() as session:
            session.exec(
                update(row)
                .where(col(row.provider) == self._provider, col(row.account).in_(before), ~taken)
                .values(account=self._account)
                .execution_options(synchronize_session=False)
            )
