"""No test reaches another machine, and so nothing that tests run does."""

from __future__ import annotations

import http.client
import socket

import pytest


def test_whatever_reaches_for_another_machine_is_stopped_and_noted(reached):
    with pytest.raises(ConnectionRefusedError), socket.socket() as stranger:
        stranger.connect(("192.0.2.1", 443))
    with pytest.raises(OSError, match="may not look up"):
        http.client.HTTPSConnection("hub.example").request("GET", "/")

    assert reached == ["192.0.2.1", "hub.example"]
    reached.clear()


def test_this_machine_may_be_reached(reached):
    with socket.create_server(("127.0.0.1", 0)) as served:
        socket.create_connection(served.getsockname(), timeout=120).close()

    assert reached == []
