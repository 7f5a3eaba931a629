"""Minutes of mixed load on a real server: is its memory flat, and does any hold stay behind?

    python -m tests.authorizations.soak [--seconds 300] [--database-url postgresql://…]

Prints the server's resident memory at start, on the way and at the end, how much was done, and the
holds left when all must have ended. Exits with 1 if there is one, or if the books do not verify.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import text

from credyt_mcp.storage.database import Database
from tests.authorizations.wire import Answer, Line, lines
from tests.processes.harness import Server, serving, verify_by_command
from tests.samples import unit_price

CALLERS, WALLETS, CREDIT = 16, 20, 100_000
REPORT_SECONDS, GRACE_SECONDS = 30, 60
EXPECTED = {200, 201, 204, 402, 409}


class Soak:
    def __init__(self, server: Server, seconds: float) -> None:
        self.server = server
        self.until = time.monotonic() + seconds
        self.answers: Counter[str] = Counter()
        self.names = 0

    async def run(self) -> None:
        async with lines([self.server], CALLERS) as opened:
            reporter = asyncio.create_task(self._report())
            await asyncio.gather(
                *(self._caller(line, random.Random(n)) for n, line in enumerate(opened))
            )
            reporter.cancel()

    async def _caller(self, line: Line, dice: random.Random) -> None:
        while time.monotonic() < self.until:
            self.names += 1
            await self._life(line, dice, f"soak-{self.names}", f"wallet-{dice.randrange(WALLETS)}")

    async def _life(self, line: Line, dice: random.Random, name: str, who: str) -> None:
        """One authorization and what an app may do with it; every fifth is forgotten."""
        path, event = f"/authorizations/{name}", {"id": name, "event_type": "image"}
        body = {"id": name, "customer_external_id": who, "expires_in": dice.choice([1, 2, 5])}
        await self._post(line, "/authorizations", {**body, "amount": Decimal("0.05")})
        choice = dice.randrange(10)
        if choice < 4:
            await self._post(line, f"{path}/capture", {"event": event})
        elif choice == 4:
            await self._post(line, f"{path}/extend", {"amount": Decimal("0.01"), "expires_in": 3})
            await self._post(line, f"{path}/capture", {"amount": Decimal("0.02")})
        elif choice == 5:
            await self._post(line, f"{path}/release", {})
        elif choice == 6:
            part = {"amount": Decimal("0.01"), "final": False, "transaction_id": name}
            await self._post(line, f"{path}/capture", part)
        elif choice == 7:
            events = [{**event, "id": f"{name}-{n}"} for n in range(20)]
            await self._post(line, "/events", {"customer_external_id": who, "events": events})
            await self._post(line, f"{path}/release", {})
        else:
            self._count("GET", await line.get(f"/customers/{who}/wallet/default:USD"))

    async def _post(self, line: Line, path: str, body: dict[str, Any]) -> None:
        self._count(path.rpartition("/")[2], await line.post(path, body))

    def _count(self, what: str, answer: Answer) -> None:
        assert answer.status in EXPECTED, answer
        self.answers[f"{what} {answer.status}"] += 1

    async def _report(self) -> None:
        started = time.monotonic()
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            seconds = time.monotonic() - started
            print(
                f"{seconds:4.0f} s: RSS {resident(self.server)} MiB, {self.answers.total()} calls"
            )


def resident(server: Server) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) // 1024


async def prepare(server: Server) -> None:
    product = {"name": "P", "code": "p", "publish": True, "prices": [unit_price("0.03")]}
    async with lines([server], 1) as [line]:
        assert (await line.post("/products", product)).status == 201
        for number in range(WALLETS):
            credit = {"asset": "USD", "amount": CREDIT}
            wallet = {"external_id": f"wallet-{number}", "products": ["p"]}
            answer = await line.post("/wallets", {**wallet, "starting_credit": credit})
            assert answer.status == 201, answer


async def held(server: Server) -> Decimal:
    """What the server says is held, over all wallets."""
    total = Decimal(0)
    async with lines([server], 1) as [line]:
        for number in range(WALLETS):
            account = await line.get(f"/customers/wallet-{number}/wallet/default:USD")
            total += Decimal(account.body["pending_out"])
    return total


def left_behind(database_url: str) -> int:
    database = Database(database_url)
    try:
        with database.read() as session:
            count = text("SELECT COUNT(*) FROM authorizations WHERE status = 'open'")
            return int(session.connection().execute(count).scalar_one())
    finally:
        database.close()


async def soak(server: Server, database_url: str, seconds: float) -> int:
    """Holds left when the last must have expired and been swept."""
    await prepare(server)
    await Soak(server, min(10, seconds)).run()  # caches fill and pools open before the count
    print(f"start: RSS {resident(server)} MiB")
    run = Soak(server, seconds)
    run.names = 10**9
    await run.run()
    print(f"end: RSS {resident(server)} MiB, {run.answers.total() / seconds:.0f} calls/s")
    print(", ".join(f"{what}: {count}" for what, count in sorted(run.answers.items())))
    for _ in range(GRACE_SECONDS):
        if not (left := left_behind(database_url)):
            break
        await asyncio.sleep(1)
    print(f"holds left behind: {left}, held according to the wallets: {await held(server)}")
    return left + int(await held(server) > 0)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--database-url")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = given.database_url or f"sqlite:///{folder / 'soak.db'}"
        with serving(url, folder, "--auto-upgrade") as [server]:
            left = asyncio.run(soak(server, url, given.seconds))
        verify_by_command(url, folder)
        print("ledger verify: ok")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
