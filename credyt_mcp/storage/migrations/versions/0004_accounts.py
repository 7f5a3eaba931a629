"""Connected accounts of a platform; scopes and last use of API keys."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tenants", sa.Column("parent_id", sa.Integer(), nullable=True))
    op.add_column("tenants", sa.Column("external_id", sa.Text(), nullable=True))
    op.add_column("tenants", sa.Column("details", sa.Text(), nullable=True))
    op.create_index("tenants_connected", "tenants", ["parent_id", "external_id"], unique=True)
    # Keys that exist may do what they could do before.
    scopes = sa.Column("scopes", sa.Text(), nullable=False, server_default="read write money admin")
    op.add_column("api_keys", scopes)
    op.add_column("api_keys", sa.Column("last_used_at", sa.BigInteger(), nullable=True))
