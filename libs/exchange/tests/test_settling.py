from millrace_core.config import Credentials
from millrace_exchange import open_exchange
from millrace_exchange.settling import settling_ms


async def test_absence_is_proven_after_the_window_and_the_backend() -> None:
    """By default 5 s of recvWindow and 10 s of work; a longer window of the account's own makes it longer."""
    for options, expected in (({}, 15_000), ({"recvWindow": 20_000}, 30_000), ({"recvWindow": 100}, 15_000)):
        exchange = await open_exchange("binance", Credentials(options=options))
        assert settling_ms(exchange) == expected
        await exchange.close()
