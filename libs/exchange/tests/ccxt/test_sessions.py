"""The ccxt instances over which streams come: who closes which."""

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
