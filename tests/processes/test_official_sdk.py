"""The official `credyt-api` SDK, a client we did not write, against a server process.

It reads numbers as doubles, so its money is compared with the same literal; exact digits are read
over httpx. `resp["amount"]` is used, because `resp.amount` is typed int and cuts decimals off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from corehttp.credentials import ServiceKeyCredential
from corehttp.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from credytapi import CredytApiClient

from credyt_mcp import exact_json
from tests.processes.harness import APPROVED, KEY, Server
from tests.samples import unit_price, volume_price

Unique = Callable[[str], str]
RETURN = {"return_url": "https://app.example/ok", "failure_url": "https://app.example/failed"}


@pytest.fixture
def sdk(shared_server: Server) -> Iterator[CredytApiClient]:
    with CredytApiClient(ServiceKeyCredential(KEY), endpoint=shared_server.url) as client:
        yield client


def now() -> str:
    return datetime.now(UTC).isoformat()


def a_product(sdk: CredytApiClient, code: str, *prices: dict[str, Any]) -> Any:
    return sdk.products.create(
        {"name": "Studio", "code": code, "publish": True, "prices": list(prices)}
    )


def a_customer(sdk: CredytApiClient, external_id: str, code: str) -> Any:
    subscription = {"products": [{"code": code}], **RETURN}
    return sdk.customers.create(
        {"name": "Jane Roe", "external_id": external_id, "subscriptions": [subscription]}
    )


def credit(sdk: CredytApiClient, customer_id: str, amount: float, asset: str = "USD") -> Any:
    body = {"transaction_id": f"gift-{customer_id}", "asset": asset, "amount": amount}
    return sdk.wallets.customer_wallet_ops.create_adjustment(
        customer_id, {**body, "reason": "gift"}
    )


def send(sdk: CredytApiClient, customer_id: str, event_id: str, kind: str, **more: Any) -> None:
    event = {"id": event_id, "event_type": kind, "occurred_at": now(), **more}
    sdk.events.send_usage({"customer_id": customer_id, "events": [event]})


def available(server: Server, customer_id: str, account: str = "default:USD") -> Decimal:
    """The balance with all its digits, which the SDK would not show."""
    with server.sync_client() as client:
        answer = client.get(f"/customers/{customer_id}/wallet/{account}").raise_for_status()
    return Decimal(exact_json.loads(answer.content)["available"])


def test_a_wallet_drops_by_exactly_the_fee(
    sdk: CredytApiClient, shared_server: Server, unique: Unique
) -> None:
    code = unique("studio")
    product = a_product(sdk, code, unit_price("0.05"), volume_price("1.25", package_size=1_000_000))
    assert (product["version"], product["status"], product["is_default"]) == (1, "published", True)
    customer = a_customer(sdk, unique("jane"), code)
    assert [entry["status"] for entry in customer["subscriptions"]] == ["active"]
    given = credit(sdk, customer.id, 12.345678901)
    assert given["id"] == f"gift-{customer.id}"
    image, chat = unique("image"), unique("chat")
    send(sdk, customer.id, image, "image")
    assert available(shared_server, customer.id) == Decimal("12.295678901")
    for _ in range(2):  # a retry bills nothing
        send(sdk, customer.id, chat, "chat", data={"tokens": 1})
    assert available(shared_server, customer.id) == Decimal("12.295677651")

    event = sdk.events.get(image)
    assert event["fees"][0]["amount"] == 0.05
    assert (event.fees[0].product_code, event.fees[0].product_version) == (code, 1)
    assert event.customer_id == customer.id
    assert sdk.events.get(chat)["fees"][0]["amount"] == 0.00000125
    wallet = sdk.wallets.customer_wallet_ops.get_customer_wallet(customer.id)
    assert [(entry.id, entry["available"]) for entry in wallet.accounts] == [
        ("default:USD", 12.295677651)
    ]
    account = sdk.wallets.customer_wallet_ops.get_account(customer.id, "default:USD")
    assert (account["pending_in"], account["pending_out"]) == (0, 0)


def test_versions_are_read_and_changed_by_number(sdk: CredytApiClient, unique: Unique) -> None:
    code = unique("studio")
    product = a_product(sdk, code, unit_price(1))
    customer = a_customer(sdk, unique("jane"), code)
    made = sdk.products.create_version(product.id, {"prices": [unit_price(2)], "publish": False})
    assert (made["version"], made["status"], made["is_default"]) == (2, "draft", False)
    sdk.products.update_version(product.id, 2, {"publish": True, "make_default": True})
    # Only by number: SDK 0.2.0 cannot send its documented "default".
    for version, price, is_default in ((1, 1, False), (2, 2, True)):
        read = sdk.products.get_version(product.id, version)
        assert (read["is_default"], read["status"]) == (is_default, "published")
        assert read["prices"][0]["pricing"][0]["values"][0]["unit_price"] == price
    shown = sdk.products.get(product.id)
    assert shown["default_version"]["version"] == 2
    assert [entry["version"] for entry in shown["versions"]] == [2, 1]
    event = unique("image")
    send(sdk, customer.id, event, "image")
    assert sdk.events.get(event)["fees"][0]["product_version"] == 1  # old subscribers stay
    [subscription] = sdk.customers.get(customer.id)["subscriptions"]
    sdk.customers.update_subscription_product(
        customer.id, subscription["id"], product.id, {"version": 2}
    )
    later = unique("later")
    send(sdk, customer.id, later, "image")
    assert sdk.events.get(later)["fees"][0]["product_version"] == 2
    sdk.products.archive_version(product.id, 1)
    assert sdk.products.get_version(product.id, 1)["status"] == "archived"
    sdk.products.delete(product.id)
    assert code not in [entry["code"] for entry in sdk.products.list(code=code)["items"]]


def test_simulation_shows_the_fee_without_billing(sdk: CredytApiClient, unique: Unique) -> None:
    product = a_product(sdk, unique("studio"), unit_price("0.05"))
    events = [
        {"id": "e1", "event_type": "image", "occurred_at": now()},
        {"id": "e2", "event_type": "imagee", "occurred_at": now()},
    ]
    simulated = sdk.products.simulate_usage(product.id, 1, {"events": events})
    assert [(fee["usage_id"], fee["amount"]) for fee in simulated["fees"]] == [("e1", 0.05)]
    assert len(simulated["warnings"]) == 1 and "imagee" in simulated["warnings"][0]
    with pytest.raises(ResourceNotFoundError):
        sdk.events.get("e1")


def test_assets_have_rates_and_quotes(sdk: CredytApiClient, unique: Unique) -> None:
    code = unique("CREDIT")
    rates = [{"source": "USD", "rate": 0.05}]
    sdk.assets.create({"code": code, "name": "Credits", "precision": 0, "rates": rates})
    quote = sdk.assets.quote(code, {"source": "USD", "amount": 10})
    assert (quote["destination_amount"], quote["rate"], quote["inverse_rate"]) == (200, 0.05, 20)
    sdk.assets.add_rate(code, {"source": "USD", "rate": 0.04})
    assert sdk.assets.quote(code, {"source": "USD", "amount": 10})["destination_amount"] == 250
    [schedule] = sdk.assets.get(code)["rates"]
    assert [entry["rate"] for entry in schedule["schedule"]] == [0.04, 0.05]
    assert code in [entry["code"] for entry in sdk.assets.list(limit=100)["items"]]


def test_a_top_up_is_paid_on_the_checkout_page(
    sdk: CredytApiClient, shared_server: Server, unique: Unique
) -> None:
    code, asset = unique("studio"), unique("credits")
    rates = [{"source": "USD", "rate": 0.05}]
    sdk.assets.create({"code": asset, "name": "Credits", "precision": 0, "rates": rates})
    a_product(sdk, code, unit_price(10, asset=asset))
    customer = a_customer(sdk, unique("jane"), code)
    body = {"customer_id": customer.id, "amount": 25, "currency": "USD", **RETURN}
    destination = {"account_name": "default", "asset": asset}
    top_up = sdk.top_ups.initiate({**body, "destination": destination})
    assert top_up["status"] == "initiated"
    assert sdk.top_ups.get(top_up.id)["status"] == "initiated"
    paid = httpx.post(top_up.redirect_url, data={"card_number": APPROVED})
    assert (paid.status_code, paid.headers["location"]) == (303, RETURN["return_url"])
    read = sdk.top_ups.get(top_up.id)
    assert (read["status"], read["amount"], read["currency"]) == ("succeeded", 25, "USD")
    assert available(shared_server, customer.id, f"default:{asset}") == 500
    wallets = sdk.wallets.customer_wallet_ops
    grants = wallets.get_credit_grants(customer.id, f"default:{asset}", exclude_expired=True)
    assert [(grant["purpose"], grant["available"]) for grant in grants["items"]] == [("paid", 500)]
    lasts = grants.items_property[0].expires_at - grants.items_property[0].effective_at
    assert timedelta(days=364) < lasts < timedelta(days=366)


def test_charges_debit_once_and_read_back(
    sdk: CredytApiClient, shared_server: Server, unique: Unique
) -> None:
    code = unique("studio")
    a_product(sdk, code, unit_price(1))
    customer = a_customer(sdk, unique("jane"), code)
    credit(sdk, customer.id, 10)
    charge_id = unique("setup")
    charge = {"transaction_id": charge_id, "asset": "USD", "amount": 4.5, "subject": "order"}
    wallets = sdk.wallets.customer_wallet_ops
    for _ in range(2):
        wallets.create_charge(customer.id, charge)
    assert available(shared_server, customer.id) == Decimal("5.5")
    read = wallets.get_transaction(customer.id, charge_id)
    assert (read["type"], read["asset"], abs(read["amount"])) == ("fee", "USD", 4.5)
    gift = wallets.get_transaction(customer.id, f"gift-{customer.id}")
    assert (gift["type"], gift["amount"], gift["account_id"]) == ("adjustment", 10, "default:USD")
    with pytest.raises(ResourceExistsError):
        wallets.create_charge(customer.id, {**charge, "amount": 4.6})


def test_costs_name_their_vendor_and_make_the_margin(sdk: CredytApiClient, unique: Unique) -> None:
    vendors, external_id = sdk.vendors.vendors_ops, unique("openai")
    vendor = vendors.create_vendor({"name": "OpenAI", "external_id": external_id})
    assert vendors.get_vendor(vendor.id)["external_id"] == external_id
    [listed] = vendors.list_vendors(external_id=external_id)["items"]
    assert listed["id"] == vendor.id
    code = unique("studio")
    a_product(sdk, code, unit_price(2))
    customer = a_customer(sdk, unique("jane"), code)
    event, cost = unique("image"), {"id": "c1", "amount": 0.16, "currency": "USD"}
    send(sdk, customer.id, event, "image", costs=[{**cost, "vendor_external_id": external_id}])
    read = sdk.events.get(event)
    assert [(entry["vendor_id"], entry["amount"]) for entry in read["costs"]] == [(vendor.id, 0.16)]
    stats = read["stats"]
    assert (stats["gross_revenue"], stats["total_costs"], stats["net_revenue"]) == (2, 0.16, 1.84)
    assert stats["margin"] == 92


def test_stats_are_read_by_customer_by_all_and_by_vendor(
    sdk: CredytApiClient, unique: Unique
) -> None:
    external_id, code = unique("vendor"), unique("studio")
    vendor = sdk.vendors.vendors_ops.create_vendor({"name": "Maker", "external_id": external_id})
    a_product(sdk, code, unit_price(2))
    customer = a_customer(sdk, unique("jane"), code)
    cost = {"id": unique("cost"), "vendor_id": vendor.id, "amount": 0.16, "category": "inference"}
    send(sdk, customer.id, unique("image"), "image", costs=[cost])
    wanted = {"gross_revenue": 2, "total_costs": 0.16, "net_revenue": 1.84, "margin": 92}
    assert sdk.customers.get_stats(customer.id) == {**wanted, "currency": "USD"}
    today = datetime.now(UTC).date()
    page = sdk.customers.list_stats(limit=1, period_from=today - timedelta(days=1), period_to=today)
    assert (page.period_from, page.period_to) == (today - timedelta(days=1), today)
    assert page["summary"]["gross_revenue"] >= 2
    [item] = page["items"]
    assert (item["id"], item["stats"]["margin"]) == (customer.id, 92)
    stats = sdk.vendors.vendors_ops.get_vendor_stats(
        vendor.id, period_from=today - timedelta(days=1), period_to=today, category="inference"
    )
    assert (stats["total_costs"], stats["categories"]) == (
        0.16,
        [{"category": "inference", "cost": 0.16}],
    )
    with pytest.raises(ResourceNotFoundError):
        sdk.customers.get_stats("nobody")


def test_lists_come_in_pages(sdk: CredytApiClient, unique: Unique) -> None:
    code, email = unique("studio"), f"{unique('jane')}@example.com"
    a_product(sdk, code, unit_price(1))
    customers = [
        sdk.customers.create({"name": f"Jane {number}", "email": email}) for number in range(3)
    ]
    pages = [sdk.customers.list(email=email, limit=2, offset=offset) for offset in (0, 2)]
    assert [(page["total_count"], page["limit"], page["offset"]) for page in pages] == [
        (3, 2, 0),
        (3, 2, 2),
    ]
    seen = [entry["id"] for page in pages for entry in page["items"]]
    assert sorted(seen) == sorted(customer.id for customer in customers)
    assert [entry["code"] for entry in sdk.products.list(code=code)["items"]] == [code]
    customer = a_customer(sdk, unique("jane"), code)
    ids = [unique(f"event-{number}") for number in range(3)]
    for name in ids:
        send(sdk, customer.id, name, "image")
    page = sdk.events.list(customer_id=customer.id, limit=2)
    assert ([entry["id"] for entry in page["items"]], page["total_count"]) == (ids[:0:-1], 3)
    rest = sdk.events.list(customer_id=customer.id, limit=2, offset=2)
    assert [entry["id"] for entry in rest["items"]] == ids[:1]
    today = datetime.now(UTC).date()
    assert sdk.events.list(customer_id=customer.id, has_fees=True, period_to=today)["total_count"]
    assert sdk.events.list(customer_id=customer.id, has_fees=False)["items"] == []


def test_errors_are_the_sdks_own_exceptions(sdk: CredytApiClient, unique: Unique) -> None:
    code, external_id = unique("studio"), unique("jane")
    product = a_product(sdk, code, unit_price(1))
    a_customer(sdk, external_id, code)
    for taken in (
        lambda: a_product(sdk, code, unit_price(1)),
        lambda: sdk.customers.create({"name": "Jane", "external_id": external_id}),
    ):
        with pytest.raises(ResourceExistsError):
            taken()
    for missing in (
        lambda: sdk.products.get("prp_none"),
        lambda: sdk.products.get_version(product.id, 9),
        lambda: sdk.customers.get("cust_none"),
        lambda: sdk.customers.list(external_id=unique("nobody")),
        lambda: sdk.events.get(unique("none")),
        lambda: sdk.top_ups.get("top_none"),
        lambda: sdk.wallets.customer_wallet_ops.get_customer_wallet("cust_none"),
    ):
        with pytest.raises(ResourceNotFoundError):
            missing()
    with pytest.raises(HttpResponseError) as refused:
        a_product(sdk, unique("bad"), unit_price(-1))
    assert refused.value.status_code == 422
    assert refused.value.model is not None
    assert list(refused.value.model["errors"]) == ["prices[0].pricing[0].values[0].unit_price"]
    # The hosted service redirects here, and the SDK raises on what is not 200.
    with pytest.raises(HttpResponseError) as redirected:
        sdk.customers.list(external_id=external_id)
    assert redirected.value.status_code == 303


def test_a_wrong_key_is_an_authentication_error(shared_server: Server) -> None:
    with (
        CredytApiClient(ServiceKeyCredential("key_wrong"), endpoint=shared_server.url) as client,
        pytest.raises(ClientAuthenticationError),
    ):
        client.products.list()


def test_a_platform_acts_for_a_connected_account(sdk: CredytApiClient, unique: Unique) -> None:
    external_id, code = unique("acme"), unique("studio")
    acme = sdk.accounts.create(
        {"name": "Acme", "external_id": external_id, "metadata": {"plan": "pro"}}
    )
    shown = sdk.accounts.get(acme.id)
    assert (shown.name, shown.external_id, shown.metadata) == ("Acme", external_id, {"plan": "pro"})
    assert shown.created_at.tzinfo is not None
    assert [entry.id for entry in sdk.accounts.list(external_id=external_id)["items"]] == [acme.id]
    with pytest.raises(ResourceExistsError):
        sdk.accounts.create({"name": "Acme", "external_id": external_id})

    for_acme = {"headers": {"X-CREDYT-ACCOUNT": acme.id}}
    context = sdk.accounts.get_context(**for_acme)
    assert (context.account_id, context.environment, context.name) == (acme.id, "test", "Acme")
    assert sdk.accounts.get_context().account_id != acme.id
    product = {"name": "Studio", "code": code, "publish": True, "prices": [unit_price(1)]}
    made = sdk.products.create(product, **for_acme)
    assert sdk.products.get(made.id, **for_acme).code == code
    with pytest.raises(ResourceNotFoundError):
        sdk.products.get(made.id)


def test_a_model_call_is_sent_as_its_provider_reported_it(
    sdk: CredytApiClient, shared_server: Server, unique: Unique
) -> None:
    code, event_id = unique("studio"), unique("answer")
    a_product(sdk, code, unit_price("0.05", event_type="answer"))
    customer = a_customer(sdk, unique("jane"), code)
    usage = {"input_tokens": 500, "cache_read_input_tokens": 10_000, "output_tokens": 700}
    call = {"provider": "anthropic", "model": "claude-sonnet-4-6", "usage": usage}
    for _ in range(2):
        send(sdk, customer["id"], event_id, "answer", llm_usage={**call, "response_id": event_id})
    with shared_server.sync_client() as client:
        shown = exact_json.loads(client.get(f"/events/{event_id}").content)
        stats = exact_json.loads(client.get(f"/customers/{customer['id']}/stats").content)
    # 500 x 3 + 10,000 x 0.3 + 700 x 15 per million
    assert shown["costs"][0]["amount"] == stats["total_costs"] == Decimal("0.015")
    assert (stats["gross_revenue"], stats["margin"]) == (Decimal("0.05"), 70)
