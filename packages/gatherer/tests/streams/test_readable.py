"""What the exchange sends and readers could not read stays out; what has no value any more is said to have none."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any, cast

import pytest

from millrace_bus import Bus, Follower, Update
from millrace_core.clock import now_ms, now_ns
from millrace_core.config.common import Credentials
from millrace_core.market import Trade
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.orders import Order
from millrace_exchange import EventTimes, Exchange
from millrace_exchange.profile import ExchangeProfile
from millrace_gatherer.streams import run_stream, stream_of
from millrace_gatherer.streams.readable import is_possible_order
from millrace_gatherer.units import StreamUnitConfig
from millrace_service import UnitHealthReporter
from millrace_service.health import ErrorLog

SYMBOL = Symbol("A/B")
MINUTE_MS = 60_000


def trade(trade_id: str, **wrong: Any) -> Trade:
    """Return a trade, some of its fields not as declared."""
    fields = {"id": trade_id, "timestamp": now_ms(), "symbol": SYMBOL, "side": "buy", "price": 1.0, "amount": 1.0}
    return Trade(**{**fields, **wrong})


class Market:
    """A market that sends what a test wants, and answers with the candles that a test put into its past."""

    def __init__(self) -> None:
        self.market = self
        self.profile = ExchangeProfile(exchange=ExchangeId("x"))
        self.listener: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.books: asyncio.Queue[Any] = asyncio.Queue()
        """The listener of each time that the book was followed."""
        self.past: list[Any] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def _listen(self, *arguments: Any) -> None:
        self.listener.set_result(arguments[-1])
        await asyncio.Event().wait()

    trades = fields = candles = _listen

    async def order_book(self, _symbol: str, listener: Any, _limit: int | None) -> None:
        """Send a book."""
        self.books.put_nowait(listener)
        await asyncio.Event().wait()

    def poll_interval_s(self, *_: Any) -> None:
        """Return nothing: it streams."""

    async def fetch_trades(self, *_: Any, **__: Any) -> list[Trade]:
        """Return none."""
        return []

    async def fetch_candles(self, *_: Any) -> list[Any]:
        """Return those of the past, once a test wants it."""
        await self.may_answer.wait()
        return self.past


class Running:
    """A stream of that market, and its reader."""

    def __init__(self, bus: Bus, action: str) -> None:
        self.market = Market()
        self.health = UnitHealthReporter("unit", changed=lambda: None, errors=ErrorLog())
        name = StreamName(Tenant("T"), ExchangeId("x"), Action(action), SYMBOL)
        unit = StreamUnitConfig(
            name, Credentials(), 1_000, snapshot_interval_s=60.0, checksum_every=1, timeframes=(("1m", 10),)
        )
        self._arrived = asyncio.Event()
        self.updates: list[Update] = []
        self.follower: Follower = bus.follow(name, self._take)
        self.stream = stream_of(unit, cast(Exchange, self.market), bus, self.health)
        self.task = asyncio.create_task(run_stream(self.stream))

    async def listener(self) -> Any:
        """Return the stream once it listens and knows what was published before."""
        await self.stream.known.wait()
        return await self.market.listener

    def _take(self, update: Update) -> None:
        self.updates.append(update)
        self._arrived.set()

    async def until(self, holds: Callable[[Any], Any]) -> None:
        """Wait until the reader's state makes it true."""
        async with asyncio.timeout(60):
            while not (self.follower.trusted and holds(self.follower.state)):
                self._arrived.clear()
                await self._arrived.wait()


@pytest.fixture
async def run(bus: Bus) -> AsyncIterator[Callable[[str], Running]]:
    """Runs a stream of an action until the test ends."""
    running: list[Running] = []

    def run(action: str) -> Running:
        running.append(Running(bus, action))
        return running[-1]

    yield run
    for each in running:
        each.task.cancel()
        await asyncio.wait({each.task})
        await each.follower.close()


def event() -> EventTimes:
    """Return the times of a message."""
    return EventTimes(None, now_ns())


async def test_trades_that_cannot_be_read_shut_nobody_out(run: Any) -> None:
    """A price that is null, infinite or a text, what cannot be: the trades around it arrive, and it is counted."""
    stream = run("watchTrades")
    listener = await stream.listener()
    wrong = [trade("2", price=None), trade("3", amount=math.nan), trade("4", price="1.0"), trade("5", timestamp="now")]
    wrong += [trade("6", amount=-1.0), trade("7", timestamp=-1), trade("8", timestamp=10**20), trade("8", side="up")]
    listener.traded([trade("1"), *wrong, trade("9")], event())
    await stream.until(lambda state: [each.id for each in state.trades] == ["1", "9"])
    assert stream.health.report().counters["unreadable"] == len(wrong)


