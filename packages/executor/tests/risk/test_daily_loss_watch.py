"""What is watched of the day's loss, question by question: on a real database and Redis, with a clock that is set."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import redis.asyncio

from millrace_bus import Bus, EmbeddedServer
from millrace_core.config import RiskLimits
from millrace_core.ids import MessageId
from millrace_core.market import Trade
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant, trader_actions
from millrace_executor.intake.executor_database import ExecutorDatabase
from millrace_executor.risk import daily_loss
from millrace_executor.risk.daily_loss import DailyLoss
from millrace_service import UnitHealthReporter
from millrace_service.health import ErrorLog
from millrace_store import Place, Store

TENANT, KCS = Tenant("StrankaXY"), Symbol("KCS/USDT")
FILLS = StreamName(TENANT, ExchangeId("binance"), Action("watchMyTrades"), KCS)
DAY_MS = 24 * 3_600_000
MIDNIGHT_MS = 20_000 * DAY_MS
USDT = RiskLimits(max_daily_loss={"BTC": Decimal(0), "USDT": Decimal(25)})


class Watched:
    """A tenant's daily loss, and the time by which it is watched."""

    def __init__(self, database: Path, server: EmbeddedServer, bus: Bus) -> None:
        self.now_ms, self.elapsed_s = MIDNIGHT_MS + 5 * 3_600_000, 1_000.0
        self.pauses_s: list[float] = []
        self.health = UnitHealthReporter("risk", changed=lambda: None, errors=ErrorLog())
        self.url, self._server, self._bus = f"sqlite:///{database}", server, bus
        self._stored = 0
        self._task: asyncio.Task[None]
        self._is_pausing, self._goes_on = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Watch, as a process that has just started; begin once the first questions are answered."""
        database = ExecutorDatabase(self.url)
        watch = DailyLoss(TENANT, database, self._bus.requests, self.health).watch(USDT)
        self._task = asyncio.create_task(watch)
        await self._paused()
        yield
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await database.close()

    async def again(self, *, later_s: float = 0.0) -> None:
        """Have it ask again, so much later; wait for what follows."""
        self.elapsed_s += later_s
        self.now_ms += int(later_s * 1_000)
        self._goes_on.set()
        await self._paused()

    async def pause(self, seconds: float) -> None:
        """Take the place of `asyncio.sleep`, until `again`."""
        self.pauses_s.append(seconds)
        self._goes_on.clear()
        self._is_pausing.set()
        await self._goes_on.wait()

    async def _paused(self) -> None:
        pausing = asyncio.create_task(self._is_pausing.wait())
        await asyncio.wait({pausing, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            self._task.result()
        self._is_pausing.clear()

    async def lose(self, amount: float, at_ms: int) -> None:
        """Store two trades that lose so many USDT."""
        self._stored += 2
        bought = Trade(str(self._stored), at_ms, KCS, "buy", 10.0, amount, order="1")
        sold = Trade(str(self._stored + 1), at_ms, KCS, "sell", 9.0, amount, order="2")
        async with Store.open(self.url) as store, store.batch() as batch:
            batch.own_trades(Place(str(FILLS), MessageId(1, self._stored), at_ms), [bought, sold])

    def client(self) -> redis.asyncio.Redis:
        """Return a connection to Redis."""
        return redis.asyncio.Redis.from_url(self._server.url)

    async def halts(self) -> list[Any]:
        """Return the requests that were sent."""
        async with self.client() as client:
            entries = await client.xrange(trader_actions(TENANT))
        return [msgspec.json.decode(fields[b"data"]) for _, fields in entries]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return an empty database: to make its tables takes longer than a test."""
    path = tmp_path_factory.mktemp("database") / "empty.db"

    async def make() -> None:
        async with Store.open(f"sqlite:///{path}"):
            pass

    asyncio.run(make())
    return path.read_bytes()


@pytest.fixture
async def watched(tmp_path: Path, empty: bytes, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watched]:
    """Return a daily loss without any trade yet."""
    database = tmp_path / "millrace.db"
    database.write_bytes(empty)
    async with await EmbeddedServer.start(tmp_path / "redis") as server, Bus.connect(server.url, name="tests") as bus:
        watched = Watched(database, server, bus)
        monkeypatch.setattr(daily_loss, "asyncio", SimpleNamespace(sleep=watched.pause))
        monkeypatch.setattr(daily_loss, "time", SimpleNamespace(monotonic=lambda: watched.elapsed_s))
        monkeypatch.setattr(daily_loss, "now_ms", lambda: watched.now_ms)
        yield watched


async def test_a_loss_halts_once_a_day(watched: Watched) -> None:
    """Beyond the limit, since midnight (UTC): a person who resumes decides to go on, until the next day."""
    await watched.lose(9.0, MIDNIGHT_MS - 1)
    await watched.lose(25.0, MIDNIGHT_MS)
    async with watched.watching():
        assert await watched.halts() == []
        await watched.lose(1.0, watched.now_ms)
        for _ in range(2):
            await watched.again()
            (halt,) = await watched.halts()
    assert halt["payload"] == {
        "reason": "maxDailyLoss.USDT is 25, and 26 were lost today (UTC)",
        "by": "the executor",
        "cancelOrders": True,
    }
    assert halt["validFor"] == DAY_MS
    assert watched.health.report().counters["errors"] == 1
    async with watched.watching():
        same = await watched.halts()
        assert [each["requestId"] for each in same] == [halt["requestId"]] * 2, "a restart is no second halt"
        await watched.again(later_s=DAY_MS / 1_000)
        assert len(await watched.halts()) == 2
        await watched.lose(26.0, watched.now_ms)
        await watched.again()
    *_, next_day = await watched.halts()
    assert next_day["requestId"] != halt["requestId"]
    assert set(watched.pauses_s) == {5.0}


async def test_losses_are_unseen_once_nothing_was_stored_for_long(watched: Watched) -> None:
    """The unit is stale then, which counts as one error; it is live with the first trades that are stored."""
    states = []
    async with watched.watching():
        for later_s in (29.5, 0.5, 100.0):
            await watched.again(later_s=later_s)
            states.append(watched.health.current_state)
        assert "no stream of own trades has been stored for 30 s" in str(watched.health.report().detail)
        await watched.lose(1.0, watched.now_ms)
        for later_s in (0.0, 29.5, 0.5):
            await watched.again(later_s=later_s)
            states.append(watched.health.current_state)
    assert states == ["live", "stale", "stale", "live", "live", "stale"]
    assert watched.health.report().counters["errors"] == 2


async def test_what_cannot_be_asked_or_sent_is_tried_again(watched: Watched) -> None:
    """Redis refuses the halt until what stands in its place is removed."""
    await watched.lose(26.0, MIDNIGHT_MS)
    async with watched.client() as client:
        await client.set(trader_actions(TENANT), "no journal")
        async with watched.watching():
            assert watched.health.current_state == "stale"
            assert "WRONGTYPE" in str(watched.health.report().detail)
            await client.delete(trader_actions(TENANT))
            await watched.again()
            assert watched.health.current_state == "live"
    assert len(await watched.halts()) == 1


async def test_a_database_that_does_not_answer_is_no_silent_one(watched: Watched, tmp_path: Path) -> None:
    """The limit protects from nothing meanwhile: the unit says so."""
    (tmp_path / "file").touch()
    watched.url = f"sqlite:///{tmp_path / 'file' / 'millrace.db'}"
    async with watched.watching():
        assert watched.health.current_state == "stale"
        assert str(watched.health.report().detail).startswith("maxDailyLoss cannot be checked: ")
