"""Where a payment page may send a customer's browser back to. An open redirect is a phishing tool,
so live payments lead only to hosts that the owner has listed."""

from __future__ import annotations

from urllib.parse import urlsplit

from credyt_mcp.errors import InvalidRequest
from credyt_mcp.storage import payment_accounts
from credyt_mcp.use_cases.context import Billing

LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def check_return_url(billing: Billing, url: str | None, field: str) -> None:
    """Raises InvalidRequest unless it is absent, or https (http on this machine while testing) and
    on the list of hosts, if there is one; live needs one."""
    if url is None:
        return
    parts, live = urlsplit(url), billing.tenant.environment == "live"
    local = parts.scheme == "http" and parts.hostname in LOOPBACK and not live
    if not (parts.scheme == "https" and parts.hostname) and not local:
        raise InvalidRequest(field, "must be an https URL, or http on localhost while testing")
    allowed = allowed_hosts(billing)
    if (live or (allowed and not local)) and parts.hostname not in allowed:
        raise InvalidRequest(
            field,
            f"'{parts.hostname}' is not among the hosts that payments may lead back to",
            hint="Add it to return_url_hosts (PATCH /payment-settings), or to "
            "CREDYT_RETURN_URL_HOSTS where the account has no list of its own.",
        )


def allowed_hosts(billing: Billing) -> frozenset[str]:
    """The account's own list, else the server's."""
    with billing.database.read() as session:
        own = payment_accounts.settings(session, billing.tenant.id).return_url_hosts
    return billing.settings.allowed_hosts if own is None else frozenset(own)


def check_can_take_payments(billing: Billing, field: str) -> None:
    """Raises InvalidRequest in the live environment without a real payment provider."""
    if billing.tenant.environment == "live" and billing.payments.name == "sandbox":
        raise InvalidRequest(
            field,
            "live payments need a payment provider, and only the sandbox is configured",
            hint="Use the test environment.",
        )
