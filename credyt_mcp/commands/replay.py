"""`credyt-mcp replay`: recorded usage under other prices, however much. Decides nothing.

For continuous integration too: exit code 1 when a customer's bill would rise by more than is said.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import anyio
import typer
from pydantic import TypeAdapter, ValidationError
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from credyt_mcp import exact_json
from credyt_mcp.app import running
from credyt_mcp.commands.console import PLAIN, AsJson, Live, print_json, stderr, stdout
from credyt_mcp.settings import load_settings
from credyt_mcp.use_cases import replay_fields, replays

AT_ONCE = 500
_COMMAND: TypeAdapter[replay_fields.ReplayPricing] = TypeAdapter(replay_fields.ReplayPricing)

Prices = Annotated[
    Path | None,
    typer.Option(
        "--prices", help="JSON file: a list of prices, or an object with `prices` or `define`."
    ),
]


def replay(
    product: Annotated[str | None, typer.Option(help="Id or code of the product.")] = None,
    version: Annotated[
        int | None, typer.Option(help="Default: the newest draft, else the default version.")
    ] = None,
    prices: Prices = None,
    occurred_from: Annotated[
        str | None, typer.Option("--from", help="First moment, such as 2026-03-01.")
    ] = None,
    occurred_to: Annotated[
        str | None, typer.Option("--to", help="End, not included, such as 2026-04-01.")
    ] = None,
    customer: Annotated[
        list[str] | None, typer.Option("--customer", help="Only this one; may be repeated.")
    ] = None,
    everyone: Annotated[
        bool, typer.Option("--everyone", help="Also customers without the product.")
    ] = False,
    max_rise: Annotated[
        str | None,
        typer.Option(help="Exit code 1 if a bill rises by more, such as 20%, or is a first bill."),
    ] = None,
    target_margin: Annotated[
        str | None, typer.Option(help="Suggest a price for this margin, such as 70%.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What to call the replay.")] = None,
    as_json: AsJson = False,
    live: Live = False,
) -> None:
    """Replay recorded usage under other prices: revenue, margin, bills, and who would run dry."""
    given: dict[str, Any] = {
        "product_id": product,
        "version": version,
        "occurred_from": _moment(occurred_from),
        "occurred_to": _moment(occurred_to),
        "customers": customer,
        "everyone": everyone or None,
        "max_rise": _percent(max_rise, "--max-rise"),
        "target_margin": _percent(target_margin, "--target-margin"),
        "name": name,
        **_prices(prices),
    }
    found = anyio.run(_replayed, _command(given), live)
    if as_json:
        print_json(found.model_dump())
    else:
        _show(found)
    if max_rise is not None and found.bill_shock.customers_over:
        raise typer.Exit(1)


async def _replayed(command: replay_fields.ReplayPricing, live: bool) -> replay_fields.Replay:
    settings = load_settings().model_copy(update={"webhook_worker": False})
    async with running(settings, environment="live" if live else "test") as system:
        return await anyio.to_thread.run_sync(_with_progress, system.billing, command)


def _with_progress(billing: Any, command: replay_fields.ReplayPricing) -> replay_fields.Replay:
    columns = (TextColumn("events"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    walked = 0
    with Progress(*columns, console=stderr, transient=True) as bar:
        task = bar.add_task("events", total=None)

        def step(count: int, total: int) -> None:
            nonlocal walked
            walked += count
            if walked % AT_ONCE == 0:
                anyio.from_thread.check_cancelled()
                rounds = -(-walked // max(total, 1))  # a suggested price is replayed as well
                bar.update(task, completed=walked, total=rounds * total)

        return replays.replay(billing, command, step)


def _command(given: dict[str, Any]) -> replay_fields.ReplayPricing:
    try:
        return _COMMAND.validate_python({k: v for k, v in given.items() if v is not None})
    except ValidationError as error:
        entry = error.errors()[0]
        place = ".".join(map(str, entry["loc"]))
        raise typer.BadParameter(f"{place}: {entry['msg']}") from None


def _prices(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        said = exact_json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{path}: {error}", param_hint="--prices") from None
    if isinstance(said, list):
        return {"prices": said}
    if not isinstance(said, dict) or not said.keys() & {"prices", "define"}:
        raise typer.BadParameter("has neither prices nor define", param_hint="--prices")
    return {key: said[key] for key in ("prices", "define") if key in said}


def _moment(said: str | None) -> str | None:
    """A day is its first moment in UTC."""
    return f"{said}T00:00:00Z" if said is not None and "T" not in said else said


def _percent(said: str | None, option: str) -> Decimal | None:
    try:
        return None if said is None else Decimal(said.removesuffix("%"))
    except InvalidOperation:
        raise typer.BadParameter("must be a percentage such as 20%", param_hint=option) from None


def _show(found: replay_fields.Replay) -> None:
    table = Table("", "billed", "replayed", "change", box=None)
    for fee in found.fees:
        percent = "" if fee.percent is None else f" ({fee.percent:+.1f} %)"
        change = f"{fee.change:+f}{percent}"
        table.add_row(f"fees {fee.asset}", f"{fee.billed:f}", f"{fee.replayed:f}", change)
    before, after = found.billed, found.replayed
    for label, field in (("revenue", "gross_revenue"), ("cost", "total_costs")):
        old, new = getattr(before, field), getattr(after, field)
        table.add_row(f"{label} {after.currency}", f"{old:f}", f"{new:f}", f"{new - old:+f}")
    rise = f"{after.margin - before.margin:+.2f} points"
    table.add_row("margin", f"{before.margin:.2f} %", f"{after.margin:.2f} %", rise)
    stdout.print(f"[bold]{found.id}[/bold]  {found.events:,} events, {found.customers:,} customers")
    stdout.print(table)
    shock, dry = found.bill_shock, found.ran_dry
    stdout.print(
        f"{shock.customers_over:,} customers ({shock.share_over:.1f} %) pay over "
        f"{shock.max_rise:f} % more; {dry.customers:,} run dry, {dry.newly:,} of them newly.",
        **PLAIN,
    )
    for one in shock.largest:
        who = escape(one.external_id or one.customer_id)
        said = "a first bill" if one.rise is None else f"{one.rise:+.1f} %"
        stdout.print(f"  {who}: {said}", **PLAIN)
    _show_suggestion(found.suggestion)
    for warning in found.warnings:
        stdout.print(f"[yellow]![/yellow] {escape(warning)}", **PLAIN)


def _show_suggestion(one: replay_fields.SuggestedPrice | None) -> None:
    if one is None:
        return
    if not one.reached or one.margin is None:
        stdout.print(f"No price for a margin of {one.target_margin:f} %: {one.reason}.", **PLAIN)
        return
    if one.value is not None and one.was is not None:
        said = f"{escape(str(one.price_name))}: {one.field} {one.value:f} instead of {one.was:f}"
    else:
        said = f"all usage prices times {one.factor:f}"
    stdout.print(f"For {one.target_margin:f} %: {said} (replayed: {one.margin:.2f} %).", **PLAIN)
