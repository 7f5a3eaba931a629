"""What may go wrong before a model is called. After it nothing is raised: see `billing.on_lost`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any


class BillingError(Exception):
    """Billing did not agree to the call; the model was not asked."""


class BillingUnavailable(BillingError):
    """The server could not be reached, or did not answer as it should."""


class BillingRefused(BillingError):
    """The server said no. `code` is one of docs/errors.md."""

    def __init__(self, problem: dict[str, Any]) -> None:
        self.code = str(problem.get("code", ""))
        self.detail, self.hint = problem.get("detail", ""), problem.get("hint", "")
        super().__init__(f"{self.code}: {self.detail} {self.hint}".strip())


class InsufficientBalance(BillingRefused):
    """The wallet does not cover the estimate: `missing` of `asset`, in major units."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(problem)
        self.asset = str(problem.get("asset", ""))
        self.available = Decimal(str(problem.get("available", 0)))
        self.missing = Decimal(str(problem.get("missing", 0)))
