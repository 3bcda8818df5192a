"""An executor gets good requests at a steady pace, first alone, then between poisonous ones."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import quantiles
from time import monotonic
from typing import Any, Final

from redis.asyncio import Redis
from tests.poison.poisoning import JOURNAL, good_request
from tests.support.answers import final_answer
from tests.support.lone_executor import lone_executor

from millrace_simulator.config import Limits
from millrace_simulator.server import Server

ANSWERS: Final = "stream.StrankaXY.binance.createOrder.KCS/USDT"
STARTED_S: Final = 60.0
ANSWERED_S: Final = 20.0
"""How long after the last request every good one must be answered."""


@dataclass
class Figures:
    """What a campaign found."""

    quiet_s: list[float] = field(default_factory=list)
    """Times from request to answer while nothing else was sent."""
    poisoned_s: list[float] = field(default_factory=list)
    poison: int = 0
    violations: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """Return the figures for a person."""
        quiet, poisoned = p99(self.quiet_s), p99(self.poisoned_s)
        lines = [
            f"{len(self.quiet_s)} requests alone: p99 {1000 * quiet:.1f} ms",
            f"{len(self.poisoned_s)} between {self.poison} poisonous ones: p99 {1000 * poisoned:.1f} ms, "
            f"{poisoned / quiet:.2f} times",
        ]
        return "\n".join([*lines, *self.violations, f"{len(self.violations)} violations"])


def p99(times_s: list[float]) -> float:
    """Return the time within which 99 of 100 came."""
    return quantiles(times_s, n=100)[98]


class Campaign:
    """One executor, an exchange, and who sends requests to them."""

    def __init__(self, client: "Redis", exchange: Server, seed: int) -> None:
        self._client = client
        self._exchange = exchange
        self._random = Random(seed)
        self._sent_s: dict[str, float] = {}
        self._took_s: dict[str, float] = {}
        self._answers: Counter[str] = Counter()
        self._not_done: list[str] = []
        self._news = asyncio.Event()

    async def run(self, good: int, poison: int, *, per_second: float) -> Figures:
        """Send so many good requests alone, then as many between so many poisonous ones at a rate."""
        listening = asyncio.create_task(self._listen())
        await self._first()
        alone = await self._good(good, pause_s=1 / 50)
        async with asyncio.TaskGroup() as group:
            poisoning = group.create_task(self._poison(poison, per_second))
            between = await self._good(good, pause_s=poison / per_second / good)
        await self._answered([*alone, *between])
        listening.cancel()
        figures = Figures(self._times(alone), self._times(between), poisoning.result())
        figures.violations = await self._violations([*alone, *between])
        return figures

    async def _first(self) -> None:
        """Wait until the executor answers."""
        async with asyncio.timeout(STARTED_S):
            await self._answered([await self._send_good()])

    async def _good(self, count: int, *, pause_s: float) -> list[str]:
        ids = []
        for _ in range(count):
            ids.append(await self._send_good())
            await asyncio.sleep(pause_s)
        return ids

    async def _send_good(self) -> str:
        request_id = f"{self._random.getrandbits(128):032x}"
        self._sent_s[request_id] = monotonic()
        await self._client.xadd(JOURNAL, {"data": good_request(request_id)})
        return request_id

    async def _poison(self, count: int, per_second: float) -> int:
        """Send poisonous requests from another process; return how many there were."""
        port = self._client.connection_pool.connection_kwargs["port"]
        arguments = map(str, (port, self._random.getrandbits(32), count, per_second))
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.poison.poisoning", *arguments)
        if code := await process.wait():
            raise ChildProcessError(f"the process that sends poison ended with {code}")
        return count

    async def _answered(self, ids: list[str]) -> None:
        deadline_s = monotonic() + max(ANSWERED_S, STARTED_S * (len(ids) == 1))
        while any(each not in self._took_s for each in ids) and monotonic() < deadline_s:
            self._news.clear()
            try:
                async with asyncio.timeout(1):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _listen(self) -> None:
        async with self._client.pubsub() as channel:
            await channel.subscribe(ANSWERS)
            async for message in channel.listen():
                if message["type"] == "message" and (answer := final_answer(message["data"])) is not None:
                    self._note(answer)

    def _note(self, answer: Any) -> None:
        if (sent_s := self._sent_s.get(answer.request_id)) is None:
            return
        self._answers[answer.request_id] += 1
        self._took_s.setdefault(answer.request_id, monotonic() - sent_s)
        if answer.status != "done":
            self._not_done.append(f"{answer.request_id}: {answer.status} ({answer.error and answer.error.message})")
        self._news.set()

    def _times(self, ids: list[str]) -> list[float]:
        return [self._took_s[each] for each in ids if each in self._took_s]

    async def _violations(self, ids: list[str]) -> list[str]:
        venue = self._exchange.venue
        orders = list(venue.all_orders(venue.account_by_key("demo-key"), "KCSUSDT", limit=10 * len(self._sent_s)))
        made = Counter(order.client_order_id for order in orders)
        found = list(self._not_done)
        found += [f"{each}: {self._answers[each]} answers" for each in ids if self._answers[each] != 1]
        found += [f"{each}: {made[each]} orders" for each in ids if made[each] != 1]
        found += [f"poison made the order {each}" for each in made.keys() - self._sent_s.keys()]
        if (pending := (await self._client.xpending(JOURNAL, "executor"))["pending"]) > len(ids):
            found.append(f"{pending} entries are not acknowledged")
        return found


@asynccontextmanager
async def campaign(folder: Path, seed: int) -> AsyncIterator[Campaign]:
    """Start everything that a campaign needs; the executor may still be starting."""
    async with lone_executor(folder, seed, Limits(enforce=False)) as (client, exchange):
        yield Campaign(client, exchange, seed)
