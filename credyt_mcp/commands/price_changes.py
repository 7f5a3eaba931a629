"""`credyt-mcp price-changes`: what model calls cost by the prices of now. No decisions."""

from __future__ import annotations

from typing import Annotated, Any

import anyio
import typer
from rich.table import Table

from credyt_mcp.app import running
from credyt_mcp.commands.console import AsJson, Live, print_json, stdout
from credyt_mcp.settings import load_settings
from credyt_mcp.use_cases import llm_price_changes


def price_changes(
    since: Annotated[str | None, typer.Option(help="Calls from this day on.")] = None,
    priced_at: Annotated[
        str | None, typer.Option(help="By the prices of this day; default: of each call's own.")
    ] = None,
    as_json: AsJson = False,
    live: Live = False,
) -> None:
    """Show prices of models that changed since calls were booked, and what that costs a product."""
    said = {"since": since, "priced_at": priced_at}
    days = {name: f"{day}T00:00:00Z" for name, day in said.items() if day is not None}
    found = anyio.run(_found, days, live)
    if as_json:
        print_json(found.model_dump())
        return
    table = Table("model", "class", "was", "is", "calls", "by")
    for one in found.changes:
        name, by = f"{one.provider}/{one.model}", f"{one.priced_by} → {one.now_by}"
        table.add_row(name, one.token_class, f"{one.was:f}", f"{one.rate:f}", f"{one.calls:,}", by)
    costs = Table("product", "calls", "booked USD", "would be", "difference")
    for product in found.products:
        amounts = (product.booked, product.repriced, product.difference)
        name = product.product or "(no fee)"
        costs.add_row(name, f"{product.calls:,}", *(f"{amount:f}" for amount in amounts))
    stdout.print(table if found.changes else f"No rate has changed ({found.published}).")
    stdout.print(costs)
    if found.newly_priced or found.no_longer_priced:
        stdout.print(f"{found.newly_priced} have a price now, {found.no_longer_priced} no longer.")


async def _found(days: dict[str, Any], live: bool) -> llm_price_changes.LlmPriceChanges:
    try:
        command = llm_price_changes.ListLlmPriceChanges.model_validate(days)
    except ValueError:
        raise typer.BadParameter("must be a day such as 2026-03-01") from None
    settings = load_settings().model_copy(update={"webhook_worker": False})
    async with running(settings, environment="live" if live else "test") as system:

        def work() -> llm_price_changes.LlmPriceChanges:
            return llm_price_changes.price_changes(system.billing, command, None, lambda _: None)

        return await anyio.to_thread.run_sync(work)
