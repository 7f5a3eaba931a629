"""Column types that mean the same in SQLite and in Postgres. No queries here."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Dialect, Integer, LargeBinary, Text, TypeDecorator

from credyt_mcp import exact_json
from credyt_mcp.clock import from_micros, to_micros

RowId = BigInteger().with_variant(Integer(), "sqlite")
"""64-bit key; SQLite gives only a column spelt INTEGER its fast rowid."""

Key = LargeBinary(16)
"""A caller's id as 16 bytes, see `ids.client_key`."""


class Micros(TypeDecorator[datetime]):
    """An aware UTC moment, kept as microseconds since 1970: exact, ordered, and free of zones."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_micros(value)


class ExactDecimal(TypeDecorator[Decimal]):
    """A rate or quantity as decimal text, since SQLite would turn a NUMERIC into a double."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        return None if value is None else f"{value:f}"

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


class ExactJson(TypeDecorator[Any]):
    """A JSON document as text, with exact decimals."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else exact_json.dumps(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else exact_json.loads(value)
