"""The command line: start a face, try the demo, look after keys, ledger and schema. No decisions.

Without a subcommand it is an MCP server on stdio, and stdout carries the protocol alone: whatever
a person should read goes to stderr.
"""

from __future__ import annotations

import logging
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from typing import Annotated

import anyio
import typer
import uvicorn
from rich.markup import escape
from rich.table import Table

from credyt_mcp.app import open_database, running
from credyt_mcp.clock import SystemClock
from credyt_mcp.commands import integrate, price_changes, reconcile, replay, stripe
from credyt_mcp.commands.console import PLAIN, AsJson, Live, print_json, print_line, stderr, stdout
from credyt_mcp.entrypoints.http import http_app
from credyt_mcp.entrypoints.mcp.stdio import serve_stdio
from credyt_mcp.errors import CredytError
from credyt_mcp.settings import load_settings
from credyt_mcp.use_cases import keys as key_use_cases
from credyt_mcp.use_cases.context import Billing
from credyt_mcp.use_cases.key_ring import KeyRing
from credyt_mcp.use_cases.keys import Environment
from credyt_mcp.use_cases.ledger import verify_all
from credyt_mcp.use_cases.scopes import ALL_SCOPES, IN_ORDER

app = typer.Typer(
    help="Real-time prepaid usage billing for AI apps. Without a command: an MCP server on stdio.",
    invoke_without_command=True,
    no_args_is_help=False,
    pretty_exceptions_enable=False,
)
keys = typer.Typer(help="API keys.", no_args_is_help=True)
ledger = typer.Typer(help="The books.", no_args_is_help=True)
db = typer.Typer(help="The database schema.", no_args_is_help=True)
app.add_typer(keys, name="keys")
app.add_typer(ledger, name="ledger")
app.add_typer(db, name="db")
app.add_typer(integrate.app, name="integrate")
app.add_typer(stripe.app, name="stripe")
app.add_typer(stripe.secrets, name="secrets")
app.command("replay")(replay.replay)
app.command("reconcile")(reconcile.reconcile)
app.command("price-changes")(price_changes.price_changes)

AutoUpgrade = Annotated[
    bool, typer.Option("--auto-upgrade", help="Bring a Postgres schema up to date first.")
]

KEEP_ALIVE_SECONDS = 75
"""Longer than clients and balancers keep a connection idle (httpx 5 seconds, most balancers 60):
whoever closes first must not be us, or a request meets a connection that is going away."""


def main() -> None:
    """The `credyt-mcp` command; an error of ours is two lines on stderr and exit code 1."""
    try:
        app()
    except CredytError as error:
        stderr.print(f"[red]{error.code}[/red]: {escape(error.detail)}", **PLAIN)
        stderr.print(escape(error.hint), **PLAIN)
        sys.exit(1)


@app.callback()
def stdio(
    context: typer.Context,
    live: Live = False,
    auto_upgrade: AutoUpgrade = False,
    no_http: Annotated[
        bool, typer.Option("--no-http", help="Do not serve HTTP beside stdio.")
    ] = False,
) -> None:
    """Without a command: serve MCP on stdio, and HTTP on the public URL's port if it is free."""
    if context.invoked_subcommand is not None:
        return
    settings = load_settings()
    _log_to_stderr()

    async def serve() -> None:
        environment: Environment = "live" if live else "test"
        async with (
            running(settings, auto_upgrade=auto_upgrade, environment=environment) as system,
            anyio.create_task_group() as group,
        ):
            server = None
            if not no_http and (listening := _listen(*settings.public_address)):
                server = _HttpServer(_http_config(system.billing, system.keys))
                group.start_soon(server.serve, [listening])
            await serve_stdio(system.billing)
            if server is not None:
                server.should_exit = True

    _run(serve)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8787,
    auto_upgrade: AutoUpgrade = False,
) -> None:
    """Serve REST at /, MCP at /mcp, and customers' pages over HTTP."""
    settings = load_settings()
    if "public_url" not in settings.model_fields_set:
        settings = settings.model_copy(update={"public_url": f"http://{host}:{port}"})
    _log_to_stderr()

    async def serve_http() -> None:
        async with running(settings, auto_upgrade=auto_upgrade) as system:
            server = _HttpServer(_http_config(system.billing, system.keys, host, port))
            stderr.print(
                f"credyt-mcp on [bold]http://{host}:{port}[/bold]  REST /  MCP /mcp  docs /docs",
                highlight=False,
            )
            if system.billing.payments.name == "sandbox":
                stderr.print(
                    "[yellow]Payments: sandbox (test cards only, no real money).[/yellow]",
                    highlight=False,
                )
            async with anyio.create_task_group() as group:
                group.start_soon(_stop_on_signal, server)
                await server.serve()
                group.cancel_scope.cancel()

    _run(serve_http)


