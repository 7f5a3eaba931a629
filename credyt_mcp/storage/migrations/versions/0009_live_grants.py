"""Grants say whether they are live, for indexes that a debit need not touch."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

LIVE = sa.text("live = 1")


def upgrade() -> None:
    op.drop_index("grants_open", "grants")
    op.drop_index("grants_expiring", "grants")
    op.add_column("grants", sa.Column("live", sa.Integer(), nullable=False, server_default="1"))
    op.execute("UPDATE grants SET live = 0 WHERE remaining <= 0")
    for name, columns in (
        ("grants_live", ["account_id"]),
        ("grants_expiring", ["tenant_id", "expires_at"]),
    ):
        op.create_index(name, "grants", columns, sqlite_where=LIVE, postgresql_where=LIVE)
