"""Which of a customer's saved cards a charge is for. Pure; the same for every provider."""

from __future__ import annotations

from collections.abc import Sequence

from credyt_mcp.payments.provider import ChargeRequest


def to_charge(request: ChargeRequest, known: Sequence[str]) -> str | None:
    """One of the cards `known` by id, newest first; None when the one it must be is gone."""
    if request.card is not None:
        return request.card if request.card in known else None
    return request.preferred_card if request.preferred_card in known else known[0]
