"""Rollups of revenue and cost, what grants are worth, cost ids that count once."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("grants", sa.Column("basis", sa.Text(), nullable=True))
    op.create_table(
        "rollups",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("dimension", "name", "detail", "currency")
        ),
        sa.Column("shard", sa.Integer(), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("revenue", "revenue_rest", "costs", "costs_rest", "events")
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "day", "dimension", "name", "detail", "currency", "shard"
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("rollups_named", "rollups", ["tenant_id", "dimension", "name", "day"])
    op.create_table(
        "cost_ids",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.LargeBinary(16), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "key"),
        sqlite_with_rowid=False,
    )
