"""The inbox of payment providers' events, their names for our things, and when to ask them."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NOT_DONE = sa.text("done_at IS NULL")
OPEN = sa.text("next_poll_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "provider_events",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Integer(), nullable=False),
        sa.Column("object_kind", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("provider", "account", "event_id"),
    )
    op.create_index(
        "provider_events_due",
        "provider_events",
        ["next_attempt_at"],
        sqlite_where=NOT_DONE,
        postgresql_where=NOT_DONE,
    )
    op.create_table(
        "provider_refs",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "provider", "name"),
    )
    op.add_column("top_ups", sa.Column("next_poll_at", sa.BigInteger(), nullable=True))
    op.add_column(
        "top_ups", sa.Column("polls", sa.Integer(), nullable=False, server_default=sa.text("0"))
    )
    op.execute(
        "UPDATE top_ups SET next_poll_at = created_at WHERE status IN ('initiated', 'pending')"
    )
    op.create_index(
        "top_ups_to_poll",
        "top_ups",
        ["next_poll_at"],
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
