"""Automatic top-ups, customers' default cards, and several saved cards in the sandbox."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN = sa.text("status IN ('open', 'charging', 'waiting', 'confirming')")
DUE = sa.text("next_attempt_at IS NOT NULL")
TO_CHECK = sa.text("check_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("ledger_accounts", sa.Column("top_up_below", sa.BigInteger(), nullable=True))
    op.add_column("customers", sa.Column("default_card", sa.Text(), nullable=True))
    _rules()
    _charges()
    _sandbox()


def _rules() -> None:
    op.create_table(
        "auto_top_ups",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("threshold", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("provider_account", sa.Text(), nullable=False),
        sa.Column("card", sa.Text(), nullable=True),
        sa.Column("daily_count", sa.Integer(), nullable=True),
        sa.Column("monthly_count", sa.Integer(), nullable=True),
        sa.Column("daily_limit", sa.BigInteger(), nullable=True),
        sa.Column("monthly_limit", sa.BigInteger(), nullable=True),
        sa.Column("top_up_id", sa.Text(), nullable=True),
        sa.Column("check_at", sa.BigInteger(), nullable=True),
        sa.Column("consent", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("account_id"),
    )
    op.create_index("auto_top_ups_customer", "auto_top_ups", ["tenant_id", "customer_id"])
    op.create_index(
        "auto_top_ups_due",
        "auto_top_ups",
        ["tenant_id", "check_at"],
        sqlite_where=TO_CHECK,
        postgresql_where=TO_CHECK,
    )


def _charges() -> None:
    op.create_table(
        "auto_charges",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("top_up_id", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("asks", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("occasion", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("tenant_id", "top_up_id"),
    )
    op.create_index(
        "auto_charges_one_at_once",
        "auto_charges",
        ["account_id"],
        unique=True,
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
    op.create_index("auto_charges_account", "auto_charges", ["account_id", "id"])
    op.create_index(
        "auto_charges_due",
        "auto_charges",
        ["tenant_id", "next_attempt_at"],
        sqlite_where=DUE,
        postgresql_where=DUE,
    )


def _sandbox() -> None:
    op.create_table(
        "sandbox_payment_methods",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("customer_key", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("authenticated", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("tenant_id", "customer_key", "number"),
    )
    op.execute(
        "INSERT INTO sandbox_payment_methods"
        " (id, tenant_id, customer_key, number, authenticated, created_at)"
        " SELECT 'pm_' || tenant_id || '_' || customer_key, tenant_id, customer_key, number, 0, 0"
        " FROM sandbox_cards"
    )
    op.drop_table("sandbox_cards")
    op.add_column("sandbox_charges", sa.Column("code", sa.Text(), nullable=True))
    op.add_column(
        "sandbox_sessions",
        sa.Column("setup", sa.Integer(), nullable=False, server_default=sa.text("0")),
    )
    op.add_column("sandbox_sessions", sa.Column("card", sa.Text(), nullable=True))
