"""ccxt.pro alone: books and trades watched, nothing done with them.

python -m benchmarks.peers.bare_ccxt EXCHANGE_URL SYMBOL,SYMBOL
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import ccxt.pro
import uvloop

from benchmarks.peers.counting import Counter


async def main(exchange: str, symbols: str) -> None:
    """Watch until the process ends."""
    counter = Counter()
    counter.listen()
    client = ccxt.pro.binance({"options": {"fetchMarkets": {"types": ["spot"]}}})
    sockets = exchange.replace("http", "ws")
    api: dict[str, Any] = client.urls["api"]
    api |= {"public": f"{exchange}/api/v3", "private": f"{exchange}/api/v3", "v3": f"{exchange}/api/v3"}
    api["ws"]["spot"] = f"{sockets}/ws"
    handle = client.handle_message

    def counted(connection: Any, message: Any) -> Any:
        counter.count()
        return handle(connection, message)

    client.handle_message = counted
    loops = [_for_ever(client, name, symbol) for symbol in symbols.split(",") for name in ("order_book", "trades")]
    await asyncio.gather(*loops)


async def _for_ever(client: Any, name: str, symbol: str) -> None:
    watch: Callable[[str], Awaitable[Any]] = getattr(client, f"watch_{name}")
    while True:
        await watch(symbol)


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
