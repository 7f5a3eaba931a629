"""The operator's care for what is kept sealed: a new key, and sealing everything with it."""

from __future__ import annotations

from credyt_mcp.storage import payment_accounts, sealing
from credyt_mcp.use_cases.context import Billing

new_key = sealing.new_key


def seal_again(billing: Billing) -> int:
    """Seal what is sealed, or in plain text yet, with the first key; answers how many rows.

    Raises Misconfigured without a key, or without the one that something was sealed with.
    """
    vault = billing.providers.vault
    with billing.database.write() as session:
        return payment_accounts.reseal(session, lambda kept: vault.seal(vault.open(kept)))
