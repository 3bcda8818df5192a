"""Who listens where."""

import os
import socket
import subprocess
import threading

from millrace_bus.server.ports import free_port, owner_of, port_is_free

_OTHERS = 3_000
_PROCESSES = 100


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


def test_a_port_given_out_is_given_to_nobody_else() -> None:
    """Our server finds it free even if others open thousands of ports, to listen and to connect, before it starts."""
    ports = [free_port(0) for _ in range(20)]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for _ in range(_OTHERS):
            with socket.socket() as other:
                other.bind(("127.0.0.1", 0))
                assert other.getsockname()[1] not in ports
            with socket.create_connection(listener.getsockname()) as client, listener.accept()[0]:
                assert client.getsockname()[1] not in ports
    for port in ports:
        socket.create_server(("127.0.0.1", port)).close()


def test_a_port_is_free_though_other_threads_start_processes() -> None:
    """Each of them has our open sockets, the listener that we ask for a port among them, until its program runs."""
    starting = threading.Thread(target=lambda: [subprocess.run(["true"], check=True) for _ in range(_PROCESSES)])  # noqa: S607
    starting.start()
    held = []
    while starting.is_alive():
        port = free_port(0)
        held += [] if port_is_free("127.0.0.1", port) else [port]
    starting.join()
    assert held == []
