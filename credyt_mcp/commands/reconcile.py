"""`credyt-mcp reconcile`: vendors' bills beside what was recorded. Decides nothing.

For a nightly job too: exit code 1 when what is not explained or booked is more than is said.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import anyio
import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from credyt_mcp.app import running
from credyt_mcp.commands.console import PLAIN, AsJson, Live, print_json, stderr, stdout
from credyt_mcp.settings import load_settings
from credyt_mcp.use_cases import reconciliation_fields as fields
from credyt_mcp.use_cases import reconciliations, vendor_bills
from credyt_mcp.use_cases.context import Billing

AT_ONCE = 500
HUNDRED = Decimal(100)

Files = Annotated[
    list[Path] | None,
    typer.Argument(help="Bills or usage exports to import first: OpenAI or Anthropic JSON, CSV."),
]


class _Asked(NamedTuple):
    files: list[Path]
    bill: dict[str, Any]
    period: dict[str, Any]
    group_by: str
    true_up: bool
    reverse: bool


def reconcile(
    files: Files = None,
    vendor: Annotated[
        str | None, typer.Option(help="Whose bill it is, and whose to compare.")
    ] = None,
    part: Annotated[
        str, typer.Option(help="Which of a vendor's several bills for one day, such as a project.")
    ] = "",
    period_from: Annotated[
        str | None, typer.Option("--from", help="First day, such as 2026-03-01.")
    ] = None,
    period_to: Annotated[str | None, typer.Option("--to", help="Last day, included.")] = None,
    group_by: Annotated[str, typer.Option("--by", help="day, model or vendor.")] = "model",
    true_up: Annotated[
        bool, typer.Option("--true-up", help="Book the difference as a cost.")
    ] = False,
    reverse: Annotated[
        bool, typer.Option("--reverse-true-up", help="Take back what was booked.")
    ] = False,
    max_difference: Annotated[
        str | None,
        typer.Option(help="Exit code 1 if more of what was billed is open, such as 3%."),
    ] = None,
    as_json: AsJson = False,
    live: Live = False,
) -> None:
    """Compare vendors' bills with the costs that were recorded: the difference, and why."""
    days = {"period_from": _day(period_from, "--from"), "period_to": _day(period_to, "--to")}
    if group_by not in ("day", "model", "vendor"):
        raise typer.BadParameter("must be day, model or vendor", param_hint="--by")
    limit = _percent(max_difference)
    asked = _Asked(
        files or [],
        {"vendor": vendor, "part": part},
        {"vendor_id": vendor, **days},
        group_by,
        true_up,
        reverse,
    )
    found = anyio.run(_reconciled, asked, live)
    if as_json:
        print_json(found.model_dump(mode="python"))
    else:
        _show(found)
    if limit is not None and any(
        abs(one.open) * HUNDRED > limit * abs(one.billed) for one in found.totals
    ):
        raise typer.Exit(1)


async def _reconciled(asked: _Asked, live: bool) -> fields.Reconciliation:
    settings = load_settings().model_copy(update={"webhook_worker": False})
    async with running(settings, environment="live" if live else "test") as system:
        billing = system.billing
        for path in asked.files:
            await anyio.to_thread.run_sync(_import, billing, path, asked.bill)
        if asked.true_up or asked.reverse:
            period = fields.BilledPeriod.model_validate(asked.period)
            rows = await anyio.to_thread.run_sync(_compared, billing, period)
            done = await reconciliations.book_true_ups(billing, rows, reverse=asked.reverse)
            for one in done.amounts:
                stderr.print(f"true-up: {one.added:+f} {one.currency} booked", **PLAIN)
        command = fields.ReconcileCosts.model_validate({**asked.period, "group_by": asked.group_by})
        return await anyio.to_thread.run_sync(_compare, billing, command)


def _import(billing: Billing, path: Path, bill: dict[str, Any]) -> None:
    command = vendor_bills.BillFields.model_validate({**bill, "name": path.name[:255]})
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            kept = vendor_bills.import_text(billing, command, text)
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path}: {error}", param_hint="FILES") from None
    said = "had been imported" if kept.duplicate else f"{kept.lines:,} lines imported"
    stderr.print(f"{escape(path.name)}: {said} ({kept.id})", **PLAIN)
    for warning in kept.warnings:
        stderr.print(f"[yellow]![/yellow] {escape(warning)}", **PLAIN)


def _compare(billing: Billing, command: fields.ReconcileCosts) -> fields.Reconciliation:
    with _bar() as bar:
        return reconciliations.reconciliation(billing, command, _stepper(bar))


def _compared(billing: Billing, command: fields.BilledPeriod) -> reconciliations.Found:
    with _bar() as bar:
        return reconciliations.compared(billing, command, _stepper(bar), None)


def _bar() -> Progress:
    columns = (TextColumn("events"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=stderr, transient=True)


def _stepper(bar: Progress) -> reconciliations.Progress:
    task, walked = bar.add_task("events", total=None), 0

    def step(count: int, total: int) -> None:
        nonlocal walked
        walked += count
        if walked % AT_ONCE == 0:
            anyio.from_thread.check_cancelled()
            bar.update(task, completed=walked, total=total)

    return step


def _day(said: str | None, option: str) -> date | None:
    try:
        return None if said is None else date.fromisoformat(said)
    except ValueError:
        raise typer.BadParameter("must be a day such as 2026-03-01", param_hint=option) from None


def _percent(said: str | None) -> Decimal | None:
    try:
        return None if said is None else Decimal(said.removesuffix("%"))
    except InvalidOperation:
        raise typer.BadParameter(
            "must be a percentage such as 3%", param_hint="--max-difference"
        ) from None


def _show(found: fields.Reconciliation) -> None:
    table = Table("", "billed", "recorded", "difference", "why", "booked", box=None)
    for row in found.rows:
        who = " ".join(
            str(word)
            for word in (row.vendor_external_id or row.vendor_id, row.model, row.day)
            if word is not None
        )
        table.add_row(escape(who), *_figures(row))
    for total in found.totals:
        table.add_row(f"[bold]all, {total.currency}[/bold]", *_figures(total))
    stdout.print(f"{found.period_from} to {found.period_to}", **PLAIN)
    stdout.print(table)
    for one in found.without_bill:
        who = escape(one.vendor_external_id or one.vendor_id)
        stdout.print(
            f"{who}: {one.recorded:f} {one.currency} recorded on {one.days} days without a bill",
            **PLAIN,
        )
    for warning in found.warnings:
        stdout.print(f"[yellow]![/yellow] {escape(warning)}", **PLAIN)


def _figures(row: fields.Reconciled) -> list[str]:
    why = "\n".join(f"{name} {amount:+f}" for name, amount in row.classes.model_dump().items())
    booked = f"{row.true_up:f}" if row.true_up else ""
    return [f"{row.billed:f}", f"{row.recorded:f}", f"{row.difference:+f}", why, booked]
