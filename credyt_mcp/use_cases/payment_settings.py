"""What an account sets for its customers' payments: how little and how much, where pages may lead
back to, taxes and invoices. Where it sets nothing, the provider's and the server's word stands."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StrictBool

from credyt_mcp.domain.assets import currency, minor_amount, plain
from credyt_mcp.domain.money import Asset, from_units, to_units
from credyt_mcp.errors import AmountOutOfRange
from credyt_mcp.payments.provider import PaymentProvider
from credyt_mcp.storage import audit, payment_accounts
from credyt_mcp.storage.provider_tables import PaymentSettingsRow
from credyt_mcp.use_cases.context import Billing, Command, Number, PositiveAmount, Result

HOST = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*"
)


def _host(value: str) -> str:
    host = value.strip().lower()
    if not HOST.fullmatch(host):
        raise ValueError("must be a host such as app.example.com, without https:// and path")
    return host


class TopUpLimits(Command):
    """In major units of the currency; what is left out is the provider's own limit."""

    min: PositiveAmount | None = None
    max: PositiveAmount | None = None


def _good_limits(given: dict[str, TopUpLimits]) -> dict[str, TopUpLimits]:
    for code, limits in given.items():
        paid = currency(code)
        if paid is None or paid.code != code:
            raise ValueError(f"'{code}' is not a currency code such as USD")
        for value in (limits.min, limits.max):
            if value is not None:
                minor_amount(to_units(value, paid), paid)
        if limits.min is not None and limits.max is not None and limits.max < limits.min:
            raise ValueError(f"{code}: max must not be less than min")
    return given


class GetPaymentSettings(Command):
    """What your account sets for its customers' payments."""


class UpdatePaymentSettings(Command):
    """Change what is given; what is left out stays. An empty list of hosts allows none, `{}` of
    limits leaves the provider's; `default_return_url_hosts` goes back to the server's list."""

    return_url_hosts: Annotated[
        list[Annotated[str, AfterValidator(_host)]] | None,
        Field(max_length=100, description="hosts that payment pages may lead back to"),
    ] = None
    default_return_url_hosts: Annotated[
        StrictBool, Field(description="true: drop the list, the server's own applies again")
    ] = False
    top_up_limits: Annotated[
        dict[str, TopUpLimits] | None,
        AfterValidator(lambda given: given if given is None else _good_limits(given)),
        Field(description="by currency: the least and the most of a top-up"),
    ] = None
    automatic_tax: Annotated[
        StrictBool | None, Field(description="Stripe Tax adds the tax that is due to top-ups")
    ] = None
    invoices: Annotated[
        StrictBool | None, Field(description="Stripe makes a paid invoice of each top-up")
    ] = None


class ShownLimits(Result):
    min: Number | None = None
    max: Number | None = None


class PaymentSettings(Result):
    return_url_hosts: list[str]
    return_url_hosts_from: str = Field(description="`account` or `server`")
    top_up_limits: dict[str, ShownLimits]
    automatic_tax: bool
    invoices: bool


def get_payment_settings(billing: Billing, command: GetPaymentSettings) -> PaymentSettings:
    with billing.database.read() as session:
        return _shown(billing, payment_accounts.settings(session, billing.tenant.id))


def update_payment_settings(billing: Billing, command: UpdatePaymentSettings) -> PaymentSettings:
    """Who changed what stands in the audit."""
    with billing.database.write(alone=True) as session:
        row = payment_accounts.settings(session, billing.tenant.id)
        before = _plain(row)
        if command.return_url_hosts is not None:
            row.return_url_hosts = list(dict.fromkeys(command.return_url_hosts))
        if command.default_return_url_hosts:
            row.return_url_hosts = None
        if command.top_up_limits is not None:
            row.limits = {
                code: limits.model_dump(exclude_none=True)
                for code, limits in command.top_up_limits.items()
            }
        if command.automatic_tax is not None:
            row.automatic_tax = int(command.automatic_tax)
        if command.invoices is not None:
            row.invoices = int(command.invoices)
        session.add(row)
        audit.add(
            session,
            billing.tenant.id,
            billing.actor,
            "payment_settings.changed",
            billing.tenant.account_id,
            billing.clock.now(),
            before=before,
            after=_plain(row),
        )
        return _shown(billing, row)


def check_amount(
    provider: PaymentProvider, settings: PaymentSettingsRow, units: int, paid: Asset
) -> None:
    """Raises AmountOutOfRange, naming the limits, and as the provider's `check_amount` does."""
    minor = minor_amount(units, paid)
    least, most = _limits(provider, settings, paid)
    amount = from_units(units, paid)
    if amount < least or (most is not None and amount > most):
        said = f"{least:f} or more" if most is None else f"between {least:f} and {most:f}"
        raise AmountOutOfRange(
            "amount",
            f"a payment in {paid.code} must be {said}",
            hint="Use an amount within them; PATCH /payment-settings changes the account's own.",
        )
    provider.check_amount(minor, paid.code)


def _limits(
    provider: PaymentProvider, settings: PaymentSettingsRow, paid: Asset
) -> tuple[Decimal, Decimal | None]:
    """The narrower of what the provider takes and what the account allows, in major units."""
    minor, own = paid._replace(scale=paid.precision), (settings.limits or {}).get(paid.code, {})
    least, most = provider.limits(paid.code)
    lower, upper = [from_units(least, minor)], []
    if most is not None:
        upper.append(from_units(most, minor))
    if "min" in own:
        lower.append(Decimal(own["min"]))
    if "max" in own:
        upper.append(Decimal(own["max"]))
    return plain(max(lower)), plain(min(upper)) if upper else None


def _plain(row: PaymentSettingsRow) -> dict[str, Any]:
    return row.model_dump(exclude={"tenant_id"})


def _shown(billing: Billing, row: PaymentSettingsRow) -> PaymentSettings:
    own = row.return_url_hosts
    return PaymentSettings(
        return_url_hosts=sorted(billing.settings.allowed_hosts) if own is None else own,
        return_url_hosts_from="server" if own is None else "account",
        top_up_limits={code: ShownLimits(**limits) for code, limits in (row.limits or {}).items()},
        automatic_tax=bool(row.automatic_tax),
        invoices=bool(row.invoices),
    )
