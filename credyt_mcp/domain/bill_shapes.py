"""Reads bills and usage exports in the shapes that vendors give them in. Pure.

Every line becomes an amount or a quantity of one model, day and group of tokens. Nothing is left
out: a line whose meaning is not known keeps its amount, without a model or without a group.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from credyt_mcp.domain.assets import currency
from credyt_mcp.domain.llm_pricing import RATE_OF
from credyt_mcp.domain.money import EXACT
from credyt_mcp.domain.vendor_bills import (
    COST,
    DAY_SECONDS,
    GROUPS,
    REQUESTS,
    USAGE,
    WHOLE,
    BillLine,
    count_of,
    currency_of,
    day_of,
    decimal_of,
    moment_of,
    quantity_of,
    text_of,
    wrong,
)
from credyt_mcp.errors import InvalidRequest

EXPECTED = (
    "is in no known shape; expected OpenAI's /v1/organization/costs or /usage/… pages (buckets "
    "with start_time and results), Anthropic's cost_report or usage_report/messages pages (buckets "
    "with starting_at and results), or CSV with a header of day, vendor, model, class, tier, "
    "amount, currency, quantity, requests, of which day and amount or quantity are needed"
)
_OPENAI_COUNTS = {
    "embeddings": ("input_tokens", "input"),
    "moderations": ("input_tokens", "input"),
    "images": ("images", "other"),
    "audio_speeches": ("characters", "other"),
    "audio_transcriptions": ("seconds", "other"),
    "web_searches": ("num_requests", "search"),
}
_LINE_ITEM = re.compile(r"(?:(?P<tier>[\w-]+) \| )?(?P<model>[^\s,|]+)(?: [\w-]+)?, (?P<what>.+)")
_UNITS = {None: 1, "tokens": 1, "1000_tokens": 1000}
_TOKEN_TYPES = {
    "uncached_input_tokens": "input_uncached",
    "cache_read_input_tokens": "input_cached_read",
    "output_tokens": "output_text",
}
_WRITES = {
    "ephemeral_5m_input_tokens": "cache_write_5m",
    "ephemeral_1h_input_tokens": "cache_write_1h",
}
_COST_TYPES = {"web_search": "search"}
_CLASSES = {*GROUPS, *RATE_OF}


def lines_of_json(document: Any, vendor: str | None) -> Iterator[BillLine]:
    """The lines of pages of buckets, one page or several. Raises InvalidRequest."""
    kinds: set[str] = set()
    empty: list[BillLine] = []
    for path, bucket in _buckets(document, "document"):
        covered = _covered(bucket, path, vendor)
        read = _of_openai if "start_time" in bucket else _of_anthropic
        for index, result in enumerate(bucket["results"]):
            place = f"{path}.results[{index}]"
            if not isinstance(result, Mapping):
                raise InvalidRequest(place, EXPECTED)
            for line in read(covered, result, place):
                kinds.add(line.kind)
                yield line
        if not bucket["results"]:
            empty.append(covered)
    if not kinds:
        raise InvalidRequest("document", f"has no results; {EXPECTED}" if empty else EXPECTED)
    for kind in kinds:  # days on which nothing was billed
        yield from (line._replace(kind=kind) for line in empty)


def is_cut_off(document: Any) -> bool:
    """Whether the last page says that there are more."""
    last = document[-1] if isinstance(document, list) and document else document
    return isinstance(last, Mapping) and last.get("has_more") is True


def lines_of_csv(text: Iterable[str], vendor: str | None) -> Iterator[BillLine]:
    """The lines of a table, read one at a time. Raises InvalidRequest, naming the line."""
    rows = csv.reader(text)
    header = [name.strip().lower().lstrip("\ufeff") for name in next(rows, ())]
    if "day" not in header or not {"amount", "quantity"} & set(header):
        raise InvalidRequest("document", EXPECTED)
    try:
        for row in rows:
            if any(cell.strip() for cell in row):
                cells = {name: cell.strip() for name, cell in zip(header, row, strict=False)}
                yield from _of_row(cells, f"line {rows.line_num}", vendor)
    except csv.Error as error:
        raise InvalidRequest("document", f"line {rows.line_num}: {error}") from None


def _of_row(cells: dict[str, str], path: str, vendor: str | None) -> Iterator[BillLine]:
    whose = cells.get("vendor") or vendor
    if not whose:
        raise wrong(path, "has no vendor; add the column or name the vendor of the file")
    group = cells.get("class", "").lower()
    if group and group not in _CLASSES:
        raise wrong(path, f"class must be one of {', '.join(GROUPS)}, or empty")
    amount = decimal_of(cells.get("amount") or None, f"{path} amount")
    quantity = quantity_of(cells.get("quantity") or None, f"{path} quantity")
    if amount is None and quantity is None:
        raise wrong(path, "has neither an amount nor a quantity")
    line = BillLine(
        whose,
        day_of(cells.get("day", ""), f"{path} day"),
        USAGE if amount is None else COST,
        cells.get("model", ""),
        group,
        cells.get("tier", "").lower(),
        currency_of(cells.get("currency") or "USD", f"{path} currency"),
        amount,
        quantity,
    )
    yield line
    requests = quantity_of(cells.get("requests") or None, f"{path} requests")
    if requests is not None:
        yield line._replace(group=REQUESTS, amount=None, quantity=requests)


def _buckets(given: Any, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(given, list):
        for index, item in enumerate(given):
            yield from _buckets(item, f"{path}[{index}]")
    elif isinstance(given, Mapping) and isinstance(given.get("data"), list):
        yield from _buckets(given["data"], f"{path}.data")
    elif isinstance(given, Mapping) and isinstance(given.get("results"), list):
        yield path, given
    elif not (isinstance(given, Mapping) and given.get("data") == []):
        raise InvalidRequest(path, EXPECTED)


def _covered(bucket: Mapping[str, Any], path: str, vendor: str | None) -> BillLine:
    """A line that says which day a bucket is of."""
    of_openai = "start_time" in bucket
    if not of_openai and "starting_at" not in bucket:
        raise InvalidRequest(path, EXPECTED)
    start, end = ("start_time", "end_time") if of_openai else ("starting_at", "ending_at")
    day = day_of(bucket[start], f"{path}.{start}")
    ends = bucket.get(end)
    if ends is not None and moment_of(ends, f"{path}.{end}") > (day + 1) * DAY_SECONDS:
        raise InvalidRequest(path, "covers more than a UTC day; export it by the day or the hour")
    return BillLine(vendor or ("openai" if of_openai else "anthropic"), day, COST)


def _of_openai(line: BillLine, result: Mapping[str, Any], path: str) -> Iterator[BillLine]:
    what = result.get("object")
    if what == "organization.costs.result":
        yield _openai_cost(line, result, path)
        return
    if not isinstance(what, str) or not what.startswith("organization.usage."):
        raise InvalidRequest(path, EXPECTED)
    tier = "batch" if result.get("batch") else result.get("service_tier") or ""
    endpoint = what.removeprefix("organization.usage.").removesuffix(".result")
    kind = USAGE if endpoint == "completions" else f"{USAGE}.{endpoint}"
    line = line._replace(kind=kind, model=text_of(result, "model"), tier=str(tier))
    if kind == USAGE:
        yield from _openai_tokens(line, result, path)
    elif endpoint in _OPENAI_COUNTS:
        name, group = _OPENAI_COUNTS[endpoint]
        yield line._replace(group=group, quantity=count_of(result, name, path))
    else:
        yield line
    if result.get("num_model_requests") is not None:
        yield line._replace(
            group=REQUESTS, quantity=count_of(result, "num_model_requests", path), amount=None
        )


def _openai_tokens(line: BillLine, result: Mapping[str, Any], path: str) -> Iterator[BillLine]:
    """What is cached or written to a cache is inside the input."""
    cached = count_of(result, "input_cached_tokens", path)
    longer = count_of(result, "input_cache_write_12h_tokens", path)
    written = max(count_of(result, "input_cache_write_tokens", path), longer)
    fresh = count_of(result, "input_tokens", path) - cached - written
    if fresh < 0:
        raise InvalidRequest(path, "has more cached tokens than input tokens")
    for group, quantity in (
        ("input_uncached", fresh),
        ("input_cached_read", cached),
        ("cache_write_30m", written - longer),
        ("cache_write_12h", longer),
        ("output_text", count_of(result, "output_tokens", path)),
    ):
        if quantity:
            yield line._replace(group=group, quantity=quantity)
    yield line


def _openai_cost(line: BillLine, result: Mapping[str, Any], path: str) -> BillLine:
    amount = result.get("amount")
    if not isinstance(amount, Mapping):
        raise InvalidRequest(f"{path}.amount", "must be an object with value and currency")
    value = decimal_of(amount.get("value"), f"{path}.amount.value")
    code = currency_of(amount.get("currency") or "usd", f"{path}.amount.currency")
    line = line._replace(amount=value or Decimal(0), currency=code)
    item = text_of(result, "line_item")
    if not item:
        return line
    parts = _LINE_ITEM.fullmatch(item)
    if parts is None:
        return line._replace(group="search" if "web search" in item.lower() else "other")
    group = _openai_group(parts["what"].lower())
    quantity = quantity_of(result.get("quantity"), f"{path}.quantity")
    factor = _UNITS.get(result.get("quantity_unit"))
    known = quantity is not None and factor is not None and group in GROUPS[:4]
    return line._replace(
        model=parts["model"],
        group=group,
        tier=(parts["tier"] or "").lower(),
        quantity=quantity * factor if known and quantity is not None and factor else None,
    )


def _openai_group(what: str) -> str:
    if "cache write" in what:
        return "cache_write"
    if "cached" in what:
        return "cache_read"
    first = what.split(",")[0].strip()
    return first if first in ("input", "output") else "other"


def _of_anthropic(line: BillLine, result: Mapping[str, Any], path: str) -> Iterator[BillLine]:
    line = line._replace(model=text_of(result, "model"), tier=text_of(result, "service_tier"))
    if "amount" in result:
        yield _anthropic_cost(line, result, path)
        return
    if "uncached_input_tokens" not in result:
        raise InvalidRequest(path, EXPECTED)
    line = line._replace(kind=USAGE)
    writes = result.get("cache_creation") or {}
    tools = result.get("server_tool_use") or {}
    if not isinstance(writes, Mapping) or not isinstance(tools, Mapping):
        raise InvalidRequest(path, EXPECTED)
    for counted, names in ((result, _TOKEN_TYPES), (writes, _WRITES)):
        for name, group in names.items():
            yield line._replace(group=group, quantity=count_of(counted, name, path))
    searches = count_of(tools, "web_search_requests", path)
    if searches:
        yield line._replace(model="", group="search", quantity=searches)


def _anthropic_cost(line: BillLine, result: Mapping[str, Any], path: str) -> BillLine:
    """Amounts are texts, in the smallest unit of the currency: cents."""
    code = currency_of(result.get("currency") or "USD", f"{path}.currency")
    asset = currency(code)
    assert asset is not None, "it is one"
    minor = decimal_of(result["amount"], f"{path}.amount") or Decimal(0)
    line = line._replace(amount=minor.scaleb(-asset.precision, EXACT), currency=code)
    kind, token_type = text_of(result, "cost_type"), text_of(result, "token_type")
    if token_type.startswith("cache_creation"):
        return line._replace(group=_WRITES.get(token_type.partition(".")[2], "cache_write"))
    if token_type:
        return line._replace(group=_TOKEN_TYPES.get(token_type, "other"))
    return line._replace(group=_COST_TYPES.get(kind, "other") if kind else WHOLE)
