"""The command line's part for Stripe: connect it, look after it and events that were set aside, and
seal its secrets. No decisions."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, TypeVar

import anyio
import typer
from pydantic import SecretStr, ValidationError
from rich.table import Table

from credyt_mcp.app import open_database, running
from credyt_mcp.clock import SystemClock
from credyt_mcp.commands.console import AsJson, Live, print_json, print_line, stderr, stdout
from credyt_mcp.errors import InvalidRequest
from credyt_mcp.settings import load_settings
from credyt_mcp.use_cases import payment_accounts, provider_events, sealed_secrets
from credyt_mcp.use_cases.context import Billing
from credyt_mcp.use_cases.payment_accounts import (
    ConnectPaymentAccount,
    GetPaymentAccount,
    ListPaymentAccounts,
    PaymentAccount,
)

app = typer.Typer(help="Stripe accounts of the default account.", no_args_is_help=True)
secrets = typer.Typer(help="The key that others' secrets are sealed with.", no_args_is_help=True)

C = TypeVar("C")
R = TypeVar("R")


@app.command("connect")
def connect(live: Live = False) -> None:
    """Take payments with a Stripe key, which is asked for, or read from a pipe: never an argument,
    which other users of the machine could see."""
    given = _asked("Secret or restricted key of Stripe")
    hook = _asked("Signing secret of its webhook endpoint, if there is one already", empty=True)
    try:
        command = ConnectPaymentAccount(
            secret_key=SecretStr(given), webhook_secrets=[SecretStr(hook)] if hook else []
        )
    except ValidationError as error:
        [first, *_] = error.errors(include_input=False, include_url=False, include_context=False)
        raise InvalidRequest(str(first["loc"][0]), first["msg"]) from None
    made = _done(live, payment_accounts.connect_payment_account, command)
    stderr.print(f"{made.account} takes the {_mode(made)} payments from now on.", highlight=False)
    stderr.print(f"Its webhook endpoint, to be added in Stripe: {made.webhook_url}", soft_wrap=True)


@app.command("show")
def show(live: Live = False, as_json: AsJson = False) -> None:
    """List connected Stripe accounts, without their keys."""
    command = ListPaymentAccounts()
    listed = _done(live, payment_accounts.list_payment_accounts, command)
    if as_json:
        print_json([one.model_dump() for one in listed.items])
        return
    table = Table("id", "account", "key", "mode", "new payments", "webhook secrets", "webhook url")
    for one in listed.items:
        key, active = one.key or "connected", "yes" if one.active else "no"
        hooks = str(one.webhook_secrets)
        table.add_row(one.id, one.account, key, _mode(one), active, hooks, one.webhook_url)
    stdout.print(table)


@app.command("disconnect")
def disconnect(payment_account_id: str, live: Live = False) -> None:
    """Forget a Stripe account with its key, by the id that `show` tells."""
    command = GetPaymentAccount(payment_account_id=payment_account_id)
    _done(live, payment_accounts.disconnect_payment_account, command)
    stderr.print(f"{payment_account_id} is forgotten.", highlight=False)


@app.command("events")
def events(as_json: AsJson = False) -> None:
    """List events that were set aside: nothing could be seen of them with our keys."""
    database = open_database(load_settings())
    try:
        rows = provider_events.list_set_aside(database)
    finally:
        database.close()
    if as_json:
        print_json([{name: getattr(row, name) for name in SHOWN} for row in rows])
        return
    table = Table(*(name.replace("_", " ") for name in SHOWN))
    for row in rows:
        table.add_row(*(str(getattr(row, name)) for name in SHOWN))
    stdout.print(table)


SHOWN = ("event_id", "account", "object_kind", "object_id", "received_at", "attempts")


@app.command("retry")
def retry(event_ids: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Look again into events that were set aside: those named, or all."""
    database = open_database(load_settings())
    try:
        count = provider_events.retry_set_aside(database, SystemClock(), event_ids)
    finally:
        database.close()
    stderr.print(f"{count} events are looked into again by the server.", highlight=False)


@secrets.command("key")
def key() -> None:
    """Print a new key for CREDYT_SECRETS_KEY. It is stored nowhere: keep a copy."""
    print_line(sealed_secrets.new_key())


@secrets.command("reseal")
def reseal() -> None:
    """Seal everything with the first key of CREDYT_SECRETS_KEY, also what is in plain text yet."""
    count = _running(False, lambda billing: sealed_secrets.seal_again(billing))
    stderr.print(f"{count} rows are sealed with the first key.", highlight=False)


def _done(live: bool, use_case: Callable[[Billing, C], R], command: C) -> R:
    return _running(live, lambda billing: use_case(billing, command))


def _running(live: bool, work: Callable[[Billing], R]) -> R:
    """In a system of its own, which leaves what is due to the server."""
    settings = load_settings().model_copy(update={"webhook_worker": False})

    async def run() -> R:
        async with running(settings, environment="live" if live else "test") as system:
            return await anyio.to_thread.run_sync(work, system.billing)

    return anyio.run(run)


def _asked(what: str, *, empty: bool = False) -> str:
    """From a person, without showing it, or the next line of a pipe."""
    if sys.stdin.isatty():
        answer: str = typer.prompt(
            what, hide_input=True, err=True, default="" if empty else None, show_default=False
        )
        return answer.strip()
    return sys.stdin.readline().strip()


def _mode(account: PaymentAccount) -> str:
    return "live" if account.livemode else "test"
