"""Writes rows whose code or external id may be taken. The database decides, no earlier look."""

from __future__ import annotations

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, SQLModel


def save(session: Session, row: SQLModel) -> bool:
    """Whether it was written; False when a unique key of it is taken, and the session is spent."""
    session.add(row)
    try:
        session.flush()
    except IntegrityError:
        return False
    return True
