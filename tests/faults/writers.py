"""Three writers that hear of the same orders, each in an order of its own and of some reports twice."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from random import Random
from typing import Any, Final

from tests.support.exchanges import EXCHANGES

from millrace_bus import Bus
from millrace_core.names import Tenant
from millrace_core.orders import Order, OrderRecord
from millrace_matching import OrderType, Side
from millrace_simulator.config import SimulatorConfig
from millrace_simulator.market import Market
from millrace_simulator.venue import ExecutionReport, Listener, ManualClock, OrderRef, OrderRequest, Venue

TENANT: Final = Tenant("StrankaXY")
WRITERS: Final = 3
LISTED: Final = tuple(rules for rules in SimulatorConfig().symbols if rules.symbol == "KCSUSDT")
TWICE: Final = 0.1
"""The share of reports that arrive twice."""
_AT_A_TIME: Final = 20


class Reports(Listener):
    """Every report of the venue on an account's orders, in order."""

    def __init__(self) -> None:
        self.all: list[OrderRecord] = []

    def on_execution(self, report: ExecutionReport) -> None:
        """Take a report as a stream brings it, and sometimes as an acknowledgement, which says less."""
        whole = record_of(report.order)
        self.all.append(whole)
        if report.execution_type == "NEW":
            made = Order(id=whole.order.id, symbol="KCS/USDT", client_order_id=whole.order.client_order_id)
            self.all.append(OrderRecord(made, "binance", whole.updated, order_source="PingPong", request_id="f" * 32))


def record_of(order: Any) -> OrderRecord:
    """Return the venue's order as the platform stores it."""
    ms = order.updated_us // 1000
    return OrderRecord(
        Order(
            id=str(order.order_id),
            symbol="KCS/USDT",
            client_order_id=order.client_order_id,
            side=order.side.name.lower(),
            type="limit",
            price=order.price,
            amount=order.quantity,
            filled=order.filled,
            cost=order.filled_quote,
            status=EXCHANGES["binance"].statuses[order.status.name],
            timestamp=order.created_us // 1000,
            last_update_timestamp=ms,
        ),
        "binance",
        ms,
    )


def traded(updates: int, seed: int) -> tuple[list[OrderRecord], list[Any]]:
    """Trade until there are so many reports; return them, and the orders as the venue has them in the end."""
    random, clock = Random(seed), ManualClock()
    venue, reports = Venue(LISTED, SimulatorConfig().accounts, clock=clock, seed=seed), Reports()
    venue.listen(reports)
    market = Market(venue, seed=seed, events_per_second=500, book_levels=0)
    market.open()
    account, instrument = venue.account_by_key("demo-key"), venue.instruments["KCSUSDT"]
    while len(reports.all) < updates:
        ticker, side = instrument.book_ticker(), random.choice((Side.BUY, Side.SELL))
        ticks = (ticker.ask if side is Side.BUY else ticker.bid) + random.randint(-3, 3)
        price, amount = Decimal(instrument.scale.price_text(ticks)), Decimal(random.randint(1, 40))
        order = OrderRequest(symbol="KCSUSDT", side=side, type=OrderType.LIMIT, quantity=amount, price=price)
        venue.place(account, order)
        market.step(clock.now_us() + random.randint(1, 200) * 1000)
        if random.random() < 0.1:
            for each in venue.open_orders(account):
                venue.cancel(account, "KCSUSDT", OrderRef(each.order_id))
    return reports.all, list(venue.all_orders(account, "KCSUSDT", limit=updates))


async def written(url: str, reports: Sequence[OrderRecord], seed: int) -> None:
    """Let each writer write all reports, in an order of its own, all at the same time."""
    async with AsyncExitStack() as stack:
        writers = [await stack.enter_async_context(Bus.connect(url, name=f"writer-{n}")) for n in range(WRITERS)]
        await asyncio.gather(*(_write(bus, reports, Random(f"{seed} {n}")) for n, bus in enumerate(writers)))


async def _write(bus: Bus, reports: Sequence[OrderRecord], random: Random) -> None:
    shuffled = [*reports, *(each for each in reports if random.random() < TWICE)]
    random.shuffle(shuffled)
    for first in range(0, len(shuffled), _AT_A_TIME):
        await asyncio.gather(*(bus.orders.merge(TENANT, each) for each in shuffled[first : first + _AT_A_TIME]))
