"""A process that trades for several tenants and asks for all the history it may: `python -m tests.support.budget_load`.

Arguments: the URL of Redis, that of the exchange, the rounds of each tenant, and the tenants. Prints `half` once half
of the rounds are over, and at the end a line of JSON (`Load`) for each tenant.
"""

import asyncio
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from decimal import Decimal

import msgspec

from millrace_bus import Bus
from millrace_core.clock import now_ns
from millrace_core.config.common import Credentials
from millrace_core.names import Tenant
from millrace_core.requests import CancelPayload, CreatePayload
from millrace_exchange import Exchange, Retryable, open_exchange
from millrace_service.tasks import first_of

SYMBOL = "KCS/USDT"
BID = CreatePayload(symbol=SYMBOL, side="buy", type="limit", amount_base=Decimal(1), price=Decimal(8))
PAUSE_S = 0.02
"""Between two rounds, and before history that was held is asked for again: far sooner than it may be."""


class Load(msgspec.Struct):
    """What one tenant did."""

    tenant: str
    histories: int = 0
    held: int = 0
    """How often history was held back."""
    canceled: int = 0
    slowest_cancel_ms: float = 0
    left: dict[str, float] = {}
    """What the heartbeat would show."""


async def trade(exchange: Exchange, load: Load, rounds: int, half: Callable[[], None]) -> None:
    """Place orders and cancel each at once."""
    for number in range(rounds):
        if number == rounds // 2:
            half()
        placed = await exchange.execution.create_order(BID, f"{load.tenant}-{now_ns()}")
        began_ns = now_ns()
        await exchange.execution.cancel_order(CancelPayload(symbol=SYMBOL, order_id=placed.orders[0].id))
        load.slowest_cancel_ms = max(load.slowest_cancel_ms, (now_ns() - began_ns) / 1e6)
        load.canceled += 1
        await asyncio.sleep(PAUSE_S)


async def read_history(exchange: Exchange, load: Load) -> None:
    """Ask for history again and again."""
    while True:
        try:
            await exchange.account.fetch_my_trades(SYMBOL)
            load.histories += 1
        except Retryable:
            load.held += 1
            await asyncio.sleep(PAUSE_S)


async def main(redis_url: str, url: str, rounds: int, tenants: list[str]) -> None:
    """Trade for all tenants at once."""
    loads, waiting = [Load(tenant) for tenant in tenants], set(tenants)
    async with Bus.connect(redis_url) as bus, AsyncExitStack() as stack:

        async def run(load: Load) -> None:
            keys = Credentials(api_key=load.tenant, secret="secret", urls={"base": url})
            exchange = await open_exchange("binance", keys, bus.budget(Tenant(load.tenant)))
            stack.push_async_callback(exchange.close)
            await exchange.prepare()

            def half() -> None:
                waiting.discard(load.tenant)
                if not waiting:
                    sys.stdout.write("half\n")
                    sys.stdout.flush()

            with exchange.reporting(load.left.__setitem__):
                await first_of(trade(exchange, load, rounds, half), *(read_history(exchange, load) for _ in range(3)))

        await asyncio.gather(*map(run, loads))
    for load in loads:
        sys.stdout.write(msgspec.json.encode(load).decode() + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]))
