"""What the fake must be right about for the other tests to mean anything, asked by Stripe's SDK."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import stripe

from tests.fake_stripe import shapes
from tests.fake_stripe.cards import METHODS, NUMBERS
from tests.stripe.conftest import SECRET, FakeStripe

PAGE: dict[str, Any] = {
    "mode": "payment",
    "success_url": "https://app.example/done",
    "line_items": [
        {
            "quantity": 1,
            "price_data": {
                "currency": "usd",
                "unit_amount": 2500,
                "product_data": {"name": "Credit"},
            },
        }
    ],
}
CHARGE: dict[str, Any] = {"amount": 900, "currency": "usd", "payment_method": "pm_card_visa"}


@pytest.fixture
def client(fake: FakeStripe) -> stripe.StripeClient:
    """Without the SDK's retries, which would hide what the fake does."""
    return stripe.StripeClient(fake.key, base_addresses={"api": fake.base}, max_network_retries=0)


def a_page(**more: Any) -> Any:
    return {**PAGE, **more}


def keyed(key: str) -> Any:
    return {"idempotency_key": key}


@pytest.mark.parametrize(
    ("params", "code", "name"),
    [
        ({"sucess_url": "x"}, "parameter_unknown", "sucess_url"),
        ({"payment_method_types": ["card"]}, "parameter_unknown", "payment_method_types"),
        ({"ui_mode": "hosted"}, "parameter_invalid", "ui_mode"),
        ({"expires_at": "tomorrow"}, "parameter_invalid", "expires_at"),
        ({"adaptive_pricing": {"on": False}}, "parameter_unknown", "adaptive_pricing[on]"),
        (
            {"line_items": [{"price_data": {"unit_amount": 2500}}]},
            "parameter_missing",
            "line_items[0][price_data][currency]",
        ),
        (
            {"payment_intent_data": {"setup_future_usage": "always"}},
            "parameter_invalid",
            "payment_intent_data[setup_future_usage]",
        ),
    ],
)
def test_parameters_that_stripe_does_not_have_are_refused_however_deep(
    client: stripe.StripeClient, params: dict[str, Any], code: str, name: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.checkout.sessions.create(a_page(**params))
    assert (refused.value.code, refused.value.param) == (code, name)


def test_another_version_of_the_api_is_refused(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.checkout.sessions.create(PAGE, {"stripe_version": "2025-01-27.acacia"})


def test_an_answer_that_stripe_could_not_give_is_noticed() -> None:
    session = {"id": "cs_1", "object": "checkout.session", "status": "done", "amount_total": "25"}
    assert len(shapes.complaints(session)) == 2
    found = shapes.complaints({"object": "payment_intent", "last_payment_error": {"reason": "x"}})
    assert "reason" in found[0]


def test_a_key_answers_the_same_again_and_refuses_other_parameters(
    client: stripe.StripeClient, fake: FakeStripe
) -> None:
    pages = client.v1.checkout.sessions
    first, again = (pages.create(PAGE, keyed("one")) for _ in range(2))
    assert first.id == again.id
    assert "Idempotent-Replayed" not in first.last_response.headers
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    with pytest.raises(stripe.IdempotencyError):
        pages.create(a_page(client_reference_id="other"), keyed("one"))
    fake.advance(24 * 60 * 60)
    assert pages.create(PAGE, keyed("one")).id != first.id


def test_a_decline_and_a_failure_are_kept_for_their_key_and_a_refused_parameter_is_not(
    client: stripe.StripeClient, fake: FakeStripe
) -> None:
    intents = client.v1.payment_intents
    declined: Any = {**CHARGE, "payment_method": "pm_card_chargeDeclined", "confirm": True}
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            intents.create(declined, keyed("declined"))
    fake.fail("500_kept", times=1)
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            intents.create(CHARGE, keyed("failed"))
    with pytest.raises(stripe.InvalidRequestError):
        intents.create({**CHARGE, "amuont": 1}, keyed("misspelt"))
    assert intents.create(CHARGE, keyed("misspelt")).amount == 900


def test_a_key_whose_first_request_is_under_way_is_a_conflict(
    client: stripe.StripeClient, fake: FakeStripe
) -> None:
    fake.fail("slow:1", times=1)

    def create(_: int) -> str:
        try:
            return client.v1.payment_intents.create(CHARGE, keyed("at once")).id
        except stripe.APIError as error:
            assert error.http_status == 409
            return "conflict"

    with ThreadPoolExecutor(2) as threads:
        answers = set(threads.map(create, range(2)))
    assert "conflict" in answers and len(answers) == 2
    assert fake.requests().count("POST /v1/payment_intents") == 1


@pytest.mark.parametrize(
    ("fault", "acted"),
    [("drop_before", 0), ("drop_after", 1), ("500", 0), ("500_after", 1), ("429", 0)],
)
def test_a_fault_is_before_or_after_the_deed(
    client: stripe.StripeClient, fake: FakeStripe, fault: str, acted: int
) -> None:
    fake.fail(fault, times=1, only="POST /v1/payment_intents")
    with pytest.raises((stripe.APIConnectionError, stripe.APIError, stripe.RateLimitError)):
        client.v1.payment_intents.create(CHARGE)
    assert fake.requests().count("POST /v1/payment_intents") == acted
    client.v1.payment_intents.create(CHARGE)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_test_method_ends_as_stripe_documents_it(
    client: stripe.StripeClient, method: str
) -> None:
    customer = client.v1.customers.create({}).id
    card = client.v1.payment_methods.attach(
        client.v1.payment_intents.create({**CHARGE, "payment_method": method}).payment_method,
        {"customer": customer},
    )
    params: Any = {**CHARGE, "payment_method": card.id, "customer": customer}
    intent = client.v1.payment_intents.create(params)
    expected = METHODS[method]
    try:
        status = client.v1.payment_intents.confirm(intent.id, {"off_session": True}).status
        assert expected.code is None and expected.sca is None
        assert status == expected.status
    except stripe.CardError as declined:
        wanted = ("authentication_required",) * 2 if expected.sca else expected[1:3]
        assert (declined.code, declined.error.decline_code) == wanted
        assert client.v1.payment_intents.retrieve(intent.id).status == "requires_payment_method"


@pytest.mark.parametrize("number", sorted(NUMBERS))
def test_every_number_is_a_card(client: stripe.StripeClient, number: str) -> None:
    made = client.v1.payment_methods.create({"type": "card", "card": {"number": number}})
    assert made.card.last4 == number[-4:]


def test_what_one_account_has_another_has_not(
    client: stripe.StripeClient, fake: FakeStripe
) -> None:
    intent = client.v1.payment_intents.create(CHARGE)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.retrieve(intent.id, None, {"stripe_account": "acct_1"})


def test_events_are_read_by_the_sdk_in_both_shapes(
    client: stripe.StripeClient, fake: FakeStripe
) -> None:
    page = client.v1.checkout.sessions.create(PAGE)
    assert page.url is not None
    fake.pay(page.url)
    completed = "checkout.session.completed"
    [told] = fake.deliveries(types=completed)
    event = client.construct_event(told["body"], told["signature"], SECRET)
    assert (event.type, event.data.object.id) == (completed, page.id)
    [told] = fake.deliveries(types=completed, shape="thin")
    thin: Any = client.parse_event_notification(told["body"], told["signature"], SECRET)
    assert (thin.type, thin.fetch_related_object().id) == (f"v1.{completed}", page.id)
    undelivered = client.v1.events.list({"delivery_success": False, "types": [completed]})
    assert [one.id for one in undelivered.data] == [event.id]
