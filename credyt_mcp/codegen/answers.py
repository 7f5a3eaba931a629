"""What a plan is told besides the app itself: what is sold, and what only a person can say."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import Any

from credyt_mcp.errors import InvalidRequest

CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}")


@dataclass(frozen=True)
class Answers:
    """`events` are the billable event types; `products` are subscribed to at a customer's first
    use; top-ups are paid in `currency` and credit `asset`."""

    events: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    asset: str = "USD"
    currency: str = "USD"
    top_up_amounts: tuple[str, ...] = ("10", "25", "50")
    stack: str | None = None
    root: str | None = None

    def __post_init__(self) -> None:
        for name in ("events", "products", "top_up_amounts"):
            for code in (*getattr(self, name), self.asset, self.currency):
                # These are written into source code.
                if not CODE.fullmatch(code):
                    raise InvalidRequest(name, f"'{code[:40]}' is not a plain code")
        for amount in self.top_up_amounts:
            if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", amount) or Decimal(amount) <= 0:
                raise InvalidRequest("top_up_amounts", "must be amounts such as 10 or 2.50")

    def as_json(self) -> dict[str, Any]:
        """Without what the manifest says beside it."""
        said = asdict(self)
        return {name: said[name] for name in said if name not in ("stack", "root")}

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> Answers:
        """Unknown names are ignored: a newer version may have written them."""
        known = {field.name for field in fields(cls)}
        said: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in given.items()
            if name in known
        }
        return cls(**said)
