"""Accounts at payment providers, whose payment is whose, and what an account set for payments."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN = sa.text("next_poll_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "payment_accounts",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("connected", sa.Integer(), nullable=False),
        sa.Column("secret_key", sa.Text(), nullable=True),
        sa.Column("shown", sa.Text(), nullable=True),
        sa.Column("restricted", sa.Integer(), nullable=False),
        sa.Column("webhook_secrets", sa.Text(), nullable=True),
        sa.Column("fee_percent", sa.Text(), nullable=True),
        sa.Column("active", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("key_set_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("public_id"),
        sa.UniqueConstraint("tenant_id", "provider", "account"),
    )
    op.create_index("payment_accounts_at", "payment_accounts", ["provider", "account"])
    op.create_table(
        "payment_settings",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("return_url_hosts", sa.Text(), nullable=True),
        sa.Column("limits", sa.Text(), nullable=True),
        sa.Column("automatic_tax", sa.Integer(), nullable=False),
        sa.Column("invoices", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id"),
    )
    # Payments of before are of the one account that the server's own key was for.
    op.add_column(
        "top_ups",
        sa.Column("provider_account", sa.Text(), nullable=False, server_default=sa.text("''")),
    )
    for name in ("provider", "provider_account", "charge_provider", "charge_account"):
        op.add_column("subscription_payments", sa.Column(name, sa.Text(), nullable=True))
    op.add_column("subscription_payments", sa.Column("next_poll_at", sa.BigInteger()))
    op.add_column(
        "subscription_payments",
        sa.Column("polls", sa.Integer(), nullable=False, server_default=sa.text("0")),
    )
    op.execute(
        "UPDATE subscription_payments SET provider_account = '',"
        " provider = CASE WHEN provider_ref LIKE 'sbx%' THEN 'sandbox' ELSE 'stripe' END,"
        " next_poll_at = CASE WHEN status = 'open' THEN created_at END"
        " WHERE provider_ref IS NOT NULL"
    )
    op.create_index(
        "subscription_payments_to_poll",
        "subscription_payments",
        ["next_poll_at"],
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
    _key_references_by_account()


def _key_references_by_account() -> None:
    """Rows of before stay without one, until the server's key says whose they are."""
    if op.get_bind().dialect.name != "sqlite":
        op.add_column(
            "provider_refs",
            sa.Column("account", sa.Text(), nullable=False, server_default=sa.text("''")),
        )
        op.drop_constraint("provider_refs_pkey", "provider_refs", type_="primary")
        op.create_primary_key(
            "provider_refs_pkey", "provider_refs", ["tenant_id", "provider", "account", "name"]
        )
        return
    op.rename_table("provider_refs", "provider_refs_before")
    op.create_table(
        "provider_refs",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "provider", "account", "name"),
    )
    op.execute(
        "INSERT INTO provider_refs (tenant_id, provider, account, name, ref)"
        " SELECT tenant_id, provider, '', name, ref FROM provider_refs_before"
    )
    op.drop_table("provider_refs_before")
