"""Prepaid usage billing with the official Python SDK, against your own server.

    pip install credyt-api
    CREDYT_API_KEY=key_mine make serve                          # in one terminal
    CREDYT_API_KEY=key_mine python examples/python_sdk.py       # in another

Run it as often as you like: what exists already is found, not made again.
"""

from __future__ import annotations

import os
import uuid
from datetime import UTC, datetime

from corehttp.credentials import ServiceKeyCredential
from corehttp.exceptions import HttpResponseError, ResourceExistsError
from credytapi import CredytApiClient

PRODUCT = {
    "name": "Image studio",
    "code": "image_studio",
    "publish": True,
    "prices": [
        {
            "name": "Image",
            "type": "usage_based",
            "billing_model": {"type": "real_time"},
            "usage_calculation": {"event_type": "image_generated", "usage_type": "unit"},
            "pricing": [{"asset": "USD", "values": [{"unit_price": 0.05}]}],
        }
    ],
}


def product(credyt: CredytApiClient) -> str:
    """The code of the product, which is created the first time."""
    try:
        credyt.products.create(PRODUCT)
    except ResourceExistsError:
        print("product: exists already")
    else:
        print("product: created, 0.05 USD per image")
    return PRODUCT["code"]


def customer(credyt: CredytApiClient, external_id: str, product_code: str) -> str:
    """Our id of your user, who is created the first time."""
    try:
        created = credyt.customers.create(
            {
                "name": "Jane Roe",
                "external_id": external_id,
                "subscriptions": [{"products": [{"code": product_code}]}],
            }
        )
    except ResourceExistsError:
        print("customer: exists already")
        return find_customer(credyt, external_id)
    print("customer: created and subscribed")
    return created.id


def find_customer(credyt: CredytApiClient, external_id: str) -> str:
    """The API answers a look-up by external id with a redirect, which the SDK does not follow."""
    try:
        credyt.customers.list(external_id=external_id)
    except HttpResponseError as redirect:
        if redirect.status_code == 303:
            return redirect.response.headers["Location"].rsplit("/", 1)[-1]
        raise
    raise LookupError(external_id)


def top_up_link(credyt: CredytApiClient, customer_id: str, dollars: float) -> str:
    """A page where the customer pays; send them there. The wallet is credited when they have."""
    started = credyt.top_ups.initiate(
        {
            "customer_id": customer_id,
            "amount": dollars,
            "currency": "USD",
            "return_url": "http://localhost:3000/billing",
            "failure_url": "http://localhost:3000/billing?failed=1",
        }
    )
    return started.redirect_url


def record_image(credyt: CredytApiClient, customer_id: str, image_id: str) -> float:
    """Bill one image. `image_id` is the image's own id, so that a retry is not billed again."""
    event = {
        "id": image_id,
        "event_type": "image_generated",
        "occurred_at": datetime.now(UTC).isoformat(),
    }
    credyt.events.send_usage({"customer_id": customer_id, "events": [event]})
    # Index the answer: the SDK's attributes are typed int and would cut the cents off.
    return sum(fee["amount"] for fee in credyt.events.get(image_id)["fees"])


def balance(credyt: CredytApiClient, customer_id: str) -> float:
    return credyt.wallets.customer_wallet_ops.get_account(customer_id, "default:USD")["available"]


def main() -> None:
    credyt = CredytApiClient(
        ServiceKeyCredential(os.environ["CREDYT_API_KEY"]),
        endpoint=os.environ.get("CREDYT_URL", "http://127.0.0.1:8787"),
    )
    jane = customer(credyt, "user-1", product(credyt))
    print(f"pay 10 USD at: {top_up_link(credyt, jane, 10)}")
    image_id = str(uuid.uuid4())
    print(f"image {image_id}: {record_image(credyt, jane, image_id)} USD")
    print(f"balance: {balance(credyt, jane)} USD")


if __name__ == "__main__":
    main()
