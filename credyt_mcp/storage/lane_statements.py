"""The text of the lane's statements, rendered from the tables' metadata. It runs none of them."""

from __future__ import annotations

from functools import cache

from sqlalchemy import Dialect, Table
from sqlalchemy.dialects.postgresql.base import PGDialect


@cache
def sqlite_insert(table: Table, columns: tuple[str, ...]) -> str:
    names = ", ".join(columns)
    return f"INSERT INTO {table.name} ({names}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 - names come from our own tables


def unless_known(by: tuple[str, ...]) -> str:
    # An update that changes nothing, because DO NOTHING would return no row.
    return f"ON CONFLICT ({', '.join(by)}) DO UPDATE SET {by[0]} = excluded.{by[0]}"


@cache
def or_add(table: Table, by: tuple[str, ...], columns: tuple[str, ...]) -> str:
    sums = ", ".join(f"{c} = {table.name}.{c} + excluded.{c}" for c in columns if c not in by)
    return f"ON CONFLICT ({', '.join(by)}) DO UPDATE SET {sums}"


@cache
def _recordset(table: Table, columns: tuple[str, ...]) -> str:
    dialect: Dialect = PGDialect()  # type: ignore[no-untyped-call]
    types = ", ".join(f"{c} {table.c[c].type.compile(dialect=dialect)}" for c in columns)
    return f"json_to_recordset(%s::json) AS given({types})"


@cache
def postgres_find(table: Table, by: tuple[str, ...], where: str, at_most: str) -> str:
    matches = " AND ".join(f"{table.name}.{column} = given.{column}" for column in by)
    narrower = where and f" AND {where}"
    if at_most:
        narrower += f" AND {table.name}.{at_most} <= given.{at_most}"
    columns = (*by, at_most) if at_most else by
    return (
        f"SELECT found.* FROM {_recordset(table, columns)} CROSS JOIN LATERAL "  # noqa: S608 - as above
        f"(SELECT * FROM {table.name} WHERE {matches}{narrower} OFFSET 0) found"
    )


@cache
def postgres_insert(table: Table, columns: tuple[str, ...]) -> str:
    names = ", ".join(columns)
    return f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {_recordset(table, columns)}"  # noqa: S608 - as above


@cache
def postgres_update(table: Table, by: tuple[str, ...], columns: tuple[str, ...]) -> str:
    sets = ", ".join(f"{c} = given.{c}" for c in columns if c not in by)
    matches = " AND ".join(f"{table.name}.{c} = given.{c}" for c in by)
    return f"UPDATE {table.name} SET {sets} FROM {_recordset(table, columns)} WHERE {matches}"  # noqa: S608 - as above
