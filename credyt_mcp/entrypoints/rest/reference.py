"""`/docs`: the OpenAPI document as one page for people. It needs no script and no other host, so it
reads the same on a machine without a network."""

from __future__ import annotations

import json
import re
from typing import Any

from fastapi import APIRouter, Request, Response

from credyt_mcp.entrypoints.portal.pages import page, stylesheet

router = APIRouter(include_in_schema=False)


@router.get("/docs")
def reference(request: Request) -> Response:
    """Written once and off the event loop, which has billing to do."""
    state = request.app.state
    if not hasattr(state, "reference"):
        document = request.app.openapi()
        state.reference = page(
            "reference.html",
            document=document,
            by_tag=_by_tag(document),
            schemas=document["components"]["schemas"],
            base=state.billing.settings.public_url.rstrip("/"),
        )
    shown: Response = state.reference
    return shown


@router.get("/docs/style.css")
async def style() -> Response:
    return stylesheet("docs")


def _by_tag(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Operations under the tags, in the tags' order."""
    found: dict[str, list[dict[str, Any]]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            shown = {**operation, "path": path, "method": method, "curl": _curl(path, operation)}
            found[operation["tags"][0]].append(shown)
    return found


def _curl(path: str, operation: dict[str, Any]) -> dict[str, str]:
    """The path with its examples filled in, and the body to send, if there is one."""
    examples = {
        parameter["name"]: str(parameter.get("example", f"{{{parameter['name']}}}"))
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "path"
    }
    filled = re.sub(r"{(\w+)}", lambda part: examples.get(part[1], part[0]), path)
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    example = content.get("example")
    body = "" if example is None else json.dumps(example, indent=2, ensure_ascii=False)
    return {"path": filled, "body": body}
