"""ISO 8601 durations, such as P1M or P7DT12H. Months and years are calendar months. Pure."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from credyt_mcp.domain.periods import add_months

_DURATION = re.compile(
    r"P(?=.)(?:(?P<years>\d{1,4})Y)?(?:(?P<months>\d{1,5})M)?(?:(?P<weeks>\d{1,6})W)?"
    r"(?:(?P<days>\d{1,7})D)?"
    r"(?:T(?=.)(?:(?P<hours>\d{1,8})H)?(?:(?P<minutes>\d{1,9})M)?(?:(?P<seconds>\d{1,10})S)?)?"
)


def later(moment: datetime, duration: str) -> datetime:
    """The moment so much later: first the months, then the rest.

    Raises ValueError for what is no duration, or leads beyond the year 9999.
    """
    found = _DURATION.fullmatch(duration.upper())
    if found is None:
        raise ValueError("must be an ISO 8601 duration such as P1M, P7D or PT1H")
    parts = {name: int(number or 0) for name, number in found.groupdict().items()}
    months = 12 * parts.pop("years") + parts.pop("months")
    try:
        return add_months(moment, months) + timedelta(**parts)
    except (OverflowError, ValueError):
        raise ValueError("must not lead beyond the year 9999") from None
