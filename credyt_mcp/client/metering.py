"""An SDK's client with some of its methods metered: held before, billed after, streams included.

Everything else of the client is left out, with a message: a call that cost money unnoticed is what
this is there to prevent.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

from credyt_mcp.client.billing import AsyncCredyt, Credyt
from credyt_mcp.client.charges import Answer, Charge, Outcome, Terms

Client = TypeVar("Client")
Billing = Credyt | AsyncCredyt


class Shape(Protocol):
    """How one method of an SDK answers."""

    def prepared(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options to call it with, so that usage is reported."""

    def whole(self, answer: Answer, response: Any) -> None:
        """Read a response that is not a stream."""

    def part(self, answer: Answer, event: Any) -> bool:
        """Read a part of a stream; answers whether the caller is to see it."""


@dataclass(frozen=True)
class Method:
    """`manager` tells that it returns a context manager around a stream, as Anthropic's does."""

    shape: Shape
    limits: tuple[str, ...] = ()
    manager: bool = False


@dataclass(frozen=True)
class Meter:
    billing: Billing
    terms: Terms
    provider: str

    def charge(self, method: Method, options: Mapping[str, Any]) -> Charge:
        limits = [options[name] for name in method.limits if isinstance(options.get(name), int)]
        model = str(options.get("model", ""))
        return Charge(self.terms, self.provider, model, min(limits, default=None))


def metered(client: Client, meter: Meter, methods: Mapping[str, Method]) -> Client:
    """`client`, of which only `methods` (dotted names) can be called.

    Raises TypeError where one of client and billing is async and the other is not.
    """
    if type(client).__name__.startswith("Async") != isinstance(meter.billing, AsyncCredyt):
        wanted = "an AsyncCredyt with an async client, a Credyt with any other"
        raise TypeError(f"{type(client).__name__} and {type(meter.billing).__name__}: use {wanted}")
    return cast("Client", _Part(client, meter, methods, ""))


class _Part:
    """A client, or one of the resources in it."""

    def __init__(self, inner: Any, meter: Meter, methods: Mapping[str, Method], path: str) -> None:
        self._inner, self._meter, self._methods, self._path = inner, meter, methods, path

    def __getattr__(self, name: str) -> Any:
        path = f"{self._path}.{name}" if self._path else name
        if path in self._methods:
            return _method(getattr(self._inner, name), self._meter, self._methods[path])
        if any(known.startswith(f"{path}.") for known in self._methods):
            return _Part(getattr(self._inner, name), self._meter, self._methods, path)
        raise AttributeError(
            f"{path} is not metered; metered are {', '.join(self._methods)}."
            " Call it on the client itself, and send its usage to POST /events."
        )


def _method(call: Callable[..., Any], meter: Meter, method: Method) -> Callable[..., Any]:
    billing = meter.billing

    def opened(options: dict[str, Any]) -> tuple[Charge, Answer]:
        charge = meter.charge(method, options)
        return charge, Answer(charge.model)

    def synchronous(**options: Any) -> Any:
        assert isinstance(billing, Credyt)
        charge, answer = opened(options)
        if method.manager:
            return _Manager(billing, charge, answer, method.shape, call(**options))
        billing.hold(charge)
        try:
            response = call(**method.shape.prepared(options))
        except BaseException as error:
            billing.settle(charge, answer, _outcome(error))
            raise
        if options.get("stream"):
            return MeteredStream(billing, charge, answer, method.shape, response)
        method.shape.whole(answer, response)
        billing.settle(charge, answer, "ok")
        return response

    async def asynchronous(**options: Any) -> Any:
        assert isinstance(billing, AsyncCredyt)
        charge, answer = opened(options)
        await billing.hold(charge)
        try:
            response = await call(**method.shape.prepared(options))
        except BaseException as error:
            await billing.settle(charge, answer, _outcome(error))
            raise
        if options.get("stream"):
            return AsyncMeteredStream(billing, charge, answer, method.shape, response)
        method.shape.whole(answer, response)
        await billing.settle(charge, answer, "ok")
        return response

    def asynchronous_manager(**options: Any) -> Any:
        assert isinstance(billing, AsyncCredyt)
        return _AsyncManager(billing, *opened(options), method.shape, call(**options))

    if isinstance(billing, Credyt):
        return synchronous
    return asynchronous_manager if method.manager else asynchronous


