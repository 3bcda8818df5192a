import socket

import pytest

from millrace_cli.addresses import free_port, listening


def test_a_free_port_is_kept_and_a_busy_one_replaced() -> None:
    """A person gets the port that they know when nobody else has it."""
    port = free_port(0)
    assert free_port(port) == port
    with socket.create_server(("127.0.0.1", port)):
        assert free_port(port) != port


async def test_waiting_for_a_listener_ends_when_there_is_one() -> None:
    """Somebody listens, or the time is over."""
    port = free_port(0)
    with pytest.raises(TimeoutError):
        await listening(port, 0.1)
    with socket.create_server(("127.0.0.1", port)):
        await listening(port, 5)
