"""Accounts at payment providers: whose Stripe takes an account's payments, by a key of its own or
connected to the platform's. A key goes in and is never told again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr
from sqlmodel import Session

from credyt_mcp import exact_json
from credyt_mcp.domain.fields import not_bool
from credyt_mcp.errors import InvalidRequest, Misconfigured, NotFound, WrongState
from credyt_mcp.ids import new_id
from credyt_mcp.payments.stripe_access import (
    CONNECTED,
    SECRET_KEY,
    WEBHOOK_SECRET,
    StripeAccess,
    is_live,
    is_restricted,
    shown,
)
from credyt_mcp.storage import audit, payment_accounts
from credyt_mcp.storage.provider_tables import PaymentAccountRow
from credyt_mcp.use_cases.context import Billing, Command, Number, Result

PROVIDER = "stripe"


def _is_key(value: SecretStr) -> SecretStr:
    if not SECRET_KEY.fullmatch(value.get_secret_value()):
        raise ValueError("must be a secret or restricted key of Stripe: rk_test_…, sk_live_…")
    return value


def _is_account(value: str) -> str:
    if not CONNECTED.fullmatch(value):
        raise ValueError("must be the id of a Stripe account: acct_…")
    return value


def _are_secrets(values: list[SecretStr]) -> list[SecretStr]:
    if not all(WEBHOOK_SECRET.fullmatch(value.get_secret_value()) for value in values):
        raise ValueError("must be signing secrets of webhook endpoints: whsec_…")
    return values


StripeKey = Annotated[
    SecretStr, AfterValidator(_is_key), Field(description="restricted (rk_) or secret (sk_) key")
]
WebhookSecrets = Annotated[
    list[SecretStr],
    AfterValidator(_are_secrets),
    Field(
        max_length=10,
        description="signing secrets of the endpoint at webhook_url; all are good, so that one can "
        "be rolled",
    ),
]
FeePercent = Annotated[
    Number,
    AfterValidator(not_bool),
    Field(ge=0, le=100, description="the platform's part of what a connected account takes"),
]
PaymentAccountId = Annotated[str, Field(description="id of a payment account, pya_…")]


class ConnectPaymentAccount(Command):
    """Take this account's payments with a Stripe account: by its own `secret_key`, or, for a
    platform, as its `connected_account` (direct charges). Stripe is asked whether that works; from
    then on new payments go there. The same account again changes its key."""

    secret_key: StripeKey | None = None
    connected_account: Annotated[
        str | None,
        AfterValidator(lambda value: value and _is_account(value)),
        Field(description="acct_…, connected to the platform's Stripe account"),
    ] = None
    webhook_secrets: WebhookSecrets = Field(default_factory=list)
    application_fee_percent: FeePercent | None = None


class ListPaymentAccounts(Command):
    """Payment accounts, the one that takes new payments first."""


class GetPaymentAccount(Command):
    """A payment account, without its secrets."""

    payment_account_id: PaymentAccountId


class PaymentAccountFields(Command):
    webhook_secrets: WebhookSecrets | None = None
    application_fee_percent: FeePercent | None = None
    active: Annotated[
        Literal[True] | None, Field(description="true: take new payments with this one")
    ] = None


class UpdatePaymentAccount(PaymentAccountFields):
    """Change what is given; what is left out stays."""

    payment_account_id: PaymentAccountId


class PaymentAccount(Result):
    id: str
    provider: str
    account: str = Field(description="Stripe's id of the account, or a stand-in made of the key")
    connected: bool = Field(description="reached through the platform's key")
    active: bool = Field(description="takes new payments")
    livemode: bool
    key: str | None = Field(default=None, description="how the key begins, and its last four")
    restricted: bool | None = Field(default=None, description="of the key")
    key_set_at: datetime
    webhook_url: str = Field(description="where Stripe is to deliver this account's events")
    webhook_secrets: int = Field(description="how many are set; without one, deliveries fail")
    application_fee_percent: Number | None = None
    created_at: datetime


class PaymentAccountList(Result):
    items: list[PaymentAccount]
    total_count: int


def connect_payment_account(billing: Billing, command: ConnectPaymentAccount) -> PaymentAccount:
    """Raises InvalidRequest for a key of the other environment or one that Stripe refuses,
    ProviderUnavailable while Stripe does not answer, WrongState without CREDYT_SECRETS_KEY."""
    key, connected = command.secret_key, command.connected_account
    if (key is None) == (connected is None):
        raise InvalidRequest("secret_key", "give either secret_key or connected_account")
    sealed = _checked(billing, key) if key is not None else None
    if key is not None and command.application_fee_percent is not None:
        raise InvalidRequest("application_fee_percent", "is for connected accounts")
    account = _account_of(billing, key, connected)
    now, tenant = billing.clock.now(), billing.tenant
    with billing.database.write(alone=True) as session:
        row = payment_accounts.of_account(session, tenant.id, PROVIDER, account)
        if row is None:
            row = PaymentAccountRow(
                tenant_id=tenant.id,
                public_id=new_id("pya"),
                provider=PROVIDER,
                account=account,
                connected=0,
                created_at=now,
                key_set_at=now,
            )
        before = _audited(row) if row.shown or row.connected else None
        row.connected, row.secret_key, row.key_set_at = int(key is None), sealed, now
        row.shown = None if key is None else shown(key.get_secret_value())
        row.restricted = int(key is not None and is_restricted(key.get_secret_value()))
        row.fee_percent = command.application_fee_percent
        if command.webhook_secrets:
            row.webhook_secrets = _sealed_list(billing, command.webhook_secrets)
        payment_accounts.make_active(session, row)
        _note(session, billing, "payment_account.connected", row, before)
        session.flush()
        return _shown(billing, row)


def list_payment_accounts(billing: Billing, command: ListPaymentAccounts) -> PaymentAccountList:
    with billing.database.read() as session:
        rows = payment_accounts.of_tenant(session, billing.tenant.id)
        items = [_shown(billing, row) for row in rows]
    return PaymentAccountList(items=items, total_count=len(items))


def get_payment_account(billing: Billing, command: GetPaymentAccount) -> PaymentAccount:
    """Raises NotFound."""
    with billing.database.read() as session:
        return _shown(billing, _found(session, billing, command.payment_account_id))


def update_payment_account(billing: Billing, command: UpdatePaymentAccount) -> PaymentAccount:
    """Raises NotFound, InvalidRequest."""
    with billing.database.write(alone=True) as session:
        row = _found(session, billing, command.payment_account_id)
        before = _audited(row)
        if command.webhook_secrets is not None:
            row.webhook_secrets = _sealed_list(billing, command.webhook_secrets)
        if command.application_fee_percent is not None:
            if not row.connected:
                raise InvalidRequest("application_fee_percent", "is for connected accounts")
            row.fee_percent = command.application_fee_percent
        if command.active:
            payment_accounts.make_active(session, row)
        session.add(row)
        _note(session, billing, "payment_account.changed", row, before)
        return _shown(billing, row)


def disconnect_payment_account(billing: Billing, command: GetPaymentAccount) -> None:
    """Forget the account with its key and secrets. New payments go where they would without it.

    Raises NotFound, WrongState while payments that were begun with it are open, or refunds or
    disputes of them: they could not be asked after any more.
    """
    with billing.database.write(alone=True) as session:
        row = _found(session, billing, command.payment_account_id)
        waiting = payment_accounts.open_payments(session, row)
        if waiting:
            raise WrongState(
                f"{waiting} payments, refunds or disputes at {row.account} are still open",
                hint="Connect another account, so that new payments go there, and remove this one "
                "when its pages have been paid or have expired, and what went back is decided.",
            )
        session.delete(row)
        _note(session, billing, "payment_account.disconnected", row, _audited(row), gone=True)


def _checked(billing: Billing, key: SecretStr) -> str:
    """The key sealed, if it is of this environment."""
    text, environment = key.get_secret_value(), billing.tenant.environment
    if is_live(text) != (environment == "live"):
        raise InvalidRequest(
            "secret_key",
            f"is a {'live' if is_live(text) else 'test'} key, and this is the {environment} "
            "environment",
            hint="Use a key of the same mode; the API key decides the environment.",
        )
    return _seal(billing, text)


def _account_of(billing: Billing, key: SecretStr | None, connected: str | None) -> str:
    """Stripe's word on whose account it is."""
    providers = billing.providers
    field = "secret_key" if key is not None else "connected_account"
    try:
        text = key.get_secret_value() if key is not None else providers.platform_key(billing.tenant)
        account: str = providers.try_out(StripeAccess(text, connected=connected)).account
    except (Misconfigured, NotFound) as error:
        raise InvalidRequest(field, error.detail, hint=error.hint) from None
    if connected is not None and account != connected:
        raise InvalidRequest(field, "is not an account that the platform's key may act for")
    return account


