"""Clocks of test environments, and indexes by which credit that is due is found."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0003"
branch_labels = None
depends_on = None

OPEN, DEFERRED = sa.text("remaining > 0"), sa.text("booked = 0")


def upgrade() -> None:
    offset = sa.Column("clock_offset", sa.BigInteger(), nullable=False, server_default="0")
    op.add_column("tenants", offset)
    op.create_index(
        "grants_expiring",
        "grants",
        ["tenant_id", "expires_at"],
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
    op.create_index(
        "grants_deferred",
        "grants",
        ["tenant_id", "effective_at"],
        sqlite_where=DEFERRED,
        postgresql_where=DEFERRED,
    )
