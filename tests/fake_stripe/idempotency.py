"""Idempotency keys as Stripe documents them: the first answer again, be it a decline or a 500; 400
for other parameters; 409 while the first is under way; forgotten after a day."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

LIFETIME_SECONDS = 24 * 60 * 60


class Kept(NamedTuple):
    asked: Any
    at: int
    status: int
    answer: Any


@dataclass
class Keys:
    kept: dict[str, Kept] = field(default_factory=dict)
    under_way: set[str] = field(default_factory=set)

    def begin(self, key: str, asked: Any, now: int) -> tuple[int, Any] | None:
        """The answer to give without acting, if there is one."""
        if key in self.under_way:
            return 409, _error("idempotency_key_in_use")
        found = self.kept.get(key)
        if found is not None and now - found.at >= LIFETIME_SECONDS:
            del self.kept[key]
        elif found is not None:
            same = found.asked == asked
            return (found.status, found.answer) if same else (400, _error("other_parameters"))
        self.under_way.add(key)
        return None

    def end(self, key: str, kept: Kept | None) -> None:
        """Keep what came of it; None for what failed before anything began."""
        self.under_way.discard(key)
        if kept is not None:
            self.kept[key] = kept


def _error(code: str) -> Any:
    return {"error": {"type": "idempotency_error", "code": code, "message": f"refused: {code}"}}
