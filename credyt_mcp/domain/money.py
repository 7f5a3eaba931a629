"""Amounts: integers in an asset's ledger scale, and the one rounding rule. Never a float.

Scale = decimals kept in the ledger; precision = decimals shown. One unit of a scale-9 asset is a
nano: $0.02 per million tokens is exact for a single token.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import NamedTuple

from credyt_mcp.errors import AmountOutOfRange

FIAT_SCALE = 9
SCALE_ABOVE_PRECISION = 6
SCALE_MAX = 12
UNITS_MAX = 2**63 - 1
"""Both databases hold amounts as signed 64-bit integers."""
ADJUSTED_MAX = 100
"""Powers of ten beyond which arithmetic would overflow; no amount is so large or so small."""

EXACT = Context(prec=100, rounding=ROUND_HALF_EVEN)
"""Wide enough that every product of two admitted numbers is exact, and that a quotient is so close
that rounding it to a ledger scale equals rounding the true value (see docs/decisions/0002)."""


class Asset(NamedTuple):
    """A currency or custom unit; `scale` and `precision` count decimals."""

    code: str
    scale: int
    precision: int


def scale_for(precision: int) -> int:
    """Ledger decimals of a custom asset that shows `precision` decimals."""
    return min(precision + SCALE_ABOVE_PRECISION, SCALE_MAX)


def to_units(amount: Decimal, asset: Asset, field: str = "amount") -> int:
    """Exact units of `amount` in `asset`'s ledger scale.

    Raises AmountOutOfRange (naming `field`) when it has more decimals than the scale or does not
    fit 64 bits.
    """
    if not amount.is_finite():
        raise AmountOutOfRange(field, "must be a finite number")
    size = amount.adjusted() if amount else 0
    with localcontext(EXACT):
        if size > ADJUSTED_MAX or abs(amount.scaleb(asset.scale)) > UNITS_MAX:
            largest = from_units(UNITS_MAX, asset)
            raise AmountOutOfRange(field, f"must be at most {largest:f} {asset.code}")
        whole = amount.scaleb(asset.scale).to_integral_value()
        if size < -ADJUSTED_MAX or whole != amount.scaleb(asset.scale):
            raise AmountOutOfRange(field, f"{asset.code} keeps at most {asset.scale} decimals")
        return int(whole)


def round_units(amount: Decimal, asset: Asset) -> int:
    """Units of `amount` rounded once, half-even, to `asset`'s ledger scale."""
    with localcontext(EXACT):
        units = int(amount.scaleb(asset.scale).to_integral_value())
    return within_range(units, asset)


def within_range(units: int, asset: Asset, field: str = "amount") -> int:
    """`units` unchanged. Raises AmountOutOfRange when they do not fit 64 bits."""
    if -UNITS_MAX <= units <= UNITS_MAX:
        return units
    raise AmountOutOfRange(field, f"the result does not fit {asset.code}'s range")


def from_units(units: int, asset: Asset) -> Decimal:
    """The decimal value of `units`, without trailing zeros: 998500000000 USD nanos → 998.5."""
    one = 10**asset.scale
    if units % one == 0:
        return Decimal(units // one)
    return Decimal(units).scaleb(-asset.scale, EXACT).normalize(EXACT)
