"""Prepaid usage billing: `billable` around paid work, `install` on the app.

Written by credyt-mcp (fastapi, template 1), and again when the template improves:
changes you make here are kept.
"""

from .charges import Charge
from .errors import (
    BillingError,
    BillingUnavailable,
    BudgetExceeded,
    DuplicateRequest,
    InsufficientBalance,
)
from .paid import BilledStream, RequestId, UserId, billable, hold
from .routes import install

__all__ = [
    "BilledStream",
    "BillingError",
    "BillingUnavailable",
    "BudgetExceeded",
    "Charge",
    "DuplicateRequest",
    "InsufficientBalance",
    "RequestId",
    "UserId",
    "billable",
    "hold",
    "install",
]
