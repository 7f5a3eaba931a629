"""Replays of recorded usage under other prices."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "replays",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("tenant_id", "public_id"),
    )
    op.create_table(
        "replayed_customers",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("replay_id", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("rise", sa.BigInteger(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "replay_id", "customer_id"),
    )
    op.create_index(
        "replayed_customers_rise", "replayed_customers", ["tenant_id", "replay_id", "rise"]
    )
