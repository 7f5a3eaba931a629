"""What opens an account at Stripe, and what a key tells about itself. Pure; knows no SDK."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

SECRET_KEY = re.compile(r"(sk|rk)_(test|live)_\w{4,}")
CONNECTED = re.compile(r"acct_\w+")
WEBHOOK_SECRET = re.compile(r"whsec_\w+")


@dataclass(frozen=True)
class StripeAccess:
    """A key and the account that it opens: its own, or the `connected` one that it may act for.

    `account` is Stripe's id of that account, if it is known already. `fee_percent` of what a
    connected account takes is the platform's.
    """

    api_key: str
    webhook_secrets: tuple[str, ...] = ()
    connected: str | None = None
    account: str | None = None
    fee_percent: Decimal | None = None

    def __repr__(self) -> str:
        return f"StripeAccess({shown(self.api_key)}, connected={self.connected})"

    def fee_of(self, amount: int) -> int:
        """The platform's part of an amount in minor units, rounded down."""
        part = amount * (self.fee_percent or Decimal(0)) / 100
        return int(part.to_integral_value(ROUND_DOWN))


def is_live(key: str) -> bool:
    return "_live_" in key


def is_restricted(key: str) -> bool:
    return key.startswith("rk_")


def shown(key: str) -> str:
    """What may be shown of a key."""
    return f"{key[:8]}…{key[-4:]}"


def fingerprint(key: str) -> str:
    """Stands for the account of a key that may not ask which it is."""
    return f"key_{hashlib.sha256(key.encode()).hexdigest()[:24]}"
