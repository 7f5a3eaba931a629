"""Tables of tenants, catalogue and customers; the ledger's are in ledger_tables.py, those of
payments in payment_tables.py. Declarations only: queries live beside the noun they serve, the
lane's in book.py.

Every row carries `tenant_id`, one number for account x environment, and every unique key starts
with it, so that a distributed Postgres can shard on it and no query can forget it unnoticed.
Amounts are integers in the asset's ledger scale. Rows of the ledger are never updated or deleted.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from credyt_mcp.storage.types import ExactDecimal, ExactJson, Micros, RowId


class TenantRow(SQLModel, table=True):
    """An account in one environment: `test` and `live` are two tenants that never meet.

    `parent_id` is the tenant of the platform that made it; such an account has one environment.
    `clock_offset` is how far a test environment's clock is ahead of real time, in microseconds.
    """

    __tablename__ = "tenants"
    __table_args__ = (
        UniqueConstraint("account_id", "environment"),
        Index("tenants_connected", "parent_id", "external_id", unique=True),
    )

    id: int = Field(default=None, primary_key=True)
    account_id: str = Field(sa_type=Text)
    account_name: str = Field(sa_type=Text)
    environment: str = Field(sa_type=Text)
    parent_id: int | None = None
    external_id: str | None = Field(default=None, sa_type=Text)
    details: Any = Field(default=None, nullable=True, sa_type=ExactJson)
    clock_offset: int = Field(default=0, sa_type=BigInteger)
    created_at: datetime = Field(sa_type=Micros)


class ApiKeyRow(SQLModel, table=True):
    """`scopes` are words with blanks between. `last_used_at` is at most about a minute behind."""

    __tablename__ = "api_keys"
    __table_args__ = (UniqueConstraint("key_hash"),)

    id: str = Field(sa_type=Text, primary_key=True)
    tenant_id: int = Field(index=True)
    name: str = Field(sa_type=Text)
    shown: str = Field(sa_type=Text)
    key_hash: bytes
    scopes: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=Micros)
    last_used_at: datetime | None = Field(default=None, sa_type=Micros)
    revoked_at: datetime | None = Field(default=None, sa_type=Micros)


class AssetRow(SQLModel, table=True):
    """A custom asset. Currencies are known without a row, see `domain.assets`."""

    __tablename__ = "assets"
    __table_args__ = (UniqueConstraint("tenant_id", "code_folded"),)

    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    tenant_id: int
    code: str = Field(sa_type=Text)
    code_folded: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    precision: int
    scale: int
    label: str = Field(sa_type=Text)
    symbol: str | None = Field(default=None, sa_type=Text)
    created_at: datetime = Field(sa_type=Micros)


class RateRow(SQLModel, table=True):
    """Price of one unit of an asset in `source` from `valid_from` on, until a later row."""

    __tablename__ = "asset_rates"
    __table_args__ = (Index("asset_rates_asset", "tenant_id", "asset_id", "source", "valid_from"),)

    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    tenant_id: int
    asset_id: int = Field(sa_type=BigInteger)
    source: str = Field(sa_type=Text)
    rate: Decimal = Field(sa_type=ExactDecimal)
    valid_from: datetime = Field(sa_type=Micros)
    valid_to: datetime | None = Field(default=None, sa_type=Micros)
    created_at: datetime = Field(sa_type=Micros)


class ProductRow(SQLModel, table=True):
    __tablename__ = "products"
    __table_args__ = (
        UniqueConstraint("tenant_id", "code"),
        UniqueConstraint("tenant_id", "public_id"),
    )

    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    tenant_id: int
    public_id: str = Field(sa_type=Text)
    code: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    default_version: int | None = None
    archived_at: datetime | None = Field(default=None, sa_type=Micros)
    created_at: datetime = Field(sa_type=Micros)


class VersionRow(SQLModel, table=True):
    """A version of a product. Once `published_at` is set, nothing but `status` changes."""

    __tablename__ = "product_versions"
    __table_args__ = (UniqueConstraint("tenant_id", "product_id", "version"),)

    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    tenant_id: int
    product_id: int = Field(sa_type=BigInteger)
    version: int
    status: str = Field(sa_type=Text)
    entitlements: Any = Field(sa_type=ExactJson)
    published_at: datetime | None = Field(default=None, sa_type=Micros)
    created_at: datetime = Field(sa_type=Micros)


class PriceRow(SQLModel, table=True):
    __tablename__ = "prices"
    __table_args__ = (UniqueConstraint("tenant_id", "version_id", "position"),)

    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    tenant_id: int
    version_id: int = Field(sa_type=BigInteger)
    position: int
    public_id: str = Field(sa_type=Text)
    definition: Any = Field(sa_type=ExactJson)


class CustomerRow(SQLModel, table=True):
    """A customer and their wallet: this row is what is locked.

    `next_due_at` is when time changes one of the customer's subscriptions next.
    """

    __tablename__ = "customers"
    __table_args__ = (
        UniqueConstraint("tenant_id", "public_id"),
        UniqueConstraint("tenant_id", "external_id"),
        Index(
            "customers_due",
            "tenant_id",
            "next_due_at",
            sqlite_where=text("next_due_at IS NOT NULL"),
            postgresql_where=text("next_due_at IS NOT NULL"),
        ),
    )

    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    tenant_id: int
    public_id: str = Field(sa_type=Text)
    external_id: str | None = Field(default=None, sa_type=Text)
    name: str = Field(sa_type=Text)
    email: str | None = Field(default=None, sa_type=Text)
    details: Any = Field(sa_type=ExactJson)
    next_due_at: datetime | None = Field(default=None, sa_type=Micros)
    default_card: str | None = Field(default=None, sa_type=Text)
    has_budgets: int = 0
    created_at: datetime = Field(sa_type=Micros)


class SubscriptionRow(SQLModel, table=True):
    """See `domain.subscriptions`; `details` holds the URLs to which a payment page leads back."""

    __tablename__ = "subscriptions"
    __table_args__ = (
        UniqueConstraint("tenant_id", "public_id"),
        Index("subscriptions_customer", "tenant_id", "customer_id"),
    )

    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    tenant_id: int
    public_id: str = Field(sa_type=Text)
    customer_id: int = Field(sa_type=BigInteger)
    status: str = Field(sa_type=Text)
    started_at: datetime = Field(sa_type=Micros)
    activated_at: datetime | None = Field(default=None, sa_type=Micros)
    renews_at: datetime | None = Field(default=None, sa_type=Micros)
    details: Any = Field(default=None, nullable=True, sa_type=ExactJson)
    created_at: datetime = Field(sa_type=Micros)


class SubscribedVersionRow(SQLModel, table=True):
    """History: which version of a product a subscription was on, from `from_at` until `until_at`.

    Usage is priced by the row in force at the event's `occurred_at`. One that ends where it starts
    prices nothing: it says what the subscription is to be on. `paid` lists what was paid for the
    recurring fees, see `domain.subscriptions.Paid`.
    """

    __tablename__ = "subscribed_versions"
    __table_args__ = (
        Index("subscribed_versions_customer", "tenant_id", "customer_id"),
        Index("subscribed_versions_product", "tenant_id", "product_id"),
    )

    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    tenant_id: int
    customer_id: int = Field(sa_type=BigInteger)
    subscription_id: int = Field(sa_type=BigInteger)
    product_id: int = Field(sa_type=BigInteger)
    version_id: int = Field(sa_type=BigInteger)
    from_at: datetime = Field(sa_type=Micros)
    until_at: datetime | None = Field(default=None, sa_type=Micros)
    anchor_at: datetime | None = Field(default=None, sa_type=Micros)
    paid: Any = Field(default=None, nullable=True, sa_type=ExactJson)


class EntitlementRow(SQLModel, table=True):
    """The schedule of an entitlement of a subscription, see `domain.subscriptions.Schedule`."""

    __tablename__ = "entitlements"
    __table_args__ = (
        UniqueConstraint("tenant_id", "subscription_id", "product_id", "name", "asset"),
        Index("entitlements_customer", "tenant_id", "customer_id"),
    )

    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    tenant_id: int
    customer_id: int = Field(sa_type=BigInteger)
    subscription_id: int = Field(sa_type=BigInteger)
    product_id: int = Field(sa_type=BigInteger)
    name: str = Field(sa_type=Text)
    asset: str = Field(sa_type=Text)
    duration: str = Field(sa_type=Text)
    duration_count: int
    anchor_at: datetime = Field(sa_type=Micros)
    next_at: datetime | None = Field(default=None, sa_type=Micros)
    ended_at: datetime | None = Field(default=None, sa_type=Micros)


class VendorRow(SQLModel, table=True):
    __tablename__ = "vendors"
    __table_args__ = (
        UniqueConstraint("tenant_id", "public_id"),
        UniqueConstraint("tenant_id", "external_id"),
    )

    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    tenant_id: int
    public_id: str = Field(sa_type=Text)
    external_id: str | None = Field(default=None, sa_type=Text)
    name: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=Micros)
