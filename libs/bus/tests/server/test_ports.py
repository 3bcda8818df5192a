"""Who listens where."""

import os
import socket

from millrace_bus.server.ports import free_port, owner_of, port_is_free


def test_a_listener_is_found() -> None:
    """By name and process id; a port that is free has none."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert not port_is_free("127.0.0.1", port)
        assert f"(process {os.getpid()})" in owner_of(port)
    assert port_is_free("127.0.0.1", port)
    assert owner_of(port) == "another process"


def test_a_free_port_is_kept_and_a_busy_one_replaced() -> None:
    """A person gets the port that they know when nobody else has it."""
    port = free_port(0)
    assert free_port(port) == port
    with socket.create_server(("127.0.0.1", port)):
        assert free_port(port) != port
