"""`credyt-mcp demo`: the main job from product to debited wallet, told in a terminal.

It is a client and nothing else: it starts a real server on stdio with a throw-away database, talks
MCP to it as a coding tool would, pays on the checkout page over HTTP as a customer would, and
checks every figure. It never imports a use case.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from rich.console import Console

from credyt_mcp import exact_json
from credyt_mcp.ids import new_secret

APPROVED, DECLINED = "4242 4242 4242 4242", "4000 0000 0000 9995"


class Story:
    """Tells what happens and keeps count of what was not as expected."""

    def __init__(self, client: Client, console: Console) -> None:
        self._client = client
        self._console = console
        self.wrong = 0

    def say(self, text: str) -> None:
        self._tell(f"\n[bold]{text}[/bold]")

    async def call(self, tool: str, **arguments: Any) -> Any:
        """Call a tool as a coding tool would; the answer keeps every digit."""
        shown = " ".join(f"{name}={_short(value)}" for name, value in arguments.items())
        self._tell(f"  [cyan]{tool}[/cyan] {shown}")
        result = await self._client.call_tool(tool, arguments)
        text = result.content[0].text  # type: ignore[union-attr]  # our tools answer text
        if result.is_error:
            self._tell(f"  [red]{text}[/red]")
            raise RuntimeError(text)
        return exact_json.loads(text)

    def expect(self, what: str, seen: Any, expected: Any) -> None:
        right = seen == expected
        self.wrong += not right
        mark = "[green]✓[/green]" if right else "[red]✗[/red]"
        note = "" if right else f"   expected {_plain(expected)}"
        self._tell(f"  {mark} {what}: [bold]{_plain(seen)}[/bold]{note}")

    def _tell(self, line: str) -> None:
        self._console.print(line, highlight=False, soft_wrap=True)


async def play(console: Console) -> bool:
    """True when every figure was as expected."""
    with tempfile.TemporaryDirectory(prefix="credyt-demo-") as folder:
        public_url, key = f"http://127.0.0.1:{_free_port()}", new_secret("key")
        environment = {
            **os.environ,
            "CREDYT_DATABASE_URL": f"sqlite:///{Path(folder) / 'demo.db'}",
            "CREDYT_PUBLIC_URL": public_url,
            "CREDYT_API_KEY": key,
        }
        server = StdioServerParameters(
            command=sys.executable, args=["-m", "credyt_mcp"], env=environment
        )
        async with (
            Client(stdio_client(server)) as client,
            httpx.AsyncClient(base_url=public_url, headers={"X-CREDYT-API-KEY": key}) as web,
        ):
            story = Story(client, console)
            console.print(
                "credyt-mcp demo: an MCP client, a real server on stdio, a new SQLite file.",
                highlight=False,
            )
            await _set_prices(story)
            await _open_wallet(story)
            await _top_up(story, web)
            await _use(story)
            await _prove(story, web)
        _finish(console, story.wrong)
        return story.wrong == 0


async def _set_prices(story: Story) -> None:
    story.say('1. "Charge 10 credits per image, and what the tokens cost; a credit is 5 cents."')
    await story.call(
        "create_asset", code="credits", name="Credits", rates=[{"source": "USD", "rate": 0.05}]
    )
    await story.call("create_product", name="Image studio", code="studio")
    image = await story.call(
        "define_price",
        product_id="studio",
        name="Image",
        event_type="image_generated",
        asset="credits",
        unit_price=10,
        publish=False,
    )
    story.expect("worked example", image["example"], "1 image_generated event costs 10 credits")
    tokens = await story.call(
        "define_price",
        product_id="studio",
        name="Input tokens",
        event_type="chat_completed",
        asset="USD",
        volume_field="input_tokens",
        volume_rate=1.25,
        package_size=1_000_000,
    )
    story.expect("worked example", tokens["example"], "1,000 input_tokens cost 0.00125 USD")
    story.expect("version 1 is", tokens["status"], "published")


async def _open_wallet(story: Story) -> None:
    story.say("2. A customer signs up and gets 2 dollars to start with.")
    wallet = await story.call(
        "create_wallet",
        external_id="jane",
        name="Jane Roe",
        products=["studio"],
        starting_credit={"asset": "USD", "amount": 2},
    )
    story.expect("subscription", wallet["subscriptions"][0]["status"], "active")
    expected = {"default:credits": 0, "default:USD": 2}
    story.expect("balances", wallet["balances"], expected)


async def _top_up(story: Story, web: httpx.AsyncClient) -> None:
    story.say("3. She tops up 10 dollars of credits on the checkout page.")
    flow = await story.call("generate_topup_flow", customer_id="jane", amount=10, asset="credits")
    link = flow["redirect_url"]
    page = await web.get(link)
    shows = "USD 10.00" in page.text and "TEST" in page.text
    story.expect("the page shows the amount and a TEST banner", shows, True)
    declined = await web.post(link, data={"card_number": DECLINED})
    story.expect("a card without funds is declined, HTTP", declined.status_code, 402)
    for attempt in ("her card pays, HTTP", "paying again changes nothing, HTTP"):
        paid = await web.post(link, data={"card_number": APPROVED})
        story.expect(attempt, paid.status_code, 303)
    top_up = await story.call("get_top_up", top_up_id=flow["top_up_id"])
    story.expect("top-up", top_up["status"], "succeeded")
    story.expect("credits in the wallet", await _available(story, "default:credits"), 200)


async def _use(story: Story) -> None:
    story.say("4. She makes an image; the app retries, and is billed once.")
    for attempt in ("first try", "retry"):
        recorded = await story.call(
            "record_event", customer_id="jane", id="image-1", event_type="image_generated"
        )
        what = f"{attempt}: was it known already"
        story.expect(what, recorded["duplicate"], attempt == "retry")
    story.expect("credits in the wallet", await _available(story, "default:credits"), 190)
    story.say("5. She chats: 1,234 input tokens at 1.25 dollars a million.")
    recorded = await story.call(
        "record_event",
        customer_id="jane",
        id="chat-1",
        event_type="chat_completed",
        data={"input_tokens": 1234},
    )
    story.expect("fee in USD", recorded["fees"][0]["amount"], Decimal("0.0015425"))
    story.expect(
        "wallet, to the last nano-dollar",
        await _available(story, "default:USD"),
        Decimal("1.9984575"),
    )


async def _prove(story: Story, web: httpx.AsyncClient) -> None:
    story.say("6. The app sees the same over REST, and the books prove themselves.")
    customer = await story.call("get_customer", customer_id="jane")
    answer = await web.get(f"/customers/{customer['id']}/wallet")
    wallet = {a["id"]: a["available"] for a in exact_json.loads(answer.content)["accounts"]}
    expected = {"default:credits": 190, "default:USD": Decimal("1.9984575")}
    story.expect("GET /customers/{id}/wallet", wallet, expected)
    report = await story.call("verify_ledger")
    story.expect("the ledger balances", report["ok"], True)


async def _available(story: Story, account: str) -> Any:
    wallet = await story.call("get_wallet", customer_id="jane")
    return next(entry["available"] for entry in wallet["accounts"] if entry["id"] == account)


def _finish(console: Console, wrong: int) -> None:
    if wrong:
        console.print(f"\n[red]{wrong} figures were not as expected.[/red]", highlight=False)
        return
    console.print("\n[green]Every figure as expected.[/green] Next:", highlight=False)
    console.print("  make serve      REST, MCP and docs on http://127.0.0.1:8787", highlight=False)
    console.print("  README.md       how to connect Claude Code and Cursor", highlight=False)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _short(value: Any) -> str:
    return value if isinstance(value, str) else exact_json.dumps(value).decode()


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{_plain(item)} in {name}" for name, item in value.items())
    return str(value)