def _outcome(error: BaseException) -> Outcome:
    """A provider that answered with an error charges nothing; of no answer nobody knows."""
    return "failed" if isinstance(getattr(error, "status_code", None), int) else "unknown"


class _Stream:
    """Anything that is not metered is asked of the SDK's own."""

    def __init__(
        self, billing: Any, charge: Charge, answer: Answer, shape: Shape, inner: Any
    ) -> None:
        self._billing, self._charge, self._answer = billing, charge, answer
        self._shape, self._inner = shape, inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


# The generators below know nothing of the streams that hold them: in a circle a stream that its
# reader dropped would be billed only when Python comes to collect garbage.


class MeteredStream(_Stream):
    """The SDK's stream. It is billed when it ends, is closed, or is dropped."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._events = _metered(*parts)

    def __iter__(self) -> Iterator[Any]:
        return self._events

    def __next__(self) -> Any:
        return next(self._events)

    def close(self) -> None:
        self._events.close()
        self._inner.close()
        self._billing.settle(self._charge, self._answer, _end(self._answer))

    def __enter__(self) -> MeteredStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _metered(
    billing: Credyt, charge: Charge, answer: Answer, shape: Shape, inner: Any
) -> Generator[Any, None, None]:
    try:
        for event in inner:
            if shape.part(answer, event):
                yield event
    finally:
        inner.close()
        billing.settle(charge, answer, _end(answer))


class AsyncMeteredStream(_Stream):
    """The SDK's stream. It is billed when it ends, is closed, or is dropped."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._events = _metered_async(*parts)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._events

    async def __anext__(self) -> Any:
        return await anext(self._events)

    async def close(self) -> None:
        await self._events.aclose()
        await self._billing.settle(self._charge, self._answer, _end(self._answer))
        await self._inner.close()

    async def __aenter__(self) -> AsyncMeteredStream:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def _metered_async(
    billing: AsyncCredyt, charge: Charge, answer: Answer, shape: Shape, inner: Any
) -> AsyncGenerator[Any, None]:
    try:
        async for event in inner:
            if shape.part(answer, event):
                yield event
    finally:
        await billing.settle(charge, answer, _end(answer))
        await inner.close()


def _end(answer: Answer) -> Outcome:
    return "ok" if answer.finished else "aborted"


class _Manager(_Stream):
    """A context manager whose stream keeps what has come of the message."""

    def __enter__(self) -> Any:
        self._billing.hold(self._charge)
        try:
            self._stream = self._inner.__enter__()
        except BaseException as error:
            self._billing.settle(self._charge, self._answer, _outcome(error))
            raise
        return self._stream

    def __exit__(self, *error: Any) -> Any:
        try:
            return self._inner.__exit__(*error)
        finally:
            self._shape.whole(self._answer, self._stream)
            self._billing.settle(self._charge, self._answer, _end(self._answer))


class _AsyncManager(_Stream):
    async def __aenter__(self) -> Any:
        await self._billing.hold(self._charge)
        try:
            self._stream = await self._inner.__aenter__()
        except BaseException as error:
            await self._billing.settle(self._charge, self._answer, _outcome(error))
            raise
        return self._stream

    async def __aexit__(self, *error: Any) -> Any:
        try:
            return await self._inner.__aexit__(*error)
        finally:
            self._shape.whole(self._answer, self._stream)
            await self._billing.settle(self._charge, self._answer, _end(self._answer))


def dumped(usage: Any) -> dict[str, Any] | None:
    """The provider's usage object as it came."""
    if usage is None or isinstance(usage, dict):
        return usage
    found: dict[str, Any] = usage.model_dump(mode="json", exclude_none=True)
    return found
