import asyncio
import socket
from pathlib import Path

import pytest

from millrace_cli.ports import PortBusy, http_port
from millrace_cli.up import run


def test_a_busy_port_is_an_error_that_says_what_to_do() -> None:
    """It is never replaced silently: clients look for the API where it was asked to be."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with pytest.raises(PortBusy, match=rf"port {port} is in use by .*--api-port"):
            http_port("API", port, "--api-port")
    assert http_port("API", port, "--api-port") == port
    assert http_port("API", 0, "--api-port") > 0


async def test_up_refuses_a_busy_port_before_it_starts_anything(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No server and no service was started."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setenv("MILLRACE_PORT", str(listening.getsockname()[1]))
        with pytest.raises(PortBusy, match="MILLRACE_PORT"):
            await run(None, tmp_path / "data", 0, {}, print, asyncio.Event())
    assert not (tmp_path / "data").exists()
