"""Runs one schedule: sends requests while parts fail, waits until all is settled, and judges."""

import asyncio
import tempfile
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any, Final

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError
from tests.faults.account import wrong_balances, wrong_trades
from tests.faults.hashes import wrong_hashes
from tests.faults.judgement import Ledger, answers_of, violations
from tests.faults.plan import SECONDS, TENANT, Plan, faults_of
from tests.faults.processes import AGENTS, Platform, platform
from tests.faults.requests import Requests, Sent
from tests.support.answers import final_answer
from tests.support.exchanges import EXCHANGES

from millrace_core.names import trader_actions

TRUE_S: Final = 10.0
"""How long after that orders' hashes, own trades and balances must be as the exchange has them, with a gatherer."""
_JOURNAL: Final = trader_actions(TENANT)


@dataclass
class Outcome:
    """What became of a schedule."""

    plan: Plan
    requests: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    faults: dict[str, int] = field(default_factory=dict)
    settled_s: float = 0.0
    """Time from the last fault until everything was answered."""
    violations: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    """What was left under way, and what the executor showed last in its heartbeat."""


class Schedule:
    """One schedule while it runs."""

    def __init__(self, plan: Plan, parts: Platform) -> None:
        self._plan = plan
        self._exchange = EXCHANGES[plan.exchange]
        self._parts = parts
        self._random = Random(plan.seed + 2)
        self._further = Random(f"{plan.seed} further")
        self._requests = Requests(self._random, plan.by_hand, plan.poison, self._exchange.id, plan.hasty, self._further)
        self._channel: dict[str, list[str]] = {}
        self._price = Decimal(0)
        """The market's last one."""

    async def run(self) -> Outcome:
        """Run it to its end."""
        listening = asyncio.create_task(self._listen())
        await self._until_executed()
        self._parts.exchange.faults.set(faults_of(self._plan))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._send())
            group.create_task(self._fail())
        await self._parts.mend()
        began_s = monotonic()
        left = await self._settle()
        settled_s = monotonic() - began_s
        listening.cancel()
        await asyncio.wait({listening})
        return await self._judge(settled_s, left)

    async def _until_executed(self) -> None:
        """Wait until a first request is answered: the executor has started."""
        first, text = self._requests.next(self._mid())
        while first.is_poison or first.by_hand:
            self._requests.sent.clear()
            first, text = self._requests.next(self._mid())
        await self._add(text)
        async with asyncio.timeout(60):
            while not (await answers_of(self._parts.client)).final(first.request_id):
                await asyncio.sleep(0.1)  # No channel of a stream that does not exist yet is known.

    async def _send(self) -> None:
        ends_s = monotonic() + SECONDS
        while monotonic() < ends_s:
            await asyncio.sleep(self._random.expovariate(self._plan.requests_per_second))
            sent, text = self._requests.next(self._mid())
            with suppress(RedisError, OSError):
                # Not written: as if it had never been sent. It is certain once Redis said so.
                certain, sent.is_certain = sent.is_certain, False
                if sent.by_hand:
                    await self._parts.client.publish(_JOURNAL, text)
                else:
                    await self._add(text)
                    sent.is_certain = certain
                await self._reuse()

    async def _reuse(self) -> None:
        """Send another request under the id of an earlier one, now and then."""
        if self._further.random() < self._plan.reused and (text := self._requests.reusing()) is not None:
            await self._add(text)

    async def _add(self, text: bytes) -> None:
        await self._parts.client.xadd(_JOURNAL, {"data": text})

    async def _fail(self) -> None:
        began_s = monotonic()
        async with asyncio.TaskGroup() as group:
            for event in self._plan.events:
                await asyncio.sleep(max(0.0, began_s + event.at_s - monotonic()))
                group.create_task(self._parts.suffer(event))

    async def _settle(self) -> list[str]:
        """Wait until nothing is under way; return what still is in the end."""
        deadline_s = monotonic() + self._exchange.settled_s
        while (left := await self._under_way()) and monotonic() < deadline_s:
            await asyncio.sleep(0.25)  # Nothing tells when the last of all is settled.
        return left

    async def _under_way(self) -> list[str]:
        answers, client = await answers_of(self._parts.client), self._parts.client
        left = [
            f"{each.action} {each.request_id[:8]} waits"
            for each in self._requests.sent
            if self._must_be_answered(each) and not answers.final(each.request_id)
        ]
        try:
            if (pending := await client.xpending(_JOURNAL, "executor"))["pending"]:
                left.append(f"not acknowledged: {pending}")
        except ResponseError as nobody_reads:
            left.append(str(nobody_reads))
        for key in (f"intents.{{StrankaXY}}.{self._exchange.id}", "intents.{StrankaXY}.all"):
            intents = map(msgspec.json.decode, await client.hvals(key))
            left += [f"intent {each}" for each in intents if each["state"] != "settled"]
        return left

    def _must_be_answered(self, sent: Sent) -> bool:
        return sent.is_certain and not sent.is_poison and sent.at_ms > self._parts.lost_ms

    async def _judge(self, settled_s: float, left: list[str]) -> Outcome:
        answers = await answers_of(self._parts.client)
        answers.channel.update(self._channel)
        sent, lost_ms = self._requests.sent, self._parts.lost_ms
        ledger = Ledger(self._exchange, self._orders(), self._exchange.replaced(self._parts.exchange))
        found = violations(sent, answers, ledger, _touched(sent), lost_ms)
        if self._plan.with_gatherer:
            found += await self._wrong_account()
        statuses = Counter(final[0].status if (final := answers.final(each.request_id)) else "-" for each in sent)
        errors = left + await self._shown()
        return Outcome(self._plan, len(sent), statuses, self._faults(), settled_s, found, errors)

    def _orders(self) -> list[Any]:
        return self._exchange.orders(self._parts.exchange)

    def _faults(self) -> dict[str, int]:
        return {str(kind): count for kind, count in self._parts.exchange.faults.done.items()}

    async def _wrong_account(self) -> list[str]:
        """Return what of the account does not become as the exchange has it."""
        deadline_s = monotonic() + TRUE_S
        client, exchange, server = self._parts.client, self._exchange, self._parts.exchange
        while wrong := [
            *await wrong_hashes(client, exchange, self._orders(), self._parts.lost_ms),
            *await wrong_trades(client, exchange, server),
            *await wrong_balances(client, exchange, server),
        ]:
            if monotonic() > deadline_s:
                return wrong
            await asyncio.sleep(0.25)  # Nothing announces a hash.
        return []

    async def _shown(self) -> list[str]:
        """Return what the executors' heartbeats say of their units, and their last errors."""
        shown = []
        for agent in AGENTS:
            text = await self._parts.client.get(f"agent.{agent}")
            beat = {"units": (), "lastErrors": ()} if text is None else msgspec.json.decode(text)
            shown += [f"{agent}: {unit['name']} is {unit['state']}: {unit.get('detail')}" for unit in beat["units"]]
            shown += [f"{agent}: {error['message']}" for error in beat["lastErrors"]]
        return shown

    async def _listen(self) -> None:
        """Note every final answer on the channels, through outages of Redis."""
        while True:
            with suppress(RedisError, OSError):
                async with Redis.from_url(self._parts.redis.url) as client, client.pubsub() as channels:
                    await channels.psubscribe("stream.StrankaXY.*")
                    async for message in channels.listen():
                        self._note(message)
            await asyncio.sleep(0.05)

    def _note(self, message: dict[str, Any]) -> None:
        if message["type"] != "pmessage":
            return
        if (answer := final_answer(message["data"])) is not None:
            self._channel.setdefault(answer.request_id, []).append(answer.status)

    def _mid(self) -> Decimal:
        """Return the market's price; while it is delisted the last one."""
        if (instrument := self._parts.exchange.venue.instruments.get(self._exchange.market)) is not None:
            ticker = instrument.book_ticker()
            self._price = Decimal(instrument.scale.price_text((ticker.bid + ticker.ask) // 2))
        return self._price


def _touched(sent: list[Sent]) -> Counter[str]:
    touched: Counter[str] = Counter(each.target.request_id for each in sent if each.target is not None)
    if any(each.action == "cancelAllOrders" for each in sent):
        touched.update(each.request_id for each in sent)
    return touched


async def run(plan: Plan, database: Path, keep: Path | None = None) -> Outcome:
    """Run a schedule; its logs are left in `keep`."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as made:
        folder = keep or Path(made)
        async with platform(plan, folder, database) as parts:
            return await Schedule(plan, parts).run()