@app.command()
def demo() -> None:
    """Play the main job from product to debited wallet, on a throw-away database."""
    from credyt_mcp.commands.demo import play

    if not anyio.run(play, stdout):
        raise typer.Exit(1)


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Option(help="What the key is for.")] = "default",
    environment: Annotated[Environment, typer.Option(help="test or live.")] = "test",
    scopes: Annotated[
        str, typer.Option(help="What it may do: some of read, write, money and admin.")
    ] = ",".join(IN_ORDER),
    as_json: AsJson = False,
    auto_upgrade: AutoUpgrade = False,
) -> None:
    """Make an API key. It is shown once."""
    words = {word.strip() for word in scopes.split(",")}
    if not words <= ALL_SCOPES:
        raise typer.BadParameter(f"must be of {', '.join(IN_ORDER)}", param_hint="--scopes")
    with closing(open_database(load_settings(), auto_upgrade=auto_upgrade)) as database:
        made = key_use_cases.create_key(
            database,
            SystemClock(),
            name,
            environment,
            ALL_SCOPES & words,
        )
    if as_json:
        print_json(made.model_dump())
        return
    print_line(made.key)
    stderr.print(f"{made.environment} key {made.id}. It is not shown again.", highlight=False)


@keys.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List API keys, without their text."""
    with closing(open_database(load_settings())) as database:
        rows = key_use_cases.list_keys(database)
    if as_json:
        print_json([row.model_dump() for row in rows])
        return
    table = Table("id", "name", "environment", "key", "scopes", "created", "last used", "state")
    for row in rows:
        state = f"revoked {row.revoked_at:%Y-%m-%d}" if row.revoked_at else "active"
        used = f"{row.last_used_at:%Y-%m-%d %H:%M}" if row.last_used_at else "never"
        created, scopes = f"{row.created_at:%Y-%m-%d %H:%M}", " ".join(row.scopes)
        table.add_row(row.id, row.name, row.environment, row.shown, scopes, created, used, state)
    stdout.print(table)


@keys.command("revoke")
def revoke_key(key_id: str) -> None:
    """Revoke an API key by its id; a running server forgets it within five seconds."""
    with closing(open_database(load_settings())) as database:
        key_use_cases.revoke_key(database, SystemClock(), key_id)
    stderr.print(f"{key_id} is revoked.", highlight=False)


@ledger.command("verify")
def verify(as_json: AsJson = False) -> None:
    """Recompute every balance from the ledger's entries; exit code 1 if anything does not hold."""
    with closing(open_database(load_settings())) as database:
        report = verify_all(database)
    if as_json:
        print_json(report.model_dump())
    else:
        counts = ", ".join(
            f"{count:,} {table.replace('_', ' ')}" for table, count in report.checked.items()
        )
        stdout.print(f"Checked {counts}.", highlight=False)
        for problem in report.problems:
            stdout.print(f"[red]✗[/red] {problem}", highlight=False)
        if report.ok:
            stdout.print("[green]✓[/green] The books balance.", highlight=False)
    if not report.ok:
        raise typer.Exit(1)


@db.command("upgrade")
def upgrade() -> None:
    """Create the schema, or bring it up to date."""
    open_database(load_settings(), auto_upgrade=True).close()
    stderr.print("The schema is up to date.", highlight=False)


class _HttpServer(uvicorn.Server):
    """Leaves signals to us: uvicorn would raise them again before the lane has closed."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _stop_on_signal(server: uvicorn.Server) -> None:
    """Finish what was accepted on the first signal, give up on the second."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            server.force_exit, server.should_exit = server.should_exit, True


def _http_config(
    billing: Billing, key_ring: KeyRing, host: str = "127.0.0.1", port: int = 8787
) -> uvicorn.Config:
    app = http_app(billing, key_ring)
    return uvicorn.Config(
        app,
        host,
        port,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )


def _listen(host: str, port: int) -> socket.socket | None:
    """A listening socket, or None if another process (our own sibling, likely) has the port."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        stderr.print(f"No HTTP here: {host}:{port} is in use ({error.strerror}).", highlight=False)
        return None
    return listening


def _run(function: Callable[[], Awaitable[None]]) -> None:
    anyio.run(function, backend_options={"use_uvloop": sys.platform != "win32"})


def _log_to_stderr() -> None:
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )
