"""Costs by a written rule: what is shared, who uses it, whose data went into whose requests; events
by end user."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cost_rules",
        sa.Column("tenant_id", sa.Integer(), primary_key=True),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "shared_costs",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.LargeBinary(16), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("shared_key", sa.Text(), nullable=False),
        sa.Column("first_day", sa.Integer(), nullable=False),
        sa.Column("last_day", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("allocation", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "key"),
    )
    is_open = sa.text("allocation IS NULL")
    op.create_index(
        "shared_costs_due",
        "shared_costs",
        ["tenant_id", "due_at"],
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    op.create_table(
        "shared_uses",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("uses", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "pool", "day", "customer_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "cost_dependencies",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "event_id", "customer_id"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "cost_dependencies_customer",
        "cost_dependencies",
        ["tenant_id", "customer_id", "event_id"],
    )
    has_user = sa.text("user_id IS NOT NULL")
    op.create_index(
        "events_user",
        "events",
        ["user_id", "id"],
        sqlite_where=has_user,
        postgresql_where=has_user,
    )
