"""A campaign: hostile inputs beside good traffic, and what became of both."""

import asyncio
import json
from collections import Counter
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.hostile.delays import Delays
from tests.hostile.inputs import Entry, Inputs
from tests.hostile.services import running
from tests.support.databases import AWAY, Database

from millrace_bus import Bus, CommandRefused, EmbeddedServer, Follower, StreamWriter, Update
from millrace_cli.doctor.journal_findings import journal_findings
from millrace_core.clock import now_ms
from millrace_core.ids import BEGINNING, MessageId
from millrace_core.market import Trade, TradesDelta, TradesSnapshot
from millrace_core.names import AgentId, StreamName, Tenant

TENANT: Final = Tenant("Ann")
GOOD: Final = StreamName.parse(f"stream.{TENANT}.kucoin.watchTrades.KCS/USDT")
_AGENT: Final = AgentId("DBSYNC")
_PATIENCE_S: Final = 60.0


@dataclass
class Findings:
    """What a campaign found."""

    inputs: int = 0
    refused_by_redis: int = 0
    dead_letters: int = 0
    good: int = 0
    """Good messages that were written."""
    violations: list[str] = field(default_factory=list)
    delays: Delays = field(default_factory=lambda: Delays(GOOD))


class Campaign:
    """Leaves inputs, writes good trades, and judges what is stored and read."""

    def __init__(self, server: EmbeddedServer, bus: Bus, database: Database, folder: Path) -> None:
        self._server, self._bus, self._database, self._folder = server, bus, database, folder
        self._left: dict[str, list[MessageId]] = {}
        """Ids of the hostile entries, by journal."""
        self.found = Findings()

    async def run(self, seed: int, inputs: int, pace_s: float = 0.0) -> Findings:
        """Run it with so many inputs.

        With a pace there is one every `pace_s`; before them come as many good messages in quiet, and delays are taken.
        """
        writer = self._bus.writer(GOOD, lambda as_of: TradesSnapshot([], str(as_of)), retention=1_000_000)
        await writer.open()
        follower = self._bus.follow(GOOD, _ignore, on_failed=lambda error: self._violated(f"a reader failed: {error}"))
        async with AsyncExitStack() as services:
            await services.enter_async_context(await self._dbsync())
            if pace_s:
                delays = self.found.delays.watched(self._server.url, self._database.url)
                await services.enter_async_context(delays)
                await self._quiet(writer, inputs, pace_s)
            for each in Inputs(seed, TENANT, str(GOOD)).of(inputs):
                await self._leave(each)
                self._write(writer)
                await asyncio.sleep(pace_s)
            await self._bus.register_journals(TENANT, *self._left)
            await self._look(writer)
            await self._judge(writer, follower)
        await writer.close()
        return self.found

    async def _quiet(self, writer: StreamWriter, messages: int, pace_s: float) -> None:
        """Write good messages alone."""
        await self._reached({str(GOOD): writer.last or BEGINNING})
        for _ in range(messages):
            self._write(writer)
            await asyncio.sleep(pace_s)
        await self._reached({str(GOOD): writer.last or BEGINNING})
        self.found.delays.phase = "hostile"

    async def _dbsync(self) -> AbstractAsyncContextManager[None]:
        plan = {"tenant": TENANT, "assets": [f"stream.{TENANT}.*"]}
        config = {"agent": {"id": _AGENT}, "workplans": [plan], "batchInterval": 0.05}
        await self._bus.put_config(_AGENT, json.dumps(config))
        settings = {"redis_url": self._server.url, "database_url": self._database.url, "data_dir": str(self._folder)}
        return running("millrace_dbsync", _AGENT, **settings)

    async def _leave(self, each: object) -> None:
        self.found.inputs += 1
        try:
            if isinstance(each, Entry):
                await self._bus._publishing.call("XADD", each.key, each.entry_id, "data", each.body)
                self._left.setdefault(each.key, []).append(MessageId.parse(each.entry_id))
            else:
                await self._bus._publishing.call(*each)  # type: ignore[misc]
        except CommandRefused:
            self.found.refused_by_redis += 1

    def _write(self, writer: StreamWriter) -> None:
        self.found.good += 1
        trade = Trade(str(self.found.good), now_ms(), GOOD.symbol or "", "buy", 10.0, 0.5)
        self.found.delays.written(writer.delta(TradesDelta([trade])))

    async def _look(self, writer: StreamWriter) -> None:
        """Read as the listings of API, console and terminal do; none may raise."""
        await writer.drained()
        await self._bus.tenants()
        await self._bus.stream_names()
        await self._bus.heartbeats()
        await self._bus.all_configs()
        await journal_findings(self._bus)
        for key in self._left:
            await self._bus.inspect(key, 20)

    async def _judge(self, writer: StreamWriter, follower: Follower) -> None:
        await writer.drained()
        last = writer.last or BEGINNING
        expected = {name: max(filter(_is_possible, ids), default=BEGINNING) for name, ids in self._left.items()}
        await self._reached(expected | {str(GOOD): last})
        await self._all_good_rows()
        await self._all_accounted_for()
        await self._no_unit_failed()
        self._write(writer)
        async with asyncio.timeout(_PATIENCE_S):
            await follower.ready()

    async def _reached(self, expected: dict[str, MessageId]) -> None:
        """Wait until every journal is stored up to its last possible entry."""
        late: set[str] = set()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while late := await self._late(expected):
                    await asyncio.sleep(0.1)
        except TimeoutError:
            self._violated(f"not stored to the end: {sorted(late)}")

    async def _late(self, expected: dict[str, MessageId]) -> set[str]:
        try:
            rows = await self._database.fetch("SELECT name, position_epoch, position_seq FROM streams")
        except AWAY:
            return set(expected)
        stored = {name: MessageId(epoch, seq) for name, epoch, seq in rows}
        return {name for name, at in expected.items() if stored.get(name, BEGINNING) < at}

    async def _all_good_rows(self) -> None:
        query = f"SELECT count(*) FROM trades t JOIN streams s ON s.id = t.stream_id WHERE s.name = '{GOOD}'"
        ((stored,),) = await self._database.fetch(query)
        if stored != self.found.good:
            self._violated(f"{stored} of {self.found.good} good trades are stored")

    async def _all_accounted_for(self) -> None:
        """Compare entries with rows: each possible entry is a message, each other one a dead letter."""
        rows = await self._database.fetch("SELECT name, messages FROM streams")
        stored = dict(rows)
        for name, ids in self._left.items():
            if stored.get(name) != (wanted := sum(map(_is_possible, ids))):
                self._violated(f"{name}: {stored.get(name)} of {wanted} messages are stored")
        query = "SELECT s.name, d.epoch FROM dead_letters d JOIN streams s ON s.id = d.stream_id"
        letters = await self._database.fetch(query)
        self.found.dead_letters = len(letters)
        strays = Counter(name for name, epoch in letters if not _is_possible(MessageId(epoch % 2**64, 0)))
        for name, ids in self._left.items():
            if strays[name] != (wanted := sum(not _is_possible(each) for each in ids)):
                self._violated(f"{name}: {strays[name]} of {wanted} strays are dead letters")

    async def _no_unit_failed(self) -> None:
        beats = [beat for beat in await self._bus.heartbeats() if beat.id == _AGENT]
        failed = [(unit.name, unit.detail) for beat in beats for unit in beat.units if unit.counters.get("failures")]
        if failed or not beats:
            self._violated(f"units failed: {failed}")

    def _violated(self, what: str) -> None:
        self.found.violations.append(what)


def _is_possible(each: MessageId) -> bool:
    return each.is_possible


def _ignore(_update: Update) -> None:
    """Take an update."""
