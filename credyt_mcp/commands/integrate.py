"""`credyt-mcp integrate`: put billing into an app, update it, take it out. No decisions.

The catalogue is only asked when neither the command nor an earlier integration says what is sold.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import anyio
import httpx
import typer
from rich.markup import escape
from rich.table import Table

from credyt_mcp import exact_json
from credyt_mcp.app import running
from credyt_mcp.commands.console import PLAIN, AsJson, print_json, print_line, stdout
from credyt_mcp.settings import load_settings
from credyt_mcp.trial.probes import Asking, Tried, try_out
from credyt_mcp.trial.stage import Stage, at_server, house, joined
from credyt_mcp.use_cases import (
    integration_checks,
    integration_files,
    integration_logs,
    integrations,
)

app = typer.Typer(help="Billing code in your own app.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="The app's folder.")]
Events = Annotated[
    list[str] | None, typer.Option("--event", help="A billable event type; may be repeated.")
]
Products = Annotated[
    list[str] | None, typer.Option("--product", help="Code of a product that users get.")
]
Asset = Annotated[str | None, typer.Option("--asset", help="What top-ups credit, such as USD.")]
Stack = Annotated[str | None, typer.Option("--stack", help="If several are recognised.")]
Root = Annotated[str | None, typer.Option("--root", help="The app's folder in a monorepo.")]


@app.command("plan")
def plan(
    folder: Folder,
    event: Events = None,
    product: Products = None,
    asset: Asset = None,
    stack: Stack = None,
    root: Root = None,
    diff: Annotated[bool, typer.Option("--diff", help="Show what would change.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what would be written, and what is for you to do. Writes nothing."""
    made = _plan(folder, _given(event, product, asset, stack, root))
    shown = integrations.view(made)
    if as_json:
        contents = [integrations.content(one, n) for n, one in enumerate(made.operations, 1)]
        said = {**shown.model_dump(), "operations": [one.model_dump() for one in contents]}
        print_json(said)
        return
    _show(made)
    if diff:
        for operation in made.operations:
            print_line(operation.diff())


@app.command("apply")
def apply(
    folder: Folder,
    event: Events = None,
    product: Products = None,
    asset: Asset = None,
    stack: Stack = None,
    root: Root = None,
    plan_id: Annotated[
        str | None, typer.Option("--plan", help="Refuse any other plan than the one of this id.")
    ] = None,
) -> None:
    """Write billing into the app, or bring it up to date; your own changes are kept."""
    made = _plan(folder, _given(event, product, asset, stack, root))
    integration_files.apply(folder, made, plan_id)
    _show(made)
    if not made.operations:
        raise typer.Exit(0 if made.stack != "unknown" else 1)


@app.command("remove")
def remove(folder: Folder) -> None:
    """Take it out again; what you changed is left, and named."""
    done = integration_files.remove(folder)
    for path in sorted(done.changes):
        stdout.print(f"removed from {escape(path)}", highlight=False)
    for left in done.left:
        stdout.print(f"[yellow]left[/yellow] {escape(left)}", highlight=False, soft_wrap=True)


@app.command("status")
def status(folder: Folder) -> None:
    """How each file of the integration stands."""
    table = Table("file", "is")
    for path, state in integration_files.status(folder).items():
        table.add_row(escape(path), state)
    stdout.print(table)


@app.command("verify")
def verify(
    folder: Folder,
    run: Annotated[
        str | None, typer.Option("--run", help="Start the app so, and try it; {port} is its port.")
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", help="Try the app that runs there, by its .env's server.")
    ] = None,
    route: Annotated[
        str | None, typer.Option(help='What is paid, such as "POST /images", if not recognised.')
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option(help='Who asks, such as "x-user: {user}".')
    ] = None,
    before: Annotated[
        list[str] | None, typer.Option(help='How a user signs in: "POST /login name={user}".')
    ] = None,
    body: Annotated[str | None, typer.Option(help="The request's JSON, or form fields.")] = None,
    as_json: AsJson = False,
) -> None:
    """Look for what costs money, in code and in the running app; exit code 1 if there is any."""
    snapshot = integration_files.read_app(folder)
    found = integration_checks.verified(snapshot, integration_files.read_beside(folder))
    tried = Tried()
    if run is not None or url is not None:
        routes = integration_checks.billable_routes(snapshot)
        where = next((one for one in routes if one.path), next(iter(routes), None))
        known = f"{where.method} {where.path}" if where else ""
        webhook = integration_checks.webhook_path(snapshot)
        asking = _asking(route or known, webhook, header, before, body)
        with _stage(folder, run, url, webhook) as stage:
            tried = try_out(stage, asking)
        found += [
            integration_checks.seen_alive(one.rule, one.said, snapshot, where)
            for one in tried.wrong
        ]
    _tell(found, tried, as_json)
    if found:
        raise typer.Exit(1)


