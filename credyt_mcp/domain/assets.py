"""Currencies and custom assets: the known codes, dated exchange rates, and conversion. Pure.

A rate is the price of one unit of an asset in a source currency: at 0.05, one dollar buys 20.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal, localcontext
from typing import NamedTuple

from credyt_mcp.domain.money import EXACT, FIAT_SCALE, Asset, from_units, round_units, to_units

_TWO_DECIMALS = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF
CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL
HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP
MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD
SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS
VED VES WST XCD YER ZAR ZMW ZWG
"""
_NO_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"

MINOR_DIGITS: dict[str, int] = {
    code: digits
    for digits, codes in ((2, _TWO_DECIMALS), (0, _NO_DECIMALS), (3, _THREE_DECIMALS))
    for code in codes.split()
}
"""ISO 4217: decimals of the amounts a payment provider takes, per currency."""


class Rate(NamedTuple):
    """One entry of a rate schedule, in force in [valid_from, valid_to)."""

    rate: Decimal
    valid_from: datetime
    valid_to: datetime | None


def currency(code: str) -> Asset | None:
    """The currency of that ISO 4217 code, in any case."""
    known = code.upper()
    if known not in MINOR_DIGITS:
        return None
    return Asset(known, FIAT_SCALE, MINOR_DIGITS[known])


def is_currency(code: str) -> bool:
    """Whether an asset's own code is a currency's, and not a custom asset's."""
    return code in MINOR_DIGITS


def rate_at(schedule: Iterable[Rate], moment: datetime) -> Decimal | None:
    """The rate in force: of those that started, the latest start that has not ended."""
    in_force = [
        entry
        for entry in schedule
        if entry.valid_from <= moment and (entry.valid_to is None or moment < entry.valid_to)
    ]
    return max(in_force, key=lambda entry: entry.valid_from).rate if in_force else None


def inverse(rate: Decimal) -> Decimal:
    """Asset units per one unit of the source currency, to 18 significant digits."""
    with localcontext(EXACT) as context:
        context.prec = 18
        return plain(1 / rate)


def convert(units: int, source: Asset, destination: Asset, rate: Decimal) -> int:
    """Units of `destination` that `units` of `source` buy at `rate`, rounded once, half-even."""
    with localcontext(EXACT):
        return round_units(from_units(units, source) / rate, destination)


def minor_amount(units: int, asset: Asset) -> int:
    """A currency amount in its minor unit (cents), as payment providers take it.

    Raises AmountOutOfRange when the amount has more decimals than the currency.
    """
    return to_units(from_units(units, asset), asset._replace(scale=asset.precision))


def plain(value: Decimal) -> Decimal:
    """The same number without trailing zeros and without an exponent: 2E+1 → 20."""
    normal = value.normalize(EXACT)
    exponent = normal.as_tuple().exponent
    return normal.quantize(Decimal(1)) if isinstance(exponent, int) and exponent > 0 else normal
