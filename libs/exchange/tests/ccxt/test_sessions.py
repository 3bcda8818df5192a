"""The ccxt instances over which streams come: who closes which."""

import sys
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from ccxt.base.errors import NetworkError
from tests.support.hanging_up import hanging_up

from millrace_core.config.common import Credentials
from millrace_exchange.ccxt.exchange import open_ccxt_exchange


class Socket:
    """A connection of ccxt's that counts how often it is closed."""

    def __init__(self) -> None:
        self.closed = 0

    async def close(self) -> None:
        """Count."""
        self.closed += 1


async def test_the_first_instance_is_left_to_its_owner() -> None:
    """The owner closes it with all its sockets: the sessions must not close them too."""
    exchange = await open_ccxt_exchange("binance", Credentials())
    socket = Socket()
    exchange.sessions.current.caller.ccxt.clients = {"wss://streams": socket}
    await exchange.sessions.close()
    assert socket.closed == 0
    await exchange.close()


class Connector:
    """Stands for the class that makes ccxt's connectors for SOCKS proxies; this one connects without a proxy."""

    @staticmethod
    def from_url(*_: Any, **__: Any) -> aiohttp.TCPConnector:
        """Return a connector."""
        return aiohttp.TCPConnector()


@pytest.mark.parametrize("proxy", [None, "socks5://127.0.0.1:1"])
@pytest.mark.parametrize("method", ["DELETE", "PUT", "POST"])
async def test_a_request_that_changes_something_leaves_once(
    method: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kept connection that ends without an answer is no reason to send again: the exchange may have done it."""
    monkeypatch.setitem(sys.modules, "aiohttp_socks", SimpleNamespace(ProxyConnector=Connector))  # type: ignore[arg-type]
    exchange = await open_ccxt_exchange("binance", Credentials())
    ccxt = exchange.sessions.current.caller.ccxt
    ccxt.socksProxy = proxy
    async with hanging_up() as server:
        await ccxt.fetch(f"{server.url}/order")
        with pytest.raises(NetworkError):
            await ccxt.fetch(f"{server.url}/order", method)
        assert server.asked == ["GET", method]
        await exchange.close()
