"""Clocks of test environments, and indexes by which what is due is found for each tenant."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    offset = sa.Column("clock_offset", sa.BigInteger(), nullable=False, server_default="0")
    op.add_column("tenants", offset)
    for name, table, moment, wanted in (
        ("authorizations_expiring", "authorizations", "expires_at", "status = 'open'"),
        ("grants_expiring", "grants", "expires_at", "remaining > 0"),
        ("grants_deferred", "grants", "effective_at", "booked = 0"),
    ):
        only = sa.text(wanted)
        columns = ["tenant_id", moment]
        op.create_index(name, table, columns, sqlite_where=only, postgresql_where=only)
