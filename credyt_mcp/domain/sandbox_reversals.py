"""Refunds and disputes in the sandbox provider's own books, as state machines. Pure.

A refund is pending until it succeeds or fails. A dispute is open until it is won or lost; money is
withdrawn while it is open and comes back when it is won.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, cast

from credyt_mcp.domain.disputes import DisputeSnapshot, DisputeStatus, Movement
from credyt_mcp.domain.refunds import RefundSnapshot, RefundStatus
from credyt_mcp.errors import AmountOutOfRange, WrongState

Step = Literal["succeed", "fail", "withdraw", "win", "lose"]
STEPS: dict[str, dict[str, tuple[Step, ...]]] = {
    "refund": {"pending": ("succeed", "fail")},
    "dispute": {"open": ("withdraw", "win", "lose")},
}
"""What can be done next with a refund or dispute, by its status."""


@dataclass(frozen=True)
class SandboxReversal:
    """One of either, amounts in minor units; `key` is of who asked for a refund by the API, and
    `movements` lists what a dispute moved, oldest first."""

    id: str
    tenant_id: int
    checkout_id: str
    kind: Literal["refund", "dispute"]
    status: str
    amount_minor: int
    created_at: datetime
    key: str | None = None
    movements: tuple[Movement, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        steps = STEPS[self.kind].get(self.status, ())
        return tuple(step for step in steps if step != "withdraw" or not self.movements)

    @property
    def is_out(self) -> bool:
        if self.kind == "refund":
            return self.status != "failed"
        return bool(self.movements) and self.movements[-1].kind == "withdrawn"

    def after(self, step: Step) -> SandboxReversal:
        """Raises WrongState for a step that is not among `steps`."""
        if step not in self.steps:
            raise WrongState(f"this {self.kind} is {self.status} and cannot {step}")
        if self.kind == "refund":
            return replace(self, status="succeeded" if step == "succeed" else "failed")
        moved = self.movements
        if step in ("withdraw", "lose") and not self.is_out:
            moved = (*moved, Movement(f"{self.id}_out", "withdrawn"))
        if step == "win" and self.is_out:
            moved = (*moved, Movement(f"{self.id}_back", "reinstated"))
        status = {"withdraw": "open", "win": "won", "lose": "lost"}[step]
        return replace(self, status=status, movements=moved)

    def as_refund(self, currency: str) -> RefundSnapshot:
        status = cast("RefundStatus", self.status)
        reason = "The sandbox refused it." if status == "failed" else None
        return RefundSnapshot(self.id, status, self.amount_minor, currency, self.key, reason)

    def as_dispute(self, currency: str) -> DisputeSnapshot:
        status = cast("DisputeStatus", self.status)
        return DisputeSnapshot(
            self.id, status, self.amount_minor, currency, self.movements, "fraudulent"
        )


def must_be_left(
    paid_minor: int, known: tuple[SandboxReversal, ...], amount_minor: int, kind: str
) -> None:
    """Raises AmountOutOfRange for more than was paid and is not out, or disputed, already."""
    gone = sum(one.amount_minor for one in known if one.is_out or one.status == "open")
    if not 0 < amount_minor <= paid_minor - gone:
        raise AmountOutOfRange("amount", f"is more than is left of the payment for a {kind}")
