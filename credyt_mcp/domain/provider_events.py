"""What a payment provider tells us, in our words. Pure."""

from __future__ import annotations

from dataclasses import dataclass

GOES_BACK = ("charge", "refund", "dispute")
"""Kinds of objects that tell of money on its way back."""


@dataclass(frozen=True)
class ProviderEvent:
    """A hint from the provider that something became of an object. It proves nothing."""

    id: str
    account: str
    livemode: bool
    object_kind: str
    object_id: str
    body: str
