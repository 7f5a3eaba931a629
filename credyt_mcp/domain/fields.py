"""Numbers and texts that prices are made of, and their limits. Never rounds what it admits."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from decimal import Decimal
from typing import Annotated, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from credyt_mcp.domain.money import EXACT

S = TypeVar("S", bound=Sized)

RATE_DECIMALS, RATE_LIMIT = 18, Decimal("1e12")
QUANTITY_DECIMALS, QUANTITY_LIMIT = 12, Decimal("1e15")
"""Together these keep every product in a fee within the digits of money.EXACT."""

PLAIN_TEXT_DIGITS = 40
NO_EXPRESSIONS = "is not supported: there is no expression language"


def has_more_decimals(value: Decimal, decimals: int) -> bool:
    """Whether `value` (finite, below the limits above) needs more than `decimals` decimals."""
    return value.quantize(Decimal(1).scaleb(-decimals), context=EXACT) != value


def dimension_text(value: object) -> str | None:
    """How a dimension value compares: as text. None for what is absent or not a scalar."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        value = Decimal(str(value))
    if not isinstance(value, (int, Decimal)):
        return None
    number = Decimal(value)
    if not number.is_finite() or abs(number.adjusted()) > PLAIN_TEXT_DIGITS:
        return str(number)  # written out, 1e999999 would be a megabyte of zeros
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def not_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


def _rate(value: Decimal) -> Decimal:
    if value < 0:
        raise ValueError("must not be negative")
    if value >= RATE_LIMIT:
        raise ValueError("must be less than 1000000000000")
    if has_more_decimals(value, RATE_DECIMALS):
        raise ValueError(f"must have at most {RATE_DECIMALS} decimals")
    return value


def _positive_rate(value: Decimal) -> Decimal:
    if not _rate(value):
        raise ValueError("must be greater than 0")
    return value


def _quantity(value: Decimal) -> Decimal:
    if value <= 0:
        raise ValueError("must be greater than 0")
    if value >= QUANTITY_LIMIT:
        raise ValueError("must be less than 1000000000000000")
    if has_more_decimals(value, QUANTITY_DECIMALS):
        raise ValueError(f"must have at most {QUANTITY_DECIMALS} decimals")
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value


def _not_without_items(value: S) -> S:
    if not value:
        raise ValueError("must have at least 1 item")
    return value


def no_expression(value: object) -> object:
    if value == "custom":
        raise ValueError(f"custom {NO_EXPRESSIONS}; use one of the other values")
    return value


def only(word: str) -> BeforeValidator:
    def check(value: object) -> object:
        if value not in (word, None):
            raise ValueError(f"{value!r:.80} {NO_EXPRESSIONS}; use {word!r} or leave it out")
        return value

    return BeforeValidator(check)


def dimension_texts(value: object) -> object:
    if not isinstance(value, Mapping):
        return value
    return {key: dimension_text(item) for key, item in value.items()}


_Number: TypeAlias = Annotated[
    Decimal, BeforeValidator(not_bool), WithJsonSchema({"type": "number"})
]
Rate: TypeAlias = Annotated[_Number, AfterValidator(_rate)]
PositiveRate: TypeAlias = Annotated[_Number, AfterValidator(_positive_rate)]
Quantity: TypeAlias = Annotated[_Number, AfterValidator(_quantity)]
Filled: TypeAlias = Annotated[
    S, AfterValidator(_not_without_items), Field(json_schema_extra={"minItems": 1})
]
"""At least one item. Pydantic's min_length would blame the list too when an item is refused."""
Text: TypeAlias = Annotated[str, Field(max_length=255), AfterValidator(_not_blank)]


class Wire(BaseModel):
    """Base of the wire's shapes: unchangeable, and deaf to fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="ignore")
