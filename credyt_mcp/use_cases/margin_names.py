"""How the groups of a report are called: customers, products, prices and vendors by their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlmodel import Session

from credyt_mcp.storage import margin_names
from credyt_mcp.storage.margin_queries import date_of

Key = tuple[Any, ...]


class Label(NamedTuple):
    """`key` is None where usage has none; what is not said is None as well."""

    key: str | None
    name: str | None = None
    external_id: str | None = None
    customer_id: str | None = None
    product: str | None = None


NOTHING = Label(None)


def labels(session: Session, tenant_id: int, by: str, keys: Sequence[Key]) -> list[Label]:
    """One for each of the keys of `margin_queries.Group`."""
    if by in ("customer", "user_id", "subject"):
        return _of_customers(session, keys)
    firsts = [key[0] for key in keys]
    named: dict[Any, Label] = {}
    if by == "day":
        return [Label(date_of(day)) for day in firsts]
    if by == "price":
        prices = margin_names.prices(session, firsts)
        named = {one: Label(it.id, it.name, product=it.product) for one, it in prices.items()}
    elif by == "product":
        products = margin_names.products(session, tenant_id, firsts)
        named = {one: Label(row.public_id, row.name, product=one) for one, row in products.items()}
    elif by == "vendor":
        vendors = margin_names.vendors(session, tenant_id, firsts)
        named = {one: Label(one, row.name, row.external_id) for one, row in vendors.items()}
    return [named.get(one, Label(str(one))) if one else NOTHING for one in firsts]


def _of_customers(session: Session, keys: Sequence[Key]) -> list[Label]:
    rows = margin_names.customers(session, {key[0] for key in keys})
    found = []
    for customer_id, *names in keys:
        row = rows[customer_id]
        if names:
            found.append(Label(names[0], customer_id=row.public_id, external_id=row.external_id))
        else:
            found.append(Label(row.public_id, row.name, row.external_id))
    return found
