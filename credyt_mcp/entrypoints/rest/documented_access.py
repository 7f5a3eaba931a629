"""What the API document says of access: keys, connected accounts, scopes, rates. It admits nobody.

A route's function has the name of its use case, which is its operation id: that tells the scope.
"""

from __future__ import annotations

from typing import Any

from credyt_mcp.entrypoints.rest.replies import ProblemDetails
from credyt_mcp.use_cases.scopes import scope_of

SCHEMES: dict[str, dict[str, str]] = {
    "ApiKey": {"type": "apiKey", "in": "header", "name": "X-CREDYT-API-KEY"},
    "Bearer": {"type": "http", "scheme": "bearer", "description": "the same key"},
    "ConnectedAccount": {
        "type": "apiKey",
        "in": "header",
        "name": "X-CREDYT-ACCOUNT",
        "description": "`acc_…`: act for this connected account with the platform's key",
    },
}
KEYS, ACTING = ("ApiKey", "Bearer"), ("ConnectedAccount",)
SECURITY: list[dict[str, list[str]]] = [
    {scheme: [] for scheme in (key, *more)} for more in ((), ACTING) for key in KEYS
]
"""Any of these: a key alone, or a key and the account it acts for."""


def describe_access(document: dict[str, Any]) -> None:
    """Say of every operation how to get in, and how one is kept out."""
    components = document["components"]
    components["schemas"]["ProblemDetails"] = ProblemDetails.model_json_schema()
    components["securitySchemes"] = SCHEMES
    components["responses"] = {
        "Unauthorized": _problem("No API key, an unknown one, or a revoked one"),
        "RateLimited": {
            **_problem("This key sent too many requests: nothing was done"),
            "headers": {
                "Retry-After": {"description": "seconds to wait", "schema": {"type": "integer"}}
            },
        },
    }
    document["security"] = SECURITY
    for operations in document["paths"].values():
        for operation in operations.values():
            scope = scope_of(operation["operationId"])
            operation["responses"] |= {
                "401": {"$ref": "#/components/responses/Unauthorized"},
                "403": _problem(
                    f"The key lacks the scope `{scope}`, or cannot act for the account"
                ),
                "429": {"$ref": "#/components/responses/RateLimited"},
            }


def _problem(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/ProblemDetails"}
    return {
        "description": description,
        "content": {"application/problem+json": {"schema": schema}},
    }
