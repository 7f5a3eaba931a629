"""Connections stay open for whoever comes back to them."""

from __future__ import annotations

from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from tests.processes.harness import Server

CLIENTS_KEEP_SECONDS = 5.0
"""httpx drops a connection that was idle for so long."""


@pytest.mark.slow
def test_the_server_is_not_the_first_to_close_an_idle_connection(shared_server: Server) -> None:
    with closing(HTTPConnection(urlsplit(shared_server.url).netloc)) as connection:
        assert _status(connection) == 200
        socket = connection.sock
        socket.settimeout(CLIENTS_KEEP_SECONDS + 1)
        with pytest.raises(TimeoutError):  # nothing comes, nor an end
            socket.recv(1)
        assert _status(connection) == 200
        assert connection.sock is socket


def _status(connection: HTTPConnection) -> int:
    connection.request("GET", "/healthz")
    answer = connection.getresponse()
    answer.read()
    return answer.status