@app.command("resend")
def resend(
    log: Annotated[typer.FileText, typer.Argument(help="The app's log; - reads what is piped in.")],
    folder: Annotated[Path, typer.Option("--app", help="Its folder, for its .env.")] = Path(),
) -> None:
    """Bill usage that the app could not, as its log tells; what is billed is not billed again."""
    found = integration_logs.unbilled(log)
    with at_server(integration_files.read_settings(folder)) as billing:
        answers = {event_id: _sent(billing, body) for event_id, body in found.bodies.items()}
    wrong = {event_id: said for event_id, said in answers.items() if said}
    told = wrong | {f"line {number}": "usage that cannot be read" for number in found.damaged}
    for what, said in told.items():
        stdout.print(f"[red]{escape(what)}[/red] {escape(said)}", **PLAIN)
    stdout.print(f"{len(answers) - len(wrong)} of {len(answers)} events are billed", **PLAIN)
    if told:
        raise typer.Exit(1)


def _sent(billing: httpx.Client, body: dict[str, Any]) -> str:
    """Why it was not billed; '' if it is, now or before."""
    headers = {"content-type": "application/json"}
    try:
        answer = billing.post("/events", content=exact_json.dumps(body), headers=headers)
    except httpx.TransportError as failure:
        return f"was not sent: {failure}"
    return f"{answer.status_code} {answer.text[:300]}" if answer.is_error else ""


def _asking(
    route: str, webhook: str, headers: list[str] | None, before: list[str] | None, body: str | None
) -> Asking:
    method, _, path = route.partition(" ")
    if not path.startswith("/"):
        raise typer.BadParameter('say what is paid, such as "POST /images"', param_hint="--route")
    pairs = (one.partition(":") for one in headers or [])
    steps = (one.split(" ", 2) for one in before or [])
    return Asking(
        method.upper(),
        path,
        webhook,
        {name.strip(): value.strip() for name, _, value in pairs},
        body,
        tuple((verb, path, rest[0] if rest else None) for verb, path, *rest in steps),
    )


@contextmanager
def _stage(folder: Path, run: str | None, url: str | None, webhook: str) -> Iterator[Stage]:
    """A throw-away server for an app that we start; for one that runs, the server it uses."""
    manifest = integration_files.manifest_of(integration_files.read_app(folder))
    if run is not None:
        with house(folder / manifest.root, run, manifest.answers, webhook) as stage:
            yield stage
        return
    assert url is not None
    settings = integration_files.read_settings(folder / manifest.root)
    with joined(url, settings, str(manifest.answers.get("asset", "USD"))) as stage:
        yield stage


def _tell(found: list[integration_checks.Finding], tried: Tried, as_json: bool) -> None:
    if as_json:
        said = {
            "clean": not found,
            "findings": [one.model_dump() for one in found],
            "passed": tried.passed,
            "not_tried": tried.skipped,
        }
        print_json(said)
        return
    for one in found:
        where = f"{one.path}:{one.line}" if one.line else one.path
        stdout.print(f"[red]{one.rule}[/red] [bold]{escape(where)}[/bold]", **PLAIN)
        stdout.print(escape(f"  {one.said}\n  costs  {one.cost}\n  fix    {one.fix}"), **PLAIN)
    for what in tried.passed:
        stdout.print(f"[green]✓[/green] {what}", **PLAIN)
    for what in tried.skipped:
        stdout.print(f"[yellow]not tried[/yellow] {escape(what)}", **PLAIN)
    if not found:
        stdout.print("[green]✓[/green] Nothing found.", **PLAIN)


def _given(
    events: list[str] | None,
    products: list[str] | None,
    asset: str | None,
    stack: str | None,
    root: str | None,
) -> dict[str, Any]:
    said = {"events": events, "products": products, "asset": asset, "stack": stack, "root": root}
    return {name: value for name, value in said.items() if value}


def _plan(folder: Path, given: dict[str, Any]) -> integration_files.Plan:
    snapshot = integration_files.read_app(folder)

    def catalogue() -> dict[str, Any]:
        return {} if {"events", "products"} <= given.keys() else anyio.run(_sold)

    return integrations.planned(snapshot, given, catalogue)


async def _sold() -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        system = await stack.enter_async_context(running(load_settings()))
        return await anyio.to_thread.run_sync(integrations.sold, system.billing)


def _show(made: integration_files.Plan) -> None:
    where = f" in {made.root}" if made.root else ""
    stdout.print(f"[bold]{made.stack}[/bold]{where} ({made.confidence})  {made.id}", **PLAIN)
    for said in (*made.evidence, *(f"could be {one}" for one in made.candidates)):
        stdout.print(f"  {escape(said)}", **PLAIN)
    for operation in made.operations:
        stdout.print(
            f"{operation.kind:7} [bold]{escape(operation.path)}[/bold]  {operation.reason}", **PLAIN
        )
        if not operation.changes:
            stdout.print(escape(operation.content), style="cyan", **PLAIN)
    if made.empty and made.stack != "unknown":
        stdout.print("Nothing to write: it is up to date.", **PLAIN)
    for said in made.by_hand:
        stdout.print(f"set     {escape(said)}", **PLAIN)
    for said in made.checks:
        stdout.print(f"check   {escape(said)}", **PLAIN)
