"""Outgoing webhooks: which topics there are, what they say, and when a failed one is tried again.
Pure: nothing here knows how a webhook is stored or sent."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

ANY = "*"
FIRST_DELAY = timedelta(seconds=10)
LONGEST_DELAY = timedelta(hours=6)
GIVE_UP_AFTER = timedelta(days=3)
DISABLE_AFTER = timedelta(days=5)
RECOVERED_AFTER = timedelta(minutes=10)
JITTER_PERCENT = 10


class Topic(NamedTuple):
    """What happened, and the fields of `data`; those with a `?` may be missing."""

    meaning: str
    fields: tuple[str, ...]

    def allows(self, names: Iterable[str]) -> bool:
        """Whether data with these fields is what the catalogue says."""
        given = set(names)
        known = {field.removesuffix("?") for field in self.fields}
        return given <= known and {f for f in self.fields if not f.endswith("?")} <= given


_CUSTOMER = ("customer_id",)
_SUBSCRIPTION = ("customer_id", "subscription_id")
_ACCOUNT = ("customer_id", "account_id", "asset")
_GRANT = (*_ACCOUNT, "grant_id", "purpose", "amount", "expires_at", "occurred_at")
_TOP_UP = (*_CUSTOMER, "top_up_id", "amount", "currency")
_CHARGE = (*_ACCOUNT, "top_up_id", "amount", "currency")
_REFUND = (
    *_ACCOUNT,
    *("refund_id", "top_up_id", "amount", "currency", "credit", "balance", "origin"),
    *("reason?", "occurred_at"),
)
_DISPUTE = (
    *_ACCOUNT,
    *("dispute_id", "top_up_id", "status", "amount", "currency", "frozen", "balance"),
    *("reason?", "occurred_at"),
)

TOPICS = {
    "customer.created": Topic(
        "A customer was created.", (*_CUSTOMER, "external_id?", "occurred_at")
    ),
    "subscription.activated": Topic(
        "A subscription became active: at once, or after its first payment.",
        (*_SUBSCRIPTION, "occurred_at"),
    ),
    "subscription.renewed": Topic(
        "A subscription was renewed for another period.",
        (*_SUBSCRIPTION, "renews_at?", "occurred_at"),
    ),
    "subscription.payment_failed": Topic(
        "A payment of a subscription was declined; it is tried again at `next_attempt_at`, if any.",
        (*_SUBSCRIPTION, "amount?", "currency?", "reason?", "next_attempt_at?", "occurred_at"),
    ),
    "subscription.deactivated": Topic(
        "A subscription ended: on request, or after its last failed payment.",
        (*_SUBSCRIPTION, "reason?", "occurred_at"),
    ),
    "top_up.succeeded": Topic(
        "A customer's payment arrived and the wallet was credited.",
        (*_TOP_UP, "account_id", "asset", "credited", "occurred_at"),
    ),
    "top_up.failed": Topic(
        "A customer's payment failed; nothing was credited.", (*_TOP_UP, "occurred_at")
    ),
    "auto_top_up.failed": Topic(
        "A saved card was declined; it is tried again at `next_attempt_at`, if any.",
        (*_CHARGE, "code", "reason", "next_attempt_at?", "occurred_at"),
    ),
    "auto_top_up.action_required": Topic(
        "The card's bank wants the customer to confirm an automatic top-up: send them the link.",
        (*_CHARGE, "code", "reason", "redirect_url?", "occurred_at"),
    ),
    "auto_top_up.disabled": Topic(
        "Automatic top-ups were switched off, because they cannot go on.",
        (*_ACCOUNT, "code", "reason", "occurred_at"),
    ),
    "auto_top_up.frozen": Topic(
        "Automatic top-ups were stopped for the time being, for one because of a dispute.",
        (*_ACCOUNT, "code", "reason", "occurred_at"),
    ),
    "auto_top_up.capped": Topic(
        "A balance is low, but the agreed maximum of automatic top-ups is reached `until` then.",
        (*_ACCOUNT, "reason", "until", "occurred_at"),
    ),
    "refund.created": Topic(
        "A top-up is being refunded and its credit was taken; `origin` is `api`, or `provider` "
        "where it was made there. `balance` may be negative.",
        _REFUND,
    ),
    "refund.succeeded": Topic("A refund reached the customer.", _REFUND),
    "refund.failed": Topic("A refund failed, and its credit came back.", _REFUND),
    "dispute.opened": Topic(
        "A customer disputes a top-up at their bank; what it bought is frozen.", _DISPUTE
    ),
    "dispute.funds_withdrawn": Topic(
        "The provider took disputed money back; its credit was taken.", _DISPUTE
    ),
    "dispute.funds_reinstated": Topic(
        "The provider returned disputed money; its credit came back.", _DISPUTE
    ),
    "dispute.closed": Topic(
        "A dispute was decided, as `status` says: `won`, `lost`, or `closed` without a decision.",
        _DISPUTE,
    ),
    "balance.low": Topic(
        "A balance fell below its `low_balance_threshold`; once until it has recovered.",
        (*_ACCOUNT, "balance", "threshold", "occurred_at"),
    ),
    "balance.depleted": Topic(
        "A positive balance fell to zero or below.", (*_ACCOUNT, "balance", "occurred_at")
    ),
    "grant.expiring": Topic(
        "Credit that is left will expire within 7 days; once per grant, and not for credit that "
        "lives no longer than that.",
        _GRANT,
    ),
    "grant.expired": Topic("Credit expired before it was used.", _GRANT),
    "authorization.expired": Topic(
        "An authorization was neither captured nor released in time; `released` lists what was "
        "given back.",
        (*_CUSTOMER, "authorization_id", "released", "occurred_at"),
    ),
    "event.unmatched": Topic(
        "Usage made no fee, because no price matched it. Once a day per customer and event type; "
        "`event_id` is the first one's.",
        (*_CUSTOMER, "event_id", "event_type", "reason", "occurred_at"),
    ),
    "alert.triggered": Topic(
        "A figure crossed the threshold of one of your alerts; once until it has been back, or the "
        "window is over.",
        (
            *("customer_id?", "alert_id", "name?", "metric", "scope", "product?", "model?"),
            *("threshold", "value", "currency", "window", "window_from", "occurred_at"),
        ),
    ),
    "budget.reached": Topic(
        "The limit of a budget was reached, or the first request refused that would have gone "
        "beyond it; once for each window.",
        (
            *("customer_id", "budget_id", "level", "user_id?", "subject?", "metric", "asset"),
            *("window", "limit", "used", "held", "resets_at", "occurred_at"),
        ),
    ),
    "webhook.disabled": Topic(
        "A webhook destination was disabled after failing for a long time.",
        ("webhook_id", "url", "reason", "occurred_at"),
    ),
}

NEVER_SENT = ("transaction.completed",)
"""Topics that the official SDK's documentation names without saying what they mean: a destination
may ask for them, and code written from those examples works, but there is nothing to send."""


def unknown_topics(topics: Iterable[str]) -> list[str]:
    """Those of `topics` that are neither a topic, nor `*`, nor a noun's all, as in `top_up.*`."""
    known = {ANY, *TOPICS, *NEVER_SENT}
    known |= {f"{name.partition('.')[0]}.{ANY}" for name in known if "." in name}
    return [topic for topic in topics if topic not in known]


def wants(topics: Iterable[str], topic: str) -> bool:
    """Whether a destination with `topics` is sent `topic`."""
    return not {ANY, topic, f"{topic.partition('.')[0]}.{ANY}"}.isdisjoint(topics)


def delay(attempts: int) -> timedelta:
    """How long to wait after `attempts` failures, before jitter."""
    growth: int = 3 ** min(attempts - 1, 20)
    return min(FIRST_DELAY * growth, LONGEST_DELAY)


def next_attempt(first: datetime, attempts: int, now: datetime, jitter: int) -> datetime | None:
    """When to try again after a failure at `now`, or None to give up: `GIVE_UP_AFTER` the first
    attempt comes the last. `jitter` is a number of percent, of either sign."""
    last = first + GIVE_UP_AFTER
    if now >= last:
        return None
    return min(now + delay(attempts) * (100 + jitter) // 100, last)


def envelope(
    event_id: str, topic: str, created: datetime, live: bool, data: Any, account_id: str | None
) -> dict[str, Any]:
    """What is sent. `account_id` tells a platform which connected account it is about."""
    about = {} if account_id is None else {"account_id": account_id}
    return {
        "id": event_id,
        "type": topic,
        "created": created,
        "live_mode": live,
        **about,
        "data": data,
    }
