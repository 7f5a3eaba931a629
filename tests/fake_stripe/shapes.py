"""What the SDK's own types say, asked deeply: which parameters a request may have, and which fields
an answer. Stripe generates those types from its API, so they are the part of the fake that nobody
here made up. They know shapes, never behaviour.

An enumeration is closed here (`Literal[...] | str`): what is new in it, the SDK does not know yet.
"""

from __future__ import annotations

import re
import sys
import typing
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from importlib import import_module
from typing import Any, ForwardRef, Literal

import stripe
import typing_extensions
from stripe import ListObject
from stripe._object_classes import OBJECT_CLASSES, V2_OBJECT_CLASSES
from stripe._request_options import RequestOptions
from stripe._stripe_object import StripeObject, UntypedStripeObject

OPTIONS = set(RequestOptions.__annotations__)
"""What a call may carry beside its parameters; never sent as one."""
PLAIN = {str: r"(?s).*", int: r"-?\d+", bool: r"true|false", Decimal: r"-?\d+(\.\d+)?"}


class Wrong(Exception):
    """A parameter that Stripe would refuse: `code` as its errors have it, `name` as `a[b]`."""

    def __init__(self, code: str, name: str) -> None:
        super().__init__(f"{code}: {name}")
        self.code, self.name = code, name


def read(form: dict[str, Any], kind: Any) -> dict[str, Any]:
    """A request's form as the values that its type says. Raises Wrong."""
    return dict(_fields(form, kind, ""))


def complaints(answer: dict[str, Any], at: str = "") -> list[str]:
    """What an answer has that Stripe's object of its kind has not, or has of another type."""
    at = at or str(answer.get("object"))
    return list(_odd(answer, resource(str(answer.get("object"))), None, at))


def resource(kind: str) -> Any:
    module, name = (OBJECT_CLASSES | V2_OBJECT_CLASSES)[kind]
    return getattr(import_module(module), name)


def _fields(form: dict[str, Any], kind: Any, at: str) -> Iterator[tuple[str, Any]]:
    known = {name: hint for name, hint in kind.__annotations__.items() if name not in OPTIONS}
    for name, given in form.items():
        if name not in known and name != "expand":
            raise Wrong("parameter_unknown", _inside(at, name))
        yield name, _value(given, known.get(name, list[str]), kind, _inside(at, name))
    for name, hint in known.items():
        if name not in form and _plain(hint, kind) is _meant(hint, kind):
            raise Wrong("parameter_missing", _inside(at, name))


def _value(given: Any, hint: Any, owner: Any, at: str) -> Any:
    wrong = Wrong("parameter_invalid", at)
    for choice in _choices(hint, owner):
        try:
            return _one(given, choice, owner, at)
        except Wrong as refused:
            wrong = refused if refused.name != at or wrong.name == at else wrong
    raise wrong


def _one(given: Any, hint: Any, owner: Any, at: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(given, str):
        if origin is Literal and given in arguments:
            return given
        if hint in PLAIN and re.fullmatch(PLAIN[hint], given):
            return given == "true" if hint is bool else hint(given)
    elif origin is list:
        return [_value(one, arguments[0], owner, f"{at}[{n}]") for n, one in given.items()]
    elif origin is dict:
        return {
            name: _value(one, arguments[1], owner, f"{at}[{name}]") for name, one in given.items()
        }
    elif hasattr(hint, "__required_keys__"):
        return dict(_fields(given, hint, at))
    raise Wrong("parameter_invalid", at)


def _odd(value: Any, hint: Any, owner: Any, at: str) -> Iterator[str]:
    """The complaints of the choice that complains least."""
    found = [list(_odd_as(value, choice, owner, at)) for choice in _choices(hint, owner)]
    yield from min(found, key=len, default=[f"{at}: of no known type"])


def _odd_as(value: Any, hint: Any, owner: Any, at: str) -> Iterator[str]:
    origin, arguments = typing.get_origin(hint) or hint, typing.get_args(hint)
    if hint is Any or (origin is UntypedStripeObject and isinstance(value, dict)):
        return
    if origin is ListObject and isinstance(value, dict):
        for n, one in enumerate(value["data"]):
            yield from complaints(one, f"{at}.data[{n}]")
    elif origin is list and isinstance(value, list):
        for n, one in enumerate(value):
            yield from _odd(one, arguments[0], owner, f"{at}[{n}]")
    elif isinstance(value, dict) and isinstance(origin, type) and issubclass(origin, StripeObject):
        known = {
            name: (hint, base)
            for base in reversed(origin.__mro__)
            for name, hint in vars(base).get("__annotations__", {}).items()
        }
        for name, inner in value.items():
            if name not in known:
                yield f"{at}.{name}: there is no such field"
            else:
                yield from _odd(inner, known[name][0], known[name][1], f"{at}.{name}")
    elif not _fits(value, origin, arguments):
        yield f"{at}: {value!r} is not {hint}"


def _fits(value: Any, origin: Any, arguments: tuple[Any, ...]) -> bool:
    if origin is Literal:
        return value in arguments
    if origin is Decimal:
        return isinstance(value, str) and re.fullmatch(PLAIN[Decimal], value) is not None
    return type(value) is origin


def _choices(hint: Any, owner: Any) -> list[Any]:
    """The members of a union; an open enumeration is closed."""
    plain = _plain(hint, owner)
    found = [plain]
    if typing.get_origin(plain) in (typing.Union, type(int | str)):
        found = [inner for one in typing.get_args(plain) for inner in _choices(one, owner)]
    closed = any(typing.get_origin(one) is Literal and one != Literal[""] for one in found)
    return [one for one in found if one is not str] if closed else found


def _plain(hint: Any, owner: Any) -> Any:
    meant = _meant(hint, owner)
    wrapped = typing.get_origin(meant) in (typing.NotRequired, typing_extensions.NotRequired)
    return _meant(typing.get_args(meant)[0], owner) if wrapped else meant


def _meant(hint: Any, owner: Any) -> Any:
    text = hint.__forward_arg__ if isinstance(hint, ForwardRef) else hint
    return _named(text, owner) if isinstance(text, str) else hint


@cache
def _named(text: str, owner: Any) -> Any:
    """What a name stands for, where the class was written."""
    return eval(text, {}, _Names(owner))


class _Names(dict[str, Any]):
    def __init__(self, owner: Any) -> None:
        super().__init__(vars(sys.modules[owner.__module__]) if owner else {})

    def __missing__(self, name: str) -> Any:
        return _resources()[name] if name in _resources() else vars(stripe)[name]


@cache
def _resources() -> Mapping[str, Any]:
    return {name: resource(kind) for kind, (_, name) in OBJECT_CLASSES.items()}


def _inside(at: str, name: str) -> str:
    return f"{at}[{name}]" if at else name
