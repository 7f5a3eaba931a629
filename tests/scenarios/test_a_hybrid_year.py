"""A year of a plan with a monthly fee, monthly credits that roll over, free credits each day and
overage in USD; with a renewal that fails and a change of plan. The table is made by hand."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from credyt_mcp.storage.database import Database
from tests.processes.harness import serving, verify_by_command
from tests.scenarios.lives import BACK, FAILS_LATER, Life, Row, uses

MONTH_ENDS = (
    "01-31", "02-28", "03-31", "04-30", "05-31", "06-30", "07-31", "08-31", "09-30", "10-31",
    "11-30", "12-31", "1-01-31",
)  # fmt: skip


def plan(fee: int, monthly: int, per_image: int, overage: str) -> dict[str, Any]:
    """A version: each image costs credits, or USD once they are used up."""
    return {
        "prices": [
            {
                "name": "Monthly fee",
                "type": "fixed",
                "billing_model": {"type": "recurring", "recurring": {"interval": "month"}},
                "pricing": [{"asset": "USD", "values": [{"unit_price": fee}]}],
            },
            {
                "name": "Image",
                "type": "usage_based",
                "billing_model": {"type": "real_time"},
                "usage_calculation": {"event_type": "image", "usage_type": "unit"},
                "pricing": [
                    {"asset": "credits", "values": [{"unit_price": per_image}]},
                    {"asset": "USD", "values": [{"unit_price": overage}]},
                ],
            },
        ],
        "entitlements": [
            credit("Monthly credits", monthly, "month", "rollover", "bundled"),
            credit("Daily credits", 10, "day", "expire_and_replace", "promotion"),
        ],
        "publish": True,
    }


def credit(name: str, amount: int, every: str, strategy: str, purpose: str) -> dict[str, Any]:
    lifecycle = {"duration": every, "refresh": {"strategy": strategy}}
    return {
        "name": name,
        "asset": "credits",
        "amount": amount,
        "purpose": purpose,
        "lifecycle": lifecycle,
    }


async def subscribe(life: Life) -> None:
    """On 31 January at ten, with a card that will be declined when it is charged again."""
    await life.ask("POST", "/assets", code="credits", name="Credits", precision=0)
    product = {"name": "Studio", "code": "studio", **plan(20, 1000, 10, "0.6")}
    await life.ask("POST", "/products", **product)
    asked = {"products": [{"code": "studio"}], **BACK}
    customer = {"name": "Jane", "external_id": "jane", "subscriptions": [asked]}
    await life.ask("POST", "/customers", **customer)
    await _pays(life, FAILS_LATER)


async def _pays(life: Life, *card: str) -> None:
    [action] = (await life.subscription())["required_actions"]
    await life.pay(action["redirect_url"], *card)


async def _uses_one_and_pays(life: Life) -> None:
    await life.use(1)
    await _pays(life)


async def _tops_up_and_uses_more_than_is_there(life: Life) -> None:
    await life.top_up(30)
    await life.use(260)


async def _is_given_five_dollars(life: Life) -> None:
    await life.gift(5, expires_at=life.on("09-15"))


async def _takes_the_larger_plan(life: Life) -> None:
    subscription = await life.subscription()
    product = subscription["products"][0]["id"]
    await life.ask("POST", f"/products/{product}", **plan(50, 3000, 5, "0.3"))
    jane = (await life.ask("GET", "/customers/jane"))["id"]
    path = f"/customers/{jane}/subscriptions/{subscription['id']}/products/{product}"
    await life.ask("PATCH", path, version=2)
    await life.use(2)


HYBRID = [
    # Paid: 1,000 for the month and 10 for the day.
    Row("01-31", {"credits": "1010", "USD": "0"}, status="active"),
    # 50 images: the day's 10 first, then 490 of the month's.
    Row("02-10", {"credits": "510", "USD": "0"}, uses(50)),
    Row("02-11", {"credits": "520", "USD": "0"}),
    # At ten the card was declined: no new credits, and those of the day before have expired.
    Row("02-28", {"credits": "510", "USD": "0"}, status="action_required"),
    # Declined again on the first day after. Usage goes on to be billed.
    Row("03-01", {"credits": "510", "USD": "0"}, status="action_required"),
    # 500 left; paid with another card: 1,000 for the month since 28 February, 10 for today.
    Row("03-02", {"credits": "1510", "USD": "0"}, _uses_one_and_pays, "active"),
    # 1,500 roll over.
    Row("03-31", {"credits": "2510", "USD": "0"}, status="active"),
    # 260 images: 251 in credits, 9 at $0.60.
    Row("04-15", {"credits": "0", "USD": "24.6"}, _tops_up_and_uses_more_than_is_there),
    # One for the day's credits, one at $0.60.
    Row("04-16", {"credits": "0", "USD": "24"}, uses(2)),
    Row("04-30", {"credits": "1010", "USD": "29"}, _is_given_five_dollars),
    # Images at 5 credits from now on; two of them take the day's 10.
    Row("05-20", {"credits": "1000", "USD": "29"}, _takes_the_larger_plan, "active"),
    # The first 3,000, for $50.
    Row("05-31", {"credits": "4010", "USD": "29"}, status="active"),
    Row("06-30", {"credits": "7010", "USD": "29"}),
    # 400 images: the day's 10 and 1,990 of 7,000.
    Row("07-20", {"credits": "5010", "USD": "29"}, uses(400)),
    Row("07-31", {"credits": "8020", "USD": "29"}),
    Row("08-31", {"credits": "11020", "USD": "29"}),
    # The gift has expired.
    Row("09-30", {"credits": "14020", "USD": "24"}),
    Row("10-31", {"credits": "17020", "USD": "24"}),
    Row("11-30", {"credits": "20020", "USD": "24"}),
    Row("12-31", {"credits": "23020", "USD": "24"}),
    Row("1-01-31", {"credits": "26020", "USD": "24"}, status="active"),
]
# Four fees of $20, nine of $50, ten images at $0.60.
REVENUE = {
    "USD": Decimal(4 * 20 + 9 * 50 + 6),
    "credits": Decimal(500 + 10 + 2510 + 10 + 10 + 2000),
}


async def live(life: Life) -> None:
    await life.begin("01-31", hour=10)
    await subscribe(life)
    await life.live(HYBRID)
    grants = "/customers/jane/wallet/default:credits/grants?limit=100&purpose="
    monthly = (await life.ask("GET", f"{grants}bundled"))["items"]
    moments = [one["effective_at"] for one in reversed(monthly)]
    assert [moment[:10] for moment in moments] == [life.on(day)[:10] for day in MONTH_ENDS]
    assert len({moment[10:] for moment in moments}) == 1
    daily = await life.ask("GET", f"{grants}promotion")
    assert daily["total_count"] == 366  # from 31 January to 31 January, none left out or twice
    verified = await life.ask("GET", "/ledger/verify")
    assert verified["ok"], verified["problems"]


def revenue(database_url: str) -> dict[str, Decimal]:
    """What the books say was earned, per asset."""
    query = (
        "SELECT asset, sum(amount) FROM ledger_entries JOIN ledger_accounts"
        " ON ledger_accounts.id = account_id WHERE kind = 'revenue' GROUP BY asset"
    )
    scales = {"USD": 9, "credits": 6}
    database = Database(database_url)
    with database.read() as session:
        rows = session.connection().execute(text(query)).all()
    database.close()
    return {asset: Decimal(int(units)).scaleb(-scales[asset]) for asset, units in rows}


@pytest.mark.slow
async def test_a_hybrid_year(rest: httpx.AsyncClient, database_url: str) -> None:
    await live(Life([rest]))
    assert revenue(database_url) == REVENUE


@pytest.mark.slow
async def test_a_hybrid_year_with_two_processes(database_url: str, tmp_path: Path) -> None:
    with serving(database_url, tmp_path, processes=2) as [first, second]:
        async with first.client() as here, second.client() as there:
            await live(Life([here, there]))
    assert revenue(database_url) == REVENUE
    verify_by_command(database_url, tmp_path)
