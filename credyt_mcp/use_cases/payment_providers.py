"""Who takes whose payments, and who took those of before. No use case of its own.

A tenant's own account comes first, then its platform's, then the server's own key in the
environment it is for, then the sandbox, which takes nothing in live.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal

from credyt_mcp import exact_json
from credyt_mcp.errors import CredytError, NotFound
from credyt_mcp.payments.provider import EventProvider, PaymentProvider
from credyt_mcp.payments.stripe_access import StripeAccess, fingerprint
from credyt_mcp.storage import payment_accounts
from credyt_mcp.storage.database import Database
from credyt_mcp.storage.provider_tables import PaymentAccountRow
from credyt_mcp.storage.sealing import Vault
from credyt_mcp.storage.tables import TenantRow

if TYPE_CHECKING:
    from credyt_mcp.use_cases.context import Tenant

log = logging.getLogger(__name__)

Open = Callable[[StripeAccess], EventProvider]


class PaymentProviders:
    """Not for the event loop: every answer asks the database, some of them Stripe."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        sandbox: PaymentProvider,
        open_stripe: Open,
        server: StripeAccess | None = None,
        server_environment: Literal["test", "live"] = "test",
    ) -> None:
        """`server` is the access that the settings give."""
        self.sandbox = sandbox
        self.vault = vault
        self._database = database
        self._open = open_stripe
        self._server_access = server
        self._server_environment = server_environment
        self.server = None if server is None else open_stripe(server)
        self._opened: dict[StripeAccess, EventProvider] = {}

    def of(self, tenant: Tenant) -> PaymentProvider:
        """Who takes new payments."""
        row = self._active(tenant)
        if row is not None:
            return self.at(row, tenant)
        return self._servers(tenant.environment) or self.sandbox

    def account_of(self, tenant: Tenant) -> str:
        """Tells apart who takes new payments, without asking any of them."""
        row = self._active(tenant)
        return "" if row is None else row.account

    def still_taking(self, tenant: Tenant, provider: str, account: str) -> PaymentProvider | None:
        """Who takes new payments, if that is where something was begun before; else None."""
        now = self.of(tenant)
        if now.name != provider:
            return None
        of_server = now is self.server and self._is_servers(account)
        return now if of_server or now.account == account else None

    def named(self, provider: str, account: str, tenant: Tenant) -> PaymentProvider:
        """Who took a payment that was begun before. Raises NotFound for an account that we have no
        access to any more."""
        if provider == self.sandbox.name:
            return self.sandbox
        with self._database.read() as session:
            found = payment_accounts.at(session, provider, account, _line(tenant))
        if found is not None:
            return self.at(found.account, tenant)
        server = self._servers(tenant.environment)
        if server is not None and provider == server.name and self._is_servers(account):
            return server
        raise NotFound(
            f"this payment was begun with {provider} account '{account}', which is not configured "
            "any more",
            hint="Connect it again: POST /payment-accounts, or credyt-mcp stripe connect.",
        )

    def telling(self, provider: str, account: str) -> EventProvider | None:
        """Whom to ask about an event of that account; None where nobody has access to it."""
        if self.server is not None and (provider, account) == (self.server.name, ""):
            return self.server
        with self._database.read() as session:
            found = payment_accounts.at(session, provider, account)
        return None if found is None else self.at(*found)

    def all_telling(self) -> Iterator[tuple[PaymentAccountRow | None, EventProvider]]:
        """Everybody that we have access to, the server's own first; a tenant's with its row."""
        if self.server is not None:
            yield None, self.server
        with self._database.read() as session:
            rows = payment_accounts.every(session)
        for row, tenant in rows:
            try:
                provider = self.at(row, tenant)
            except CredytError as error:
                log.warning("payment account %s cannot be used: %s", row.public_id, error.detail)
                continue
            yield row, provider

    def at(self, row: PaymentAccountRow, tenant: Tenant | TenantRow) -> EventProvider:
        """Raises NotFound where the platform has no key, Misconfigured where the key that secrets
        are sealed with is gone."""
        own, vault = row.secret_key, self.vault
        secrets = exact_json.loads(vault.open(row.webhook_secrets)) if row.webhook_secrets else ()
        return self.open(
            StripeAccess(
                api_key=self.platform_key(tenant) if own is None else vault.open(own),
                webhook_secrets=tuple(secrets),
                connected=row.account if row.connected else None,
                account=row.account,
                fee_percent=row.fee_percent,
            )
        )

    def platform_key(self, tenant: Tenant | TenantRow) -> str:
        """The key that acts for connected accounts of Stripe. Raises NotFound without one."""
        environment = tenant.environment
        if tenant.parent_id is not None:
            with self._database.read() as session:
                platform = payment_accounts.active(session, tenant.parent_id)
            if platform is not None and platform.secret_key is not None:
                return self.vault.open(platform.secret_key)
        if self._server_access is None or environment != self._server_environment:
            raise NotFound(
                f"there is no Stripe key of a platform for the {environment} environment",
                hint="Set STRIPE_API_KEY to the platform's key.",
            )
        return self._server_access.api_key

    def try_out(self, access: StripeAccess) -> EventProvider:
        """A provider for an access that is not known to be good."""
        return self._open(access)

    def open(self, access: StripeAccess) -> EventProvider:
        """Raises nothing yet: Stripe is asked when something is asked of it."""
        if access not in self._opened:
            self._opened[access] = self._open(access)
        return self._opened[access]

    def _active(self, tenant: Tenant) -> PaymentAccountRow | None:
        with self._database.read() as session:
            found = (payment_accounts.active(session, one) for one in _line(tenant))
            return next((row for row in found if row is not None), None)

    def _is_servers(self, account: str) -> bool:
        """Payments that are older than accounts are told apart have none."""
        assert self.server is not None and self._server_access is not None
        names = ("", fingerprint(self._server_access.api_key))
        return account in names or account == self.server.account

    def _servers(self, environment: str) -> EventProvider | None:
        return self.server if environment == self._server_environment else None


def _line(tenant: Tenant) -> list[int]:
    return [tenant.id] if tenant.parent_id is None else [tenant.id, tenant.parent_id]
