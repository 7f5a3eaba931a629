"""Costs of model calls: own prices, calls without a price; the end user of an event."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("events", sa.Column("user_id", sa.Text(), nullable=True))
    op.create_table(
        "llm_prices",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("tenant_id", "provider", "model", "valid_from"),
    )
    op.create_table(
        "unpriced_costs",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.LargeBinary(16), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("booked_at", sa.BigInteger(), nullable=False),
        sa.Column("late", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "key"),
    )
    is_open = sa.text("late IS NULL")
    op.create_index(
        "unpriced_costs_open",
        "unpriced_costs",
        ["tenant_id", "key"],
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    op.create_index("unpriced_costs_event", "unpriced_costs", ["event_id"])
