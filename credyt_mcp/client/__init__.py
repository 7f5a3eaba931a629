"""For Python apps that call models: their SDK's client, metered. Talks to a billing server over
HTTP and knows nothing of how one works."""

from credyt_mcp.client.anthropic import meter_anthropic
from credyt_mcp.client.billing import AsyncCredyt, Credyt
from credyt_mcp.client.charges import Terms
from credyt_mcp.client.errors import (
    BillingError,
    BillingRefused,
    BillingUnavailable,
    InsufficientBalance,
)
from credyt_mcp.client.litellm import litellm_callback
from credyt_mcp.client.openai import meter_openai

__all__ = [
    "AsyncCredyt",
    "BillingError",
    "BillingRefused",
    "BillingUnavailable",
    "Credyt",
    "InsufficientBalance",
    "Terms",
    "litellm_callback",
    "meter_anthropic",
    "meter_openai",
]
