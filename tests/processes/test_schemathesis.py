"""The server keeps to its own OpenAPI document under thousands of requests nobody thought of.

schemathesis makes good and bad requests from the document; no answer may be a server error, have a
status that is not documented, or a body that does not have the documented shape. The examples of
the document are sent first, so that there is something to find, and their ids are mixed in.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.example_story import CARD, WITH_STRIPE, Story
from tests.processes.harness import KEY, Server, verify_by_command

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
REQUESTS_EACH, SECONDS_EACH = 40, 0.7
HEADERS = {"X-CREDYT-API-KEY": KEY}


def with_something_to_find(server: Server) -> dict[str, Any]:
    """The document, with the ids of things that exist among the values to try."""
    with server.sync_client() as client:
        document: dict[str, Any] = client.get("/openapi.json").json()
        story = Story(document)
        steps = [step for step in story.steps() if step[0].name not in WITH_STRIPE]
        for operation, body in steps:
            answer = client.request(operation.method, story.address(operation), json=body)
            if page := story.learn(operation, answer.raise_for_status()):
                client.post(page, data=CARD)
    known = {name: {value} for name, value in story.known.items()}
    known |= {"asset": {"USD", "credits"}, "code": {"image_gen"}, "source": {"USD"}}
    for methods in document["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                _add(parameter, "schema", known.get(parameter["name"]))
    for schema in document["components"]["schemas"].values():
        for name in schema.get("properties", {}):
            _add(schema["properties"], name, known.get(name))
    return document


def _add(holder: dict[str, Any], name: str, values: set[Any] | None) -> None:
    if values:
        holder[name] = {"anyOf": [{"enum": sorted(values)}, holder[name]]}


class Enough(BaseException):
    """Ends the requests to an operation; hypothesis lets it pass, as it does an interrupt."""


def broken_promises(operation: Any, mode: GenerationMode, server: Server) -> list[str]:
    """What the first bad answer has wrong, as it happened: a second try would find other data."""
    ends = time.monotonic() + SECONDS_EACH
    broken: list[str] = []

    @hypothesis.seed(2026)
    @hypothesis.settings(
        max_examples=REQUESTS_EACH,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        answer = case.call(base_url=server.url, headers=HEADERS)
        try:
            case.validate_response(answer, checks=CHECKS)
        except FailureGroup as failures:
            broken.append(f"{operation.label}: {failures.exceptions}\n{answer.request.body!r}")
        if broken or time.monotonic() > ends:
            raise Enough

    # An operation without parameters has no bad requests: nothing to make.
    with suppress(Enough, hypothesis.errors.Unsatisfiable):
        send()
    return broken


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_request_breaks_the_server_or_its_document(
    shared_server: Server, module_database_url: str, tmp_path: Path
) -> None:
    schema = schemathesis.openapi.from_dict(with_something_to_find(shared_server))
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 40
    broken = [
        promise
        for operation in operations
        for mode in GenerationMode
        for promise in broken_promises(operation, mode, shared_server)
    ]
    assert not broken, "\n\n".join(broken)
    verify_by_command(module_database_url, tmp_path)
