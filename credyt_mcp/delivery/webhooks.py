"""Sends one webhook over HTTP, signed. It decides nothing about when or what; it never follows a
redirect, never waits long, and never connects where `addresses` forbids."""

from __future__ import annotations

import hashlib
import hmac
import logging
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version

import anyio
import httpx
from standardwebhooks import Webhook

from credyt_mcp.delivery.addresses import Refused, Resolve, reachable, resolve

TIMEOUT_SECONDS = 10.0
READ_MAX = 4096
SHOWN_MAX = 500
ADDRESSES_MAX = 3

# httpx logs the whole URL of every request, and some tenants put a token into theirs.
logging.getLogger("httpx").setLevel(logging.WARNING)


@dataclass(frozen=True)
class Message:
    """What to send. The body's bytes are the same at each attempt; its signature is not."""

    id: str
    body: bytes
    url: str
    secret: str
    allow_private: bool


@dataclass(frozen=True)
class Answer:
    """What came of an attempt: a status and the start of the answer, or what went wrong."""

    status: int | None = None
    text: str | None = None
    error: str | None = None

    @property
    def ok(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def signatures(message: Message, now: datetime) -> dict[str, str]:
    """Headers by which a receiver knows that we sent this body, a moment ago: the hosted service's
    and those of the Standard Webhooks specification."""
    seconds = int(now.timestamp())
    signed = f"{seconds}.".encode() + message.body
    code = hmac.new(message.secret.encode(), signed, hashlib.sha256).hexdigest()
    standard = Webhook(message.secret).sign(message.id, now, message.body.decode())
    return {
        "Credyt-Signature": f"t={seconds},v0={code}",
        "webhook-id": message.id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": standard,
    }


class Sender:
    """Connections are not shared between destinations: two names at one address are two."""

    def __init__(self, resolve: Resolve = resolve, timeout: float = TIMEOUT_SECONDS) -> None:
        self._resolve = resolve
        self._timeout = timeout
        self._tls = httpx.create_ssl_context()
        self._headers = {
            "Content-Type": "application/json",
            "User-Agent": f"credyt-mcp/{version('credyt-mcp')}",
        }

    def connections(self) -> httpx.AsyncClient:
        """For the messages to one destination. A proxy of the environment is not used: through it
        no address could be checked."""
        return httpx.AsyncClient(
            verify=self._tls, trust_env=False, follow_redirects=False, timeout=self._timeout
        )

    async def send(self, client: httpx.AsyncClient, message: Message, now: datetime) -> Answer:
        """One attempt; never raises for what the receiver, or the network, does."""
        try:
            with anyio.fail_after(self._timeout):
                return await self._attempt(client, message, now)
        except Refused as refusal:
            return Answer(error=f"not sent: {refusal}")
        except (TimeoutError, httpx.TimeoutException):
            return Answer(error=f"no answer within {self._timeout:g} seconds")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return Answer(error=f"{type(error).__name__}: {error}"[:SHOWN_MAX])

    async def _attempt(self, client: httpx.AsyncClient, message: Message, now: datetime) -> Answer:
        url = httpx.URL(message.url)
        port = url.port or (443 if url.scheme == "https" else 80)
        addresses = await reachable(
            url.host, port, allow_private=message.allow_private, resolve=self._resolve
        )
        *others, last = addresses[:ADDRESSES_MAX]
        for address in others:
            try:
                return await self._post(client, message, now, url, address)
            except httpx.ConnectError:
                continue  # nothing was sent, so another address may be tried
        return await self._post(client, message, now, url, last)

    async def _post(
        self,
        client: httpx.AsyncClient,
        message: Message,
        now: datetime,
        url: httpx.URL,
        address: str,
    ) -> Answer:
        request = client.build_request(
            "POST",
            url.copy_with(host=address),
            content=message.body,
            headers={
                **self._headers,
                "Host": url.netloc.decode(),
                **signatures(message, now),
            },
            # The certificate must be the name's, though we connect to the address.
            extensions={"sni_hostname": url.raw_host.decode()},
        )
        answer = await client.send(request, stream=True)
        try:
            return Answer(answer.status_code, await _start_of(answer), _problem(answer))
        finally:
            await answer.aclose()


async def _start_of(answer: httpx.Response) -> str:
    """The beginning of the body, as text that both databases keep."""
    read = b""
    async for part in answer.aiter_raw():
        read += part
        if len(read) >= READ_MAX:
            break
    return read.decode(errors="replace").replace("\0", "")[:SHOWN_MAX]


def _problem(answer: httpx.Response) -> str | None:
    if answer.is_success:
        return None
    if answer.is_redirect:
        return f"answered {answer.status_code}; redirects are not followed"
    return f"answered {answer.status_code}"
