"""Reads what the SDK sends: nested forms, whose names are checked against the SDK's own types."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from stripe import params

TYPES: dict[str, Any] = {
    "/v1/customers": params.CustomerCreateParams,
    "/v1/checkout/sessions": params.checkout.SessionCreateParams,
    "/v1/payment_intents": params.PaymentIntentCreateParams,
}


def nested(text: str) -> dict[str, Any]:
    """`a[b][0]=c` as nested dictionaries."""
    form: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        first, *rest = re.findall(r"[^\[\]]+", name)
        place = form
        for inner in rest:
            place, first = place.setdefault(first, {}), inner
        place[first] = value
    return form


def unknown_parameter(path: str, form: dict[str, Any]) -> str | None:
    """A parameter of a request that this version of the API does not have."""
    if path not in TYPES:
        return None
    names = {name for base in TYPES[path].__mro__ for name in getattr(base, "__annotations__", {})}
    names |= set(TYPES[path].__annotations__) | {"expand"}
    return next((name for name in form if name not in names), None)
