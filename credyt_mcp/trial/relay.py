"""Stands between the app and the billing server, so that the server can be away for a while."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

CHUNK = 65_536


class Relay:
    """Passes bytes on; while `down`, every connection is closed."""

    def __init__(self, port: int) -> None:
        self._upstream = ("127.0.0.1", port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._down = False
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def serve(self) -> None:
        """Until it is closed."""
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self._started(self._connect, client)

    @contextmanager
    def down(self) -> Iterator[None]:
        self._down = True
        self._cut()
        try:
            yield
        finally:
            self._down = False

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._cut()

    def _connect(self, client: socket.socket) -> None:
        if self._down:
            client.close()
            return
        try:
            server = socket.create_connection(self._upstream)
        except OSError:
            client.close()
            return
        self._open |= {client, server}
        self._started(self._pass_on, client, server)
        self._pass_on(server, client)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while sent := source.recv(CHUNK):
                target.sendall(sent)
        for one in (source, target):
            self._open.discard(one)
            one.close()

    def _cut(self) -> None:
        for one in list(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _started(work: object, *given: object) -> None:
        threading.Thread(target=work, args=given, daemon=True).start()  # type: ignore[arg-type]
