"""Fixed fees and entitlements of subscriptions, their payments, and saved cards in the sandbox."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _columns()
    _entitlements()
    _payments()
    _sandbox()


def _columns() -> None:
    for table, name, kind in (
        ("customers", "next_due_at", sa.BigInteger()),
        ("subscriptions", "activated_at", sa.BigInteger()),
        ("subscriptions", "details", sa.Text()),
        ("subscribed_versions", "anchor_at", sa.BigInteger()),
        ("subscribed_versions", "paid", sa.Text()),
        ("sandbox_sessions", "customer_key", sa.Text()),
    ):
        op.add_column(table, sa.Column(name, kind, nullable=True))
    op.add_column(
        "sandbox_sessions", sa.Column("save_card", sa.Integer(), nullable=False, server_default="0")
    )
    op.execute("UPDATE subscriptions SET activated_at = started_at")
    due = sa.text("next_due_at IS NOT NULL")
    op.create_index(
        "customers_due",
        "customers",
        ["tenant_id", "next_due_at"],
        sqlite_where=due,
        postgresql_where=due,
    )


def _entitlements() -> None:
    op.create_table(
        "entitlements",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("duration", sa.Text(), nullable=False),
        sa.Column("duration_count", sa.Integer(), nullable=False),
        sa.Column("anchor_at", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("tenant_id", "subscription_id", "product_id", "name", "asset"),
    )
    op.create_index("entitlements_customer", "entitlements", ["tenant_id", "customer_id"])


def _payments() -> None:
    op.create_table(
        "subscription_payments",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("period_from", sa.BigInteger(), nullable=False),
        sa.Column("period_to", sa.BigInteger(), nullable=True),
        sa.Column("lines", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=True),
        sa.Column("link", sa.Integer(), nullable=False),
        sa.Column("provider_ref", sa.Text(), nullable=True),
        sa.Column("redirect_url", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("tenant_id", "public_id"),
    )
    op.create_index(
        "subscription_payments_customer", "subscription_payments", ["tenant_id", "customer_id"]
    )
    asked = sa.text("status <> 'canceled'")
    op.create_index(
        "subscription_payments_once",
        "subscription_payments",
        ["tenant_id", "subscription_id", "kind", "period_from"],
        unique=True,
        sqlite_where=asked,
        postgresql_where=asked,
    )
    due = sa.text("next_attempt_at IS NOT NULL")
    op.create_index(
        "subscription_payments_due",
        "subscription_payments",
        ["tenant_id", "next_attempt_at"],
        sqlite_where=due,
        postgresql_where=due,
    )


def _sandbox() -> None:
    op.create_table(
        "sandbox_cards",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("customer_key", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "customer_key"),
    )
    op.create_table(
        "sandbox_charges",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "key"),
    )
