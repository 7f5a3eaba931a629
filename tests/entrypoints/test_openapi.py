"""The OpenAPI document is complete, and its examples work: a new account can send them in order."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from credyt_mcp.entrypoints.rest.examples import BODIES
from tests.example_story import CARD, Story
from tests.test_parity import NOT_OVER_REST, every_use_case


@pytest.fixture
async def document(rest: httpx.AsyncClient) -> dict[str, Any]:
    answer = await rest.get("/openapi.json", headers={"X-CREDYT-API-KEY": ""})
    found: dict[str, Any] = answer.json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


async def test_operations_are_named_for_use_cases_and_explained(document: dict[str, Any]) -> None:
    found = {operation["operationId"]: operation for _, _, operation in operations(document)}
    # OTLP's shapes are another standard's, and documented there.
    assert set(found) == set(every_use_case()) - set(NOT_OVER_REST) - {"record_spans"}
    tags = {tag["name"] for tag in document["tags"]}
    for name, operation in found.items():
        assert len(operation.get("description", "")) > 20, f"{name} does not say what it does"
        assert set(operation["tags"]) <= tags, name
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "path":
                assert parameter["description"], f"{name}: {parameter['name']}"


async def test_every_answer_has_a_schema_and_every_reference_exists(
    document: dict[str, Any],
) -> None:
    schemas = set(document["components"]["schemas"])
    assert set(re.findall(r"#/components/schemas/([^\"]+)", json.dumps(document))) <= schemas
    shared_answers = document["components"]["responses"]
    for path, method, operation in operations(document):
        for status, response in operation["responses"].items():
            if status not in ("204", "303"):
                shared = shared_answers.get(response.get("$ref", "").rpartition("/")[2])
                assert (shared or response).get("content"), f"{method} {path} {status}"
        assert {"401", "403", "422", "500"} <= set(operation["responses"])


async def test_no_money_is_documented_as_text(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        for field in ("amount", "available", "unit_price", "volume_rate", "rate", "held"):
            if field in schema.get("properties", {}):
                said = json.dumps(schema["properties"][field])
                assert '"number"' in said and '"string"' not in said, f"{name}.{field}"


async def test_every_example_can_be_sent_in_order(
    document: dict[str, Any], rest: httpx.AsyncClient
) -> None:
    story = Story(document)
    with_body = {name for name, one in story.operations.items() if "requestBody" in one.said}
    assert with_body == set(BODIES)
    for operation, body in story.steps():
        answer = await rest.request(operation.method, story.address(operation), json=body)
        assert answer.status_code == operation.success, f"{operation.name}: {answer.text}"
        if page := story.learn(operation, answer):
            await rest.post(page, data=CARD)
    for operation in story.operations.values():
        if operation.method == "get":
            answer = await rest.get(story.address(operation))
            assert answer.status_code == 200, f"{operation.name}: {answer.text}"


async def test_every_list_comes_in_pages_and_refuses_bad_ones(
    document: dict[str, Any], rest: httpx.AsyncClient
) -> None:
    story = Story(document)
    for operation, body in story.steps():
        answer = await rest.request(operation.method, story.address(operation), json=body)
        if page := story.learn(operation, answer):
            await rest.post(page, data=CARD)
    lists = [
        operation
        for operation in story.operations.values()
        if {"limit", "offset"} <= {one["name"] for one in operation.said.get("parameters", ())}
    ]
    assert len(lists) >= 8
    for operation in lists:
        address = story.address(operation)
        for bad in ({"limit": 0}, {"limit": 10**6}, {"limit": "all"}, {"offset": -1}):
            refused = await rest.get(address, params=bad)
            assert refused.status_code == 422, f"{operation.name} {bad}"
            assert list(refused.json()["errors"]) == list(bad)
        whole = (await rest.get(address, params={"limit": 100, "no_such_parameter": 1})).json()
        assert {"items", "total_count", "limit", "offset"} <= set(whole)
        assert len(whole["items"]) == whole["total_count"], operation.name
        for offset in range(whole["total_count"] + 1):
            page = (await rest.get(address, params={"limit": 1, "offset": offset})).json()
            assert page["items"] == whole["items"][offset : offset + 1], operation.name
            assert (page["limit"], page["offset"]) == (1, offset)


async def test_the_reference_page_shows_every_operation_and_needs_no_other_host(
    document: dict[str, Any], rest: httpx.AsyncClient
) -> None:
    page = await rest.get("/docs", headers={"X-CREDYT-API-KEY": ""})
    assert page.status_code == 200
    for path, method, operation in operations(document):
        assert f'id="{operation["operationId"]}"' in page.text
        assert f"<code>{path}</code>" in page.text, method
    targets = re.findall(r'(?:href|src)="([^"]+)"', page.text)
    assert {target for target in targets if target.startswith("#")} <= {
        f"#{found}" for found in re.findall(r'id="([^"]+)"', page.text)
    }
    for target in {target for target in targets if not target.startswith("#")}:
        assert target.startswith("/") and (await rest.get(target)).status_code == 200
    assert "<script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
