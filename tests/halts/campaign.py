"""Halts an executor under load, and one with many open orders."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any, Final

from redis.asyncio import Redis
from tests.support.answers import final_answer
from tests.support.lone_executor import TENANT, lone_executor

from millrace_core.clock import now_ms
from millrace_core.ids import new_request_id
from millrace_core.messages import Response
from millrace_core.names import trader_actions
from millrace_simulator.config import Limits
from millrace_simulator.server import Server

JOURNAL: Final = trader_actions(TENANT)
PER_SECOND: Final = 200
LOADED_S: Final = 1.0
AFTER_S: Final = 1.0
"""How long requests go on after a halt."""


@dataclass
class Figures:
    """What a campaign found."""

    late_ms: list[float] = field(default_factory=list)
    """By halt, how long after its publication the exchange accepted the last order; 0 if none after it."""
    canceled: list[int] = field(default_factory=list)
    canceled_s: list[float] = field(default_factory=list)
    """By halt, how long after its publication the last open order was canceled."""

    def summary(self) -> str:
        """Return the figures for a person."""
        late, took = self.late_ms, self.canceled_s
        return (
            f"{len(late)} halts under {PER_SECOND} requests/s: "
            f"the last order was accepted p50 {median(late):.0f} ms, max {max(late):.0f} ms after it\n"
            f"{len(took)} halts with {self.canceled} open orders: all canceled after "
            f"p50 {1000 * median(took):.0f} ms, max {1000 * max(took):.0f} ms"
        )


class Campaign:
    """One executor and an exchange whose limits allow the load."""

    def __init__(self, client: Redis, exchange: Server) -> None:
        self._client = client
        self._exchange = exchange
        self._answers: dict[str, Response] = {}
        self._news = asyncio.Event()

    async def run(self, halts: int, open_orders: int) -> Figures:
        """Halt so often under load, and so often with so many open orders."""
        listening, figures = asyncio.create_task(self._listen()), Figures()
        try:
            await self._request(order(5.0, ioc=True))
            for _ in range(halts):
                figures.late_ms.append(await self._halted_under_load())
                canceled, took_s = await self._halted_with(open_orders)
                figures.canceled.append(canceled)
                figures.canceled_s.append(took_s)
        finally:
            listening.cancel()
            await asyncio.wait([listening])
        return figures

    async def _halted_under_load(self) -> float:
        async with self._loaded():
            await asyncio.sleep(LOADED_S)
            published_ms, (halt_id, halt) = now_ms(), request("halt", {"by": "campaign"})
            await self._client.publish(JOURNAL, halt)
            await asyncio.sleep(AFTER_S)
        # What is typed on the channel is put into the journal by the executor: perhaps behind what follows here.
        await self._answer(halt_id)
        await self._request(request("resume", {}))
        return max(0.0, max(each.created_us for each in self._orders()) / 1000 - published_ms)

    async def _halted_with(self, count: int) -> tuple[int, float]:
        """Return how many of so many open orders a halt cancels, and within how long."""
        placed = await asyncio.gather(*(self._request(order(5 + number / 1000)) for number in range(count)))
        if refused := [each.error for each in placed if each.order is None]:
            raise AssertionError(f"{len(refused)} of {count} orders were not placed: {refused[0]}")
        opened = {each.order.id for each in placed if each.order is not None}
        published_ms = now_ms()
        await self._request(request("halt", {"by": "campaign", "cancelOrders": True}))
        async with asyncio.timeout(60):
            while any(each.status.is_open for each in self._orders()):
                await asyncio.sleep(0.005)  # The exchange is in this process, and tells nobody.
        canceled = [each for each in self._orders() if str(each.order_id) in opened and each.status.name == "CANCELED"]
        await self._request(request("resume", {}))
        return len(canceled), max(each.updated_us for each in canceled) / 1_000_000 - published_ms / 1000

    @asynccontextmanager
    async def _loaded(self) -> AsyncIterator[None]:
        ended = asyncio.Event()

        async def load() -> None:
            began_s, number = monotonic(), 0
            while not ended.is_set():
                await self._client.xadd(JOURNAL, {"data": order(5.0, ioc=True)[1]})
                number += 1
                await asyncio.sleep(max(0.0, began_s + number / PER_SECOND - monotonic()))

        loading = asyncio.create_task(load())
        try:
            yield
        finally:
            ended.set()
            await loading

    async def _request(self, sent: tuple[str, str]) -> Response:
        """Send a request and return its answer."""
        request_id, text = sent
        await self._client.xadd(JOURNAL, {"data": text})
        return await self._answer(request_id)

    async def _answer(self, request_id: str) -> Response:
        async with asyncio.timeout(60):
            while request_id not in self._answers:
                self._news.clear()
                await self._news.wait()
        return self._answers[request_id]

    async def _listen(self) -> None:
        async with self._client.pubsub() as channels:
            await channels.psubscribe(f"stream.{TENANT}.*")
            async for message in channels.listen():
                if message["type"] == "pmessage" and (answer := final_answer(message["data"])) is not None:
                    self._answers[answer.request_id] = answer
                    self._news.set()

    def _orders(self) -> list[Any]:
        venue = self._exchange.venue
        return list(venue.all_orders(venue.account_by_key("demo-key"), "KCSUSDT", limit=1_000_000))


def order(price: float, *, ioc: bool = False) -> tuple[str, str]:
    """Return a request for an order far below the market, and its id."""
    payload = {"symbol": "KCS/USDT", "side": "buy", "type": "limit", "amountBase": 1, "price": round(price, 3)}
    return request("createOrder", payload | ({"timeInForce": "IOC"} if ioc else {}))


def request(action: str, payload: dict[str, Any]) -> tuple[str, str]:
    """Return a request, and its id."""
    request_id = new_request_id()
    named = {} if action in ("halt", "resume") else {"exchangeId": "binance"}
    text = {"action": action, "requestId": request_id, "requestedAt": now_ms(), "payload": payload} | named
    return request_id, json.dumps(text | {"validFor": 30_000})


@asynccontextmanager
async def campaign(folder: Path, seed: int) -> AsyncIterator[Campaign]:
    """Start everything that a campaign needs; the executor may still be starting."""
    limits = Limits(orders_per_10_seconds=10_000, weight_per_minute=600_000)
    async with lone_executor(folder, seed, limits) as (client, exchange):
        yield Campaign(client, exchange)