def _sealed_list(billing: Billing, secrets: Sequence[SecretStr]) -> str | None:
    if not secrets:
        return None
    texts = [secret.get_secret_value() for secret in secrets]
    return _seal(billing, exact_json.dumps(texts).decode())


def _seal(billing: Billing, text: str) -> str:
    if not billing.providers.vault.can_seal:
        raise WrongState(
            "this server takes no secrets of others, since CREDYT_SECRETS_KEY is not set",
            hint="`credyt-mcp secrets key` prints one; set it, keep a copy of it, and restart.",
        )
    return billing.providers.vault.seal(text)


def _found(session: Session, billing: Billing, public_id: str) -> PaymentAccountRow:
    row = payment_accounts.find(session, billing.tenant.id, public_id)
    if row is None:
        raise NotFound(
            f"there is no payment account '{public_id}'", hint="GET /payment-accounts lists them."
        )
    return row


def _note(
    session: Session,
    billing: Billing,
    action: str,
    row: PaymentAccountRow,
    before: dict[str, Any] | None,
    *,
    gone: bool = False,
) -> None:
    after = None if gone else _audited(row)
    now, tenant_id = billing.clock.now(), billing.tenant.id
    audit.add(
        session, tenant_id, billing.actor, action, row.public_id, now, before=before, after=after
    )


def _audited(row: PaymentAccountRow) -> dict[str, Any]:
    """What the audit may hold: nothing that is secret."""
    return {
        "account": row.account,
        "connected": bool(row.connected),
        "key": row.shown,
        "active": bool(row.active),
        "application_fee_percent": row.fee_percent,
    }


def _shown(billing: Billing, row: PaymentAccountRow) -> PaymentAccount:
    vault, kept = billing.providers.vault, row.webhook_secrets
    url = billing.settings.public_url.rstrip("/")
    return PaymentAccount(
        id=row.public_id,
        provider=row.provider,
        account=row.account,
        connected=bool(row.connected),
        active=bool(row.active),
        livemode=billing.tenant.environment == "live",
        key=row.shown,
        restricted=None if row.connected else bool(row.restricted),
        key_set_at=row.key_set_at,
        webhook_url=f"{url}/providers/stripe/webhook/{row.public_id}",
        webhook_secrets=len(exact_json.loads(vault.open(kept))) if kept else 0,
        application_fee_percent=row.fee_percent,
        created_at=row.created_at,
    )
