"""Outgoing webhooks: notices become their outbox; destinations and deliveries."""

from decimal import Decimal

import sqlalchemy as sa
from alembic import op

from credyt_mcp import exact_json
from credyt_mcp.ids import new_id

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
PENDING = sa.text("state = 'pending'")
IN_LINE = sa.text("state = 'pending' AND object IS NOT NULL")
TO_DISPATCH = sa.text("dispatched = 0")


def upgrade() -> None:
    op.add_column("grants", _flag("expiring_noticed"))
    _notices()
    op.create_table(
        "webhook_destinations",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("topics", sa.Text(), nullable=False),
        sa.Column("connect", sa.Integer(), nullable=False),
        sa.Column("enabled", sa.Integer(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("tenant_id", "public_id"),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("notice_id", sa.BigInteger(), nullable=False),
        sa.Column("destination_id", sa.BigInteger(), nullable=False),
        sa.Column("object", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("replays", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=True),
        sa.Column("leased_until", sa.BigInteger(), nullable=True),
        sa.Column("first_attempt_at", sa.BigInteger(), nullable=True),
        sa.Column("successful_at", sa.BigInteger(), nullable=True),
        sa.Column("failed_at", sa.BigInteger(), nullable=True),
        sa.Column("response_status", sa.Integer(), nullable=True),
        sa.Column("response_text", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("tenant_id", "notice_id", "destination_id"),
    )
    op.create_index("webhook_deliveries_newest", "webhook_deliveries", ["tenant_id", "id"])
    for name, columns, where in (
        ("webhook_deliveries_due", ["next_attempt_at", "destination_id"], PENDING),
        ("webhook_deliveries_order", ["destination_id", "object", "id"], IN_LINE),
    ):
        op.create_index(
            name, "webhook_deliveries", columns, sqlite_where=where, postgresql_where=where
        )


def _notices() -> None:
    empty = sa.Column("public_id", sa.Text(), nullable=False, server_default="")
    op.add_column("notices", empty)
    op.add_column("notices", sa.Column("once_key", sa.LargeBinary(16), nullable=True))
    op.add_column("notices", _flag("dispatched"))
    op.add_column("notices", _flag("is_test"))
    _rewrite_old_notices(op.get_bind())
    op.create_index("notices_public", "notices", ["public_id", "tenant_id"], unique=True)
    op.create_index("notices_once", "notices", ["tenant_id", "once_key"], unique=True)
    op.create_index(
        "notices_to_dispatch",
        "notices",
        ["tenant_id", "id"],
        sqlite_where=TO_DISPATCH,
        postgresql_where=TO_DISPATCH,
    )


def _rewrite_old_notices(connection: sa.Connection) -> None:
    """Their data was ledger units, and their ids came from the lane's sequence."""
    old = connection.execute(
        sa.text(
            "SELECT n.id, n.details, n.created_at, c.public_id, a.name, a.asset, s.scale"
            " FROM notices n JOIN customers c ON c.id = n.customer_id"
            " JOIN ledger_accounts a ON a.id = n.account_id"
            " LEFT JOIN assets s ON s.tenant_id = n.tenant_id AND s.code = a.asset"
        )
    )
    for row in old.mappings().all():
        units = exact_json.loads(row["details"])
        scale = 9 if row["scale"] is None else row["scale"]
        data = {
            "customer_id": row["public_id"],
            "account_id": f"{row['name']}:{row['asset']}",
            "asset": row["asset"],
            **{name: Decimal(value).scaleb(-scale) for name, value in units.items()},
        }
        connection.execute(
            sa.text(
                "UPDATE notices SET public_id = :public_id, details = :data, dispatched = 1"
                " WHERE id = :id"
            ),
            {
                "public_id": new_id("evt"),
                "data": exact_json.dumps(data).decode(),
                "id": row["id"],
            },
        )
    if connection.dialect.name == "postgresql":
        connection.execute(
            sa.text(
                "SELECT setval(pg_get_serial_sequence('notices', 'id'),"
                " coalesce(max(id), 0) + 1, false) FROM notices"
            )
        )


def _flag(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.Integer(), nullable=False, server_default="0")
