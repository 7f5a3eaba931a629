"""What can go wrong; `status` and `body` are what the user's browser is told.

Written by credyt-mcp (fastapi, template 1), and again when the template improves:
changes you make here are kept.
"""

from __future__ import annotations

from typing import Any


class BillingError(Exception):
    status = 503
    code = "billing_unavailable"
    message = "Billing cannot be reached, please try again in a moment."

    def body(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message}


class BillingUnavailable(BillingError):
    """The billing server did not answer."""


class BillingRefused(BillingError):
    """The billing server said no: it is called wrongly, for one with a wrong key."""

    status = 502
    message = "Billing does not work at the moment."

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code


class InsufficientBalance(BillingRefused):
    """The wallet does not cover what the work would cost; nothing was done."""

    status = 402
    message = "Your balance does not cover this. Please top up."

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__("insufficient_balance", problem.get("detail", ""))
        self.available = problem.get("available")
        self.missing = problem.get("missing")

    def body(self) -> dict[str, Any]:
        amounts = {"available": self.available, "missing": self.missing}
        said = {name: f"{one:f}" for name, one in amounts.items() if one is not None}
        return {**super().body(), **said, "top_up_url": "/api/billing/top-up"}


class BudgetExceeded(BillingRefused):
    """Who asks has used what they may in this hour, day or month; nothing was done."""

    status = 429
    message = "You have reached your limit for now."

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__("budget_exceeded", problem.get("detail", ""))
        self.resets_at = problem.get("resets_at")

    def body(self) -> dict[str, Any]:
        return {**super().body(), "resets_at": self.resets_at}


class DuplicateRequest(BillingError):
    """A request with this id ran before or runs now: it must not be done twice."""

    status = 409
    code = "duplicate_request"
    message = "This request was sent before."


class InvalidSignature(BillingError):
    """A webhook that the billing server did not send, or that is too old."""

    status = 400
    code = "invalid_signature"
    message = "Not signed by the billing server."