async def test_an_exchange_without_ids_that_is_asked_again_and_again_repeats_nothing(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of its answers holds most of the one before; two trades may be alike in everything."""
    monkeypatch.setattr(Market, "poll_interval_s", lambda *_: 1.0)
    stream = run("watchTrades")
    listener = await stream.listener()
    one, other, last = (Trade(None, at_ms, SYMBOL, "buy", 1.0, 1.0) for at_ms in (1, 2, 3))
    listener.traded([one], event())
    await stream.until(lambda state: list(state.trades) == [one])
    for answer in ([one, one, other], [one, other], [one, one, other, last]):
        listener.traded(answer, event())
    await stream.until(lambda state: last in state.trades)
    assert list(stream.follower.state.trades) == [one, one, other, last]


@pytest.mark.parametrize(
    "wrong",
    [
        {"filled": Decimal(3)},
        {"filled": Decimal(-1)},
        {"amount": Decimal("1e5000")},
        {"price": Decimal("NaN")},
        {"remaining": Decimal(-1)},
        {"side": "up"},
        {"id": "0"},
        {"id": "-1"},
    ],
)
def test_an_order_that_cannot_be_is_not_joined(wrong: Any) -> None:
    """What was filled never becomes less, so a single report of too much would stay for ever."""
    right = {"id": "7", "type": "limit", "side": "buy", "amount": Decimal(2), "filled": Decimal(1), "price": Decimal(5)}
    assert is_possible_order(Order(**right))
    assert is_possible_order(Order(id="7", status="canceled"))
    assert is_possible_order(Order(**{**right, "type": "market", "filled": Decimal(3)}))
    assert not is_possible_order(Order(**{**right, **wrong}))


async def test_candles_that_cannot_be_read_shut_nobody_out(run: Any) -> None:
    """One with nulls, one that is cut short, one of a time that never comes, one with less than no volume."""
    stream = run("watchOHLCV")
    listener = await stream.listener()
    rows = [
        (0, 1.0, 1.0, 1.0, 1.0, 1.0),
        (MINUTE_MS, 1.0, None, 1.0, 1.0, 1.0),
        (2 * MINUTE_MS, 1.0),
        (10**20, 1.0, 1.0, 1.0, 1.0, 1.0),
        (2 * MINUTE_MS, 1.0, 1.0, 1.0, 1.0, -1.0),
        (3 * MINUTE_MS, 2.0, 2.0, 2.0, 2.0, 2.0),
    ]
    listener.candles_changed(rows, event())
    await stream.until(lambda state: list(state.timeframes.get("1m", {})) == [0, 3 * MINUTE_MS])
    assert stream.health.report().counters["unreadable"] == 4


async def test_a_candle_that_comes_again_makes_no_hole(run: Any) -> None:
    """Of all but the newest candle that the stream brought, the exchange's answer counts, whichever came last."""
    stream = run("watchOHLCV")
    stream.market.may_answer.clear()
    listener = await stream.listener()
    candles = [(minute * MINUTE_MS, 1.0, 1.0, 1.0, 1.0, float(minute)) for minute in range(6)]
    stream.market.past = [*candles[:4], (*candles[4][:5], 0.5), candles[5]]
    listener.candles_changed([candles[4]], event())
    listener.candles_changed([candles[1]], event())
    stream.market.may_answer.set()
    await stream.until(lambda state: sorted(state.timeframes.get("1m", {}).values()) == candles)


@pytest.mark.parametrize("level", [(math.nan, 1.0), (2.5, math.nan), (2.5, math.inf), (2.5, -1.0), (-math.inf, 1.0)])
@pytest.mark.parametrize("is_whole", [True, False])
async def test_a_book_with_a_level_that_cannot_be_is_not_shown(run: Any, level: Any, *, is_whole: bool) -> None:
    """Nobody knows what the exchange meant: the book is stale until it is sent whole again, and readers keep theirs."""
    stream = run("watchOrderBook")
    listener = await stream.market.books.get()
    book: tuple[Any, Any, int, EventTimes] = [(2.0, 1.0)], [(3.0, 1.0)], 1, event()
    listener.book_reset(*book)
    await stream.until(lambda state: state.book.bids.levels() == [(2.0, 1.0)])
    send = listener.book_reset if is_whole else listener.book_changed
    send([(2.0, 1.0), level, (1.0, 1.0)], [], 2, event())
    await stream.until(lambda _: stream.follower.status == "stale")
    (await stream.market.books.get()).book_reset(*book)
    await stream.until(lambda state: (stream.follower.status, state.book.bids.levels()) == ("unverified", [(2.0, 1.0)]))
    assert stream.health.report().counters["unreadable"] == 1


@pytest.mark.parametrize("timestamp", [10**20, -1, 1.5, "now"])
async def test_a_time_that_cannot_be_is_not_passed_on(run: Any, timestamp: Any) -> None:
    """What came with it is shown without a time of its event."""
    stream = run("watchTicker")
    listener = await stream.market.listener
    listener.fields_changed({"symbol": SYMBOL, "bid": 1.0}, EventTimes(timestamp, now_ns()))
    await stream.until(lambda state: state.fields == {"symbol": SYMBOL, "bid": 1.0})
    listener.fields_changed({"symbol": SYMBOL, "bid": 2.0}, EventTimes(timestamp, now_ns()))
    await stream.until(lambda state: state.fields == {"symbol": SYMBOL, "bid": 2.0})
    assert {update.timestamp for update in stream.updates} == {None}


async def test_a_bid_that_ran_out_is_gone(run: Any) -> None:
    """A field without a value is removed, and comes back with the next one."""
    stream = run("watchTicker")
    listener = await stream.market.listener
    listener.fields_changed({"symbol": SYMBOL, "bid": 1.0, "ask": 2.0}, event())
    await stream.until(lambda state: state.fields == {"symbol": SYMBOL, "bid": 1.0, "ask": 2.0})
    listener.fields_changed({"symbol": SYMBOL, "ask": 3.0, "last": math.nan}, event())
    await stream.until(lambda state: state.fields == {"symbol": SYMBOL, "ask": 3.0})
    listener.fields_changed({"symbol": SYMBOL, "bid": 1.0, "ask": 3.0}, event())
    await stream.until(lambda state: state.fields == {"symbol": SYMBOL, "bid": 1.0, "ask": 3.0})
