"""Which function answers which request. A module in resources/ registers its own with `route`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.fake_stripe import shapes
from tests.fake_stripe.account import Account, Refused, invalid

LEGACY = {"payment_method_types": "allowed_payment_method_types"}
"""Parameters of older versions, for who names none (Stripe's CLI): this version refuses them."""


class Route(NamedTuple):
    pattern: re.Pattern[str]
    params: Any
    act: Callable[..., Any]


ROUTES: list[Route] = []


def route(request: str, params: Any = None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`@route("POST /v1/customers/{id}", CustomerUpdateParams)` over a function of the account, the
    parameters and each id. Without `params` nothing is checked: only for what is no part of the
    API, such as the hosted page's own calls."""
    pattern = re.compile(re.sub(r"\{\w+\}", r"([^/]+)", request))

    def register(act: Callable[..., Any]) -> Callable[..., Any]:
        ROUTES.append(Route(pattern, params, act))
        return act

    return register


def find(request: str) -> tuple[Route, tuple[str, ...]]:
    for known in ROUTES:
        found = known.pattern.fullmatch(request)
        if found:
            return known, found.groups()
    raise Refused(404, "invalid_request_error", "url_unknown")


def read(found: Route, form: dict[str, Any], *, legacy: bool) -> dict[str, Any]:
    """The request's parameters with their types; refused as Stripe refuses them."""
    if found.params is None:
        return form
    if legacy:
        form = {LEGACY.get(name, name): value for name, value in form.items()}
    try:
        return shapes.read(form, found.params)
    except shapes.Wrong as wrong:
        raise invalid(wrong.code, param=wrong.name) from None


def expanded(account: Account, answer: Any, names: list[str]) -> Any:
    """With the objects that ids stand for, one level deep."""
    for name in names:
        if isinstance(answer.get(name), str):
            answer = answer | {name: account.get(answer[name])}
    return answer
