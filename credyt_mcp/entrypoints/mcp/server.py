"""The MCP face: lists the tools, checks arguments, performs the use case, writes the result.

The SDK's own argument handling is replaced because it ignores unknown arguments, repeats rejected
values (one may be a secret) and passes money through doubles. Errors a model can act on are one
line: `code: what is wrong. What to do.`
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, NamedTuple

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, TextContent, Tool
from pydantic import BaseModel, ValidationError

from credyt_mcp import exact_json
from credyt_mcp.entrypoints.mcp.tool import BillingTool
from credyt_mcp.entrypoints.mcp.tools import TOOLS
from credyt_mcp.entrypoints.validation import invalid_request
from credyt_mcp.errors import CredytError, InvalidRequest
from credyt_mcp.use_cases.context import Billing, perform

log = logging.getLogger(__name__)

INSTRUCTIONS = """\
Real-time prepaid usage billing. To charge for usage: create_product (or create_product without \
prices, then define_price for each price), create_wallet for a customer, record_event when \
something billable happened; generate_topup_flow gives a link where the customer pays. To stop \
before the money runs out, authorize_usage before the work and record_event with its id after. \
Amounts are decimal numbers in major units (0.05 USD is five cents); a decimal string is accepted \
for more than 15 digits. Ids take the id or your own code. To retry record_event, submit_events or \
create_adjustment, send the same id: it is never billed twice. simulate_usage shows fees without \
billing. Test data unless the server was started with --live. Never ask for card numbers or API \
keys in chat: customers pay on the link's page."""

FAILED = (
    "internal_error: the server failed and wrote nothing. Retry with the same ids; "
    "if it persists, see the server's log."
)

CurrentBilling = Callable[[], Billing]


class Answer(NamedTuple):
    """What a call came to: the result as JSON with every digit, or why it failed in one line."""

    text: str
    failed: bool


class BillingServer(MCPServer[Any]):
    """`current` answers the running system as the tenant of the call under way."""

    def __init__(self, current: CurrentBilling) -> None:
        super().__init__(
            "credyt",
            title="Credyt billing",
            version=version("credyt-mcp"),
            instructions=INSTRUCTIONS,
            log_level="WARNING",
        )
        self._current = current
        self._by_name = {tool.name: tool for tool in TOOLS}

    async def list_tools(self) -> list[Tool]:
        return [tool.describe() for tool in TOOLS]

    def info(self) -> dict[str, Any]:
        """What this server says it is, as results of the protocol carry it."""
        return self._lowlevel_server.server_info_stamp

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult:
        said = await self.answer(self._current(), name, exact_json.restore(arguments))
        if said.failed:
            raise ToolError(said.text)
        return CallToolResult(
            content=[TextContent(type="text", text=said.text)],
            structured_content=exact_json.loads_marked(said.text),
        )

    async def answer(self, billing: Billing, name: str, arguments: dict[str, Any]) -> Answer:
        """Perform a tool's use case for the tenant of `billing`, on exact arguments."""
        tool = self._by_name.get(name)
        if tool is None:
            unknown = f"unknown_tool: there is no tool '{name}'. tools/list shows them."
            return Answer(unknown, failed=True)
        try:
            result = await perform(billing, tool.use_case, _command(tool, arguments))
            content = result.model_dump() if isinstance(result, BaseModel) else {"ok": True}
            return Answer(exact_json.dumps(content).decode(), failed=False)
        except CredytError as error:
            return Answer(_one_line(error), failed=True)
        except Exception:
            log.exception("tool %s failed", name)
            return Answer(FAILED, failed=True)


def _command(tool: BillingTool, arguments: dict[str, Any]) -> Any:
    unknown = sorted(arguments.keys() - tool.arguments)
    if unknown:
        valid = ", ".join(sorted(tool.arguments))
        message = f"unknown argument of {tool.name}; its arguments are: {valid}"
        raise InvalidRequest({name: [message] for name in unknown})
    if rb"\u0000" in exact_json.dumps(arguments):
        raise InvalidRequest("", "a text has a NUL character; leave it out")
    try:
        return tool.command.model_validate(arguments)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False, include_context=False)
        raise invalid_request(found, arguments) from None


def _one_line(error: CredytError) -> str:
    if isinstance(error, InvalidRequest):
        fields = "; ".join(
            f"{field}: {' and '.join(messages)}" for field, messages in error.errors.items()
        )
        return f"{error.code}: {fields}. {error.hint}"
    return str(error)
