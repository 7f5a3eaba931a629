"""What an MCP tool is here: a use case, its command, and what a model reads about them.

A tool's arguments are its command's fields, so REST, MCP and the documentation share one set of
descriptions. The tools themselves are listed by noun in the files beside this one.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mcp.types import Tool, ToolAnnotations

from credyt_mcp.use_cases.context import Command

# A hint that says no more than the protocol's default is left out: it would be read each time.
READ = ToolAnnotations(read_only_hint=True, open_world_hint=False)
CREATE = ToolAnnotations(destructive_hint=False, open_world_hint=False)
DESTRUCTIVE = ToolAnnotations(open_world_hint=False)
REPEATABLE = ToolAnnotations(destructive_hint=False, idempotent_hint=True, open_world_hint=False)


@dataclass(frozen=True)
class BillingTool:
    use_case: Callable[..., Any]
    command: type[Command]
    title: str
    hints: ToolAnnotations
    description: str = ""

    @property
    def name(self) -> str:
        return self.use_case.__name__

    @cached_property
    def arguments(self) -> frozenset[str]:
        return frozenset(self.command.model_fields)

    def describe(self) -> Tool:
        """What a client lists. No output schema: a result's text and structure speak for it."""
        text = self.description or self.command.__doc__ or ""
        return Tool(
            name=self.name,
            title=self.title,
            description=" ".join(text.split()),
            input_schema=_compact(self.command.model_json_schema()),
            annotations=self.hints,
        )


# Limits are left to the error that names them; what a description shows by example, or another
# tool's arguments say, is not spelled out.
_LEFT_OUT = {"pattern", "minLength", "maxLength", "minItems", "maxItems", "maxProperties"}
_LEFT_OUT |= {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
_BY_EXAMPLE = {"Cost", "LlmUsage", "UsageEventFields", "SimulatedEvent", "AssetLimits"}
_BY_EXAMPLE |= {"SubscriptionFields", "ProductRef", "ExternalAccount"}


def _compact(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with what a model does not need left out, and unknown arguments refused."""
    compact: dict[str, Any] = _simplify(deepcopy(schema))
    compact.pop("description", None)
    shown = {k: v for k, v in compact.pop("$defs", {}).items() if k not in _BY_EXAMPLE}
    if shown:
        compact = {"$defs": shown, **compact}
    compact["additionalProperties"] = False
    return compact


def _simplify(node: Any) -> Any:
    if isinstance(node, list):
        return [_simplify(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "anyOf" in node:
        rest = {key: item for key, item in node.items() if key != "anyOf"}
        node = {**_options(node["anyOf"]), **rest}
    elif str(node.get("$ref", "")).rpartition("/")[2] in _BY_EXAMPLE:
        node = {"type": "object"}
    dropped = {*_LEFT_OUT, "default"} if node.get("default", 0) is None else _LEFT_OUT
    return {
        key: {name: _simplify(item) for name, item in value.items()}
        if key in ("properties", "$defs")
        else _simplify(value)
        for key, value in node.items()
        if key not in dropped and not (key == "title" and isinstance(value, str))
    }


def _options(options: list[dict[str, Any]]) -> dict[str, Any]:
    """Alternatives in the fewest words: an optional argument is simply left out, a Decimal is a
    number, and so is an integer; where one thing or a list will do, the list does for both."""
    options = [option for option in options if option.get("type") != "null"]
    if sorted(option.get("type", "") for option in options) == ["number", "string"]:
        options = [option for option in options if option["type"] == "number"]
    if any(option.get("type") == "number" for option in options):
        options = [option for option in options if option.get("type") != "integer"]
    for option in options:
        if option.get("items") in options:
            options = [one for one in options if one != option["items"]]
    if len(options) == 1:
        return options[0]
    if all(option.keys() == {"type"} for option in options):
        return {"type": [option["type"] for option in options]}
    return {"anyOf": options}
