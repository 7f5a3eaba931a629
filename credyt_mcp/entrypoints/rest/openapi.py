"""The OpenAPI document: what FastAPI knows of the routes, with the hot ones, every refusal, the
meaning of each operation and an example of each body. No decisions."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any, get_type_hints

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from credyt_mcp import use_cases
from credyt_mcp.entrypoints.rest.documented_access import describe_access
from credyt_mcp.entrypoints.rest.examples import BODIES, PATH_MEANINGS, PATH_VALUES
from credyt_mcp.entrypoints.rest.hot import HotRoute
from credyt_mcp.entrypoints.rest.replies import ProblemDetails, ValidationProblem
from credyt_mcp.errors import CredytError, InternalError
from credyt_mcp.use_cases.context import PageOf

ABOUT = """Real-time prepaid usage billing for AI apps.

Send your key in `X-CREDYT-API-KEY`, or as `Authorization: Bearer`; it decides the account and
whether the data is `test` or `live`. Amounts are JSON numbers in major units with every digit
they need (0.05 is five cents). Times are RFC 3339 in UTC. Where a path takes an id, your own code
or external id will do; `default` names a product's default version. Unknown fields are ignored.
Ids that you give to events, adjustments, charges and authorizations count once, ever: repeat a
request to retry it. Lists take `limit` and `offset` and answer `items` with `total_count`. Errors
are `application/problem+json` with a stable `code` and a `hint`."""

TAGS = {
    "accounts": "Your account, and the connected accounts of a platform.",
    "keys": "API keys of your account, with what each may do.",
    "assets": "Units of credit of your own, with what one of them costs in money, now and later.",
    "products": "What you sell: immutable published versions of prices and entitlements.",
    "customers": "Your customers and the products they are subscribed to.",
    "wallets": "What a customer has: accounts, grants of credit, adjustments, charges and limits.",
    "events": "Usage, billed the moment it is recorded, each id once.",
    "authorizations": "Money held before usage runs, then captured by it or released.",
    "top-ups": "Payments of customers that become credit.",
    "payment-accounts": "Whose Stripe takes your customers' payments, and what you set for them.",
    "payment-methods": "Cards that customers have saved with the payment provider.",
    "billing-portal": "Links that sign a customer in to their own billing page.",
    "vendors": "Whom you pay for what your product uses.",
    "costs": "What model calls cost you: rules, prices of your own, and calls that have none yet.",
    "analytics": "What you earned against what it cost you, and alerts on it.",
    "replays": "Recorded usage under other prices: revenue, margin, bills, and who runs dry.",
    "reconciliation": "What vendors billed beside what was recorded: why they differ.",
    "webhooks": "Where to be told what happens, and what was sent.",
    "notices": "What happened that you may want to know.",
    "ledger": "Proof that the books balance.",
    "clock": "The time that test data lives in, to be moved ahead.",
}

_ALWAYS = {422, 500, 503}
_WITH_BODY = {400, 413}
_REFUSES_FOR_FUNDS = {"events", "authorizations"}


def document(api: FastAPI, hot_routes: Sequence[HotRoute]) -> dict[str, Any]:
    """The document, made once."""
    if api.openapi_schema is None:
        made = get_openapi(
            title=api.title, version=api.version, description=ABOUT, routes=api.routes
        )
        for hot in hot_routes:
            made["paths"].setdefault(hot.path, {}).update(hot.documented())
        _add_schemas(made["components"]["schemas"], hot_routes)
        meanings, titles = dict(_meanings()), {**_titles(), 500: [InternalError.title]}
        used = set()
        for path, methods in made["paths"].items():
            for method, operation in methods.items():
                _complete(operation, path, method, titles)
                _explain(operation, meanings)
                used.update(operation["tags"])
        describe_access(made)
        made["tags"] = [
            {"name": name, "description": said} for name, said in TAGS.items() if name in used
        ]
        api.openapi_schema = made
    return api.openapi_schema


def _add_schemas(schemas: dict[str, Any], hot_routes: Iterable[HotRoute]) -> None:
    """Models that FastAPI has not seen, and not those of its own refusals, which we never send."""
    taken = [(hot.body, "validation") for hot in hot_routes if hot.body is not None]
    given = [(hot.result, "serialization") for hot in hot_routes]
    problems = [(ProblemDetails, "serialization"), (ValidationProblem, "serialization")]
    _, definitions = models_json_schema(
        [*taken, *given, *problems],  # type: ignore[list-item]  # pydantic wants a literal, not str
        ref_template="#/components/schemas/{model}",
    )
    schemas |= {
        name: schema for name, schema in definitions["$defs"].items() if name not in schemas
    }
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)


def _complete(
    operation: dict[str, Any], path: str, method: str, titles: dict[int, list[str]]
) -> None:
    """Add the refusals this operation can answer, the example of its body and of its path."""
    body = operation.get("requestBody")
    statuses = set(_ALWAYS)
    if body is not None:
        statuses |= _WITH_BODY
    names = [parameter["name"] for parameter in operation.get("parameters", ())]
    if "{" in path or "303" in operation["responses"] or any(one.endswith("_id") for one in names):
        statuses.add(404)
    if method != "get":
        statuses.add(409)
    if method == "post" and _REFUSES_FOR_FUNDS & set(operation["tags"]):
        statuses.add(402)
    for status in sorted(statuses & titles.keys()):
        name = "ValidationProblem" if status == 422 else "ProblemDetails"
        schema = {"$ref": f"#/components/schemas/{name}"}
        operation["responses"][str(status)] = {
            "description": "; ".join(titles[status]),
            "content": {"application/problem+json": {"schema": schema}},
        }
    example = BODIES.get(operation["operationId"])
    if body is not None and example is not None:
        body["content"]["application/json"]["example"] = example
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            parameter["description"] = PATH_MEANINGS.get(parameter["name"], "")
            if parameter["name"] in PATH_VALUES:
                parameter["example"] = PATH_VALUES[parameter["name"]]


def _explain(operation: dict[str, Any], meanings: dict[str, str]) -> None:
    """Say what it does, in the words of its use case's command, as MCP clients read it too; a
    route whose fields differ says it itself."""
    operation.setdefault("description", meanings.get(operation["operationId"], ""))
    operation["summary"] = operation["operationId"].replace("_", " ").capitalize()


def _meanings() -> Iterator[tuple[str, str]]:
    """Use case → what it does. A route is named for its use case."""
    for module in _use_case_modules():
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if list(inspect.signature(function).parameters) == ["billing", "command"]:
                command = get_type_hints(function)["command"]
                own = None if command is PageOf else command.__doc__
                said = (own or function.__doc__ or "").partition("Raises ")[0]
                yield name, " ".join(said.split())


def _use_case_modules() -> Iterator[ModuleType]:
    return (found for found in vars(use_cases).values() if inspect.ismodule(found))


def _titles(of: type[CredytError] = CredytError) -> dict[int, list[str]]:
    """Status → what the errors with it say."""
    found: dict[int, list[str]] = {}
    for error in of.__subclasses__():
        found.setdefault(error.status, []).append(error.title)
        for status, titles in _titles(error).items():
            found.setdefault(status, []).extend(titles)
    return {status: list(dict.fromkeys(titles)) for status, titles in found.items()}
