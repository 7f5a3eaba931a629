"""Refunds and disputes of top-ups, payments that others collect, the sandbox's books of both."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TO_POLL = sa.text("next_poll_at IS NOT NULL")
DISPUTES = sa.text("kind = 'dispute'")


def upgrade() -> None:
    op.create_table(
        "reversals",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("top_up_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("is_out", sa.Integer(), nullable=False),
        sa.Column("credit", sa.BigInteger(), nullable=False),
        sa.Column("frozen", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("taken", sa.Text(), nullable=False),
        sa.Column("movements", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("next_poll_at", sa.BigInteger(), nullable=True),
        sa.Column("polls", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("tenant_id", "public_id"),
        sa.UniqueConstraint("tenant_id", "provider", "external_id"),
    )
    op.create_index("reversals_top_up", "reversals", ["tenant_id", "top_up_id"])
    op.create_index("reversals_newest", "reversals", ["tenant_id", "kind", "id"])
    op.create_index(
        "reversals_disputed",
        "reversals",
        ["tenant_id", "customer_id"],
        sqlite_where=DISPUTES,
        postgresql_where=DISPUTES,
    )
    op.create_index(
        "reversals_to_poll",
        "reversals",
        ["next_poll_at"],
        sqlite_where=TO_POLL,
        postgresql_where=TO_POLL,
    )
    op.create_table(
        "external_payments",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.LargeBinary(16), nullable=False),
        sa.Column("transaction_key", sa.LargeBinary(16), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("refunded", sa.BigInteger(), nullable=False),
        sa.Column("grant_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "key"),
    )
    _sandbox()


def _sandbox() -> None:
    op.create_table(
        "sandbox_reversals",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("checkout_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("movements", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("tenant_id", "key"),
    )
    op.create_index("sandbox_reversals_payment", "sandbox_reversals", ["checkout_id"])
    op.create_index("sandbox_sessions_paid", "sandbox_sessions", ["tenant_id", "created_at"])
    op.add_column(
        "sandbox_sessions",
        sa.Column("refunds", sa.Text(), nullable=False, server_default="succeeded"),
    )
