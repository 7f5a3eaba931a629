"""Connections stay open for whoever comes back to them."""

from __future__ import annotations

import socket

import httpx
import pytest

from tests.processes.harness import Server

CLIENTS_KEEP_SECONDS = 5.0
"""httpx drops a connection that was idle for so long."""

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.slow
def test_the_server_is_not_the_first_to_close_an_idle_connection(shared_server: Server) -> None:
    url = httpx.URL(shared_server.url)
    assert url.port is not None
    with socket.create_connection((url.host, url.port)) as connection:
        connection.sendall(REQUEST)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        connection.settimeout(CLIENTS_KEEP_SECONDS + 1)
        with pytest.raises(TimeoutError):  # nothing comes, nor an end
            connection.recv(1)
        connection.sendall(REQUEST)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
