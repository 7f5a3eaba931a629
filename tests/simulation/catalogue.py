"""What the simulated business sells, in the wire's shapes: every price model, two versions.

The real system and the reference model both read these; neither reads the other.
"""

from __future__ import annotations

from typing import Any

CREDITS = {
    "code": "credits",
    "name": "Credits",
    "precision": 0,
    "rates": [{"source": "USD", "rate": "0.03"}],
}
SCALES = {"USD": 9, "EUR": 9, "credits": 6}
CREDIT_RATES = {"credits": "0.03"}
"""USD per unit: a third of a dollar's cent never divides evenly, so top-ups round."""


def _price(
    name: str, event_type: str, usage_type: str, field: str | None, **more: Any
) -> dict[str, Any]:
    calculation = {"event_type": event_type, "usage_type": usage_type}
    if field is not None:
        calculation["volume_field"] = field
    calculation |= {"billable_dimensions": more.pop("dimensions")} if "dimensions" in more else {}
    return {
        "name": name,
        "type": "usage_based",
        "billing_model": {"type": "real_time"},
        "usage_calculation": calculation,
        **more,
    }


def _in(asset: str, *values: dict[str, Any]) -> dict[str, Any]:
    return {"asset": asset, "values": list(values)}


def _studio(image: str, token: str, call: str, gigabyte: str) -> list[dict[str, Any]]:
    return [*_plain(image, token), *_counting(call, gigabyte)]


def _plain(image: str, token: str) -> list[dict[str, Any]]:
    """Prices for which each event stands alone."""
    large = {"volume_rate": "15", "package_size": 1_000_000, "max_amount": "0.01"}
    other = {"volume_rate": token, "package_size": 1_000_000, "min_amount": "0.000000007"}
    return [
        # Listed first, so that it takes from the account that the next price would choose.
        _price("Audit", "image", "unit", None, pricing=[_in("credits", {"unit_price": 4})]),
        _price(
            "Image",
            "image",
            "unit",
            None,
            pricing=[_in("credits", {"unit_price": 10}), _in("USD", {"unit_price": image})],
        ),
        _price(
            "Tokens",
            "chat",
            "volume",
            "tokens",
            dimensions=["model"],
            pricing=[
                _in(
                    "USD",
                    {"dimensions": {"model": "large"}, "values": [large]},
                    {"dimensions": {"model": "*"}, "values": [other]},
                )
            ],
        ),
        _price(
            "Pages",
            "page",
            "volume",
            "pages",
            pricing_model="package",
            pricing=[_in("USD", {"volume_rate": "0.07", "package_size": 5})],
        ),
        _price(
            "Payments",
            "pay",
            "unit_and_volume",
            "amount",
            collection={"type": "balance", "address": "bonus"},
            pricing=[_in("USD", {"volume_rate": "0.029", "unit_price": "0.3"})],
        ),
    ]


def _counting(call: str, gigabyte: str) -> list[dict[str, Any]]:
    """Prices that count over a month."""
    return [
        _price(
            "Calls",
            "call",
            "unit",
            None,
            pricing_model="tiered",
            tiering={"period": "monthly"},
            pricing=[
                _in(
                    "USD",
                    {"up_to": 3, "unit_price": "0.01", "flat_fee": "0.05"},
                    {"up_to": 9, "unit_price": call},
                    {"unit_price": "0.005", "flat_fee": "0.02"},
                )
            ],
        ),
        _price(
            "Storage",
            "store",
            "volume",
            "gb",
            pricing_model="bulk",
            tiering={"period": "monthly"},
            pricing=[
                _in(
                    "USD",
                    {"up_to": 10, "volume_rate": "0.3"},
                    {"up_to": "25.5", "volume_rate": gigabyte},
                    {"volume_rate": "0.0333333333"},
                )
            ],
        ),
    ]


def _qualities(hd: str, other: str) -> list[dict[str, Any]]:
    return [
        {
            "dimensions": {"quality": quality},
            "values": [{"up_to": 4, "volume_rate": rate}, {"volume_rate": "0.02"}],
        }
        for quality, rate in (("hd", hd), ("*", other))
    ]


_EXTRAS = [
    _price(
        "Renders",
        "render",
        "volume",
        "seconds",
        dimensions=["quality"],
        pricing_model="tiered",
        tiering={"period": "yearly"},
        pricing=[
            _in("credits", *_qualities("2", "1.5")),
            _in("USD", *_qualities("0.0777", "0.0123456789")),
        ],
    ),
    _price(
        "Frames",
        "frame",
        "unit",
        None,
        pricing_model="bulk",
        tiering={"period": "quarterly"},
        pricing=[
            _in("USD", {"up_to": 3, "unit_price": "1.5"}, {"unit_price": "0.4"}),
            _in("credits", {"up_to": 3, "unit_price": 40}, {"unit_price": 12}),
        ],
    ),
    _price(
        "Packs",
        "page",
        "unit",
        None,
        pricing_model="package",
        tiering={"period": "lifetime"},
        pricing=[_in("credits", {"unit_price": "3", "package_size": 4})],
    ),
]

PRODUCTS: dict[str, list[list[dict[str, Any]]]] = {
    "studio": [
        _studio(image="0.5", token="0.1537", call="0.008", gigabyte="0.2"),
        _studio(image="0.35", token="0.2", call="0.0061", gigabyte="0.17"),
    ],
    "extras": [_EXTRAS],
}
"""Code → prices of versions 1, 2, …; version 1 is what one is subscribed to."""

CUSTOMERS: dict[str, list[str]] = {
    "ann": ["studio", "extras"],
    "bob": ["studio"],
    "cid": ["extras"],
    "whale": ["studio"],
    "eve": [],
}
