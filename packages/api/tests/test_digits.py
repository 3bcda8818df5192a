"""Every number has the digits with which it was published: in the database, in REST, live and in exports."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from random import Random
from typing import Any, cast

import httpx
import msgspec
import pytest

from millrace_api.live.topic import Topic
from millrace_bus import Bus, Published
from millrace_core.clock import now_ms, now_ns
from millrace_core.decimals import number, spelled
from millrace_core.ids import BEGINNING
from millrace_core.market import (
    Balance,
    CandlesDelta,
    CandlesSnapshot,
    ExchangePosition,
    ExchangePositionsDelta,
    ExchangePositionsSnapshot,
    Fee,
    Trade,
    TradesDelta,
    TradesSnapshot,
    candle_of,
)
from millrace_core.messages import encode
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.states import BalanceState, CandlesState, TradesState
from millrace_core.trace import Trace
from millrace_dbsync.handling.handler import HandlingResult
from millrace_dbsync.handling.handlers import handle
from millrace_store import Scope

SYMBOL = "KCS/USDT"
_exact = msgspec.json.Decoder(float_hook=Decimal).decode


def drawn(random: Random) -> str:
    """Return a number as JSON has it: 1 to 30 digits, tiny or huge, with zeros at the end or with an exponent."""
    digits, places = random.randrange(1, 10 ** random.randint(1, 30)), random.randint(-10, 40)
    if random.random() < 0.3:
        return f"{digits}e{-places}"
    return format(Decimal(digits).scaleb(-places), "f") + random.choice(("", "0", "000")) * (places > 0)


TEXTS = [
    *("1e-8", "0.00000001", "1", "9007199254740993", "0.1", "0.123456789012345678", "1.7e308", "1.2345e-310"),
    *("12345678.12345678", "1234567890.12345678", "100000000000000000000.000000000000000001"),
    *map(drawn, [Random(7)] * 20),
]


class Content:
    """What one test publishes."""

    def __init__(self, at_ms: int) -> None:
        numbers = [number(text) for text in TEXTS]
        self.trades = [Trade(str(n), at_ms + n, SYMBOL, "buy", each, each) for n, each in enumerate(numbers)]
        self.own = [
            msgspec.structs.replace(trade, order="1", cost=trade.price, fee=Fee("BNB", trade.price))
            for trade in self.trades
        ]
        self.candles = [candle_of(60_000 * n, text, text, text, text, text) for n, text in enumerate(TEXTS)]
        self.balances = {f"C{n}": Balance(each, each, each) for n, each in enumerate(numbers)}
        self.positions = [
            ExchangePosition(f"C{n}/USDT:USDT", contracts=each, entry_price=each) for n, each in enumerate(numbers)
        ]
        self.fields: dict[str, Any] = {f"f{n}": each for n, each in enumerate(numbers)}

    def deltas(self) -> dict[str, Any]:
        """Return the data of a message of each action."""
        return {
            "watchTrades": TradesDelta(self.trades),
            "watchMyTrades": TradesDelta(self.own),
            "watchOHLCV": CandlesDelta("1m", self.candles),
            "watchBalance": self.balances,
            "watchPositions": ExchangePositionsDelta(self.positions),
            "watchTicker": self.fields,
            "watchFundingRate": self.fields,
        }

    def snapshot(self, action: str, as_of: str) -> Any:
        """Return the data of a snapshot."""
        if action in ("watchTrades", "watchMyTrades"):
            return TradesSnapshot(self.trades if action == "watchTrades" else self.own, as_of)
        if action == "watchOHLCV":
            return CandlesSnapshot({"1m": self.candles}, as_of)
        if action == "watchPositions":
            return ExchangePositionsSnapshot(self.positions, as_of)
        return {**(self.balances if action == "watchBalance" else self.fields), "asOf": as_of}


def name_of(tenant: Tenant, action: str) -> StreamName:
    """Name a stream; those of an account have no symbol."""
    is_of_account = action in ("watchBalance", "watchPositions")
    return StreamName(tenant, ExchangeId("kucoin"), Action(action), None if is_of_account else Symbol(SYMBOL))


@asynccontextmanager
async def publishing(bus: Bus, tenant: Tenant, content: Content) -> AsyncIterator[list[StreamName]]:
    """Publish it as a gatherer does; return the names of the streams."""
    writers = []
    for action in content.deltas():

        def snapshot(as_of: Any, action: str = action) -> Any:
            return content.snapshot(action, str(as_of))

        writers.append(bus.writer(name_of(tenant, action), snapshot))
    for writer, data in zip(writers, content.deltas().values(), strict=True):
        await writer.open("live")
        writer.delta(data, timestamp=now_ms(), trace=Trace(exchange=now_ns(), received=now_ns()))
    for writer in writers:
        await writer.drained()
    yield [writer.name for writer in writers]
    for writer in writers:
        await writer.close()


async def store(bus: Bus, api: Any, names: list[StreamName]) -> None:
    """Store the journals, as dbsync does."""
    journals = [text for name in names for text in (str(name), str(name.snapshot))]
    result = HandlingResult()
    async with bus.journals() as reading:
        pages = await reading.read(dict.fromkeys(journals, BEGINNING), most=100)
    async with api.store.batch() as batch:
        for _ in handle(batch, pages, result):
            pass
    assert result.dead == []


def assert_same(found: list[Any]) -> None:
    """Compare numbers, in the order of `TEXTS`, with those; a text has no exponent."""
    assert [Decimal(each) for each in found] == [Decimal(text) for text in TEXTS]
    texts = [each for each in found if isinstance(each, str)]
    assert texts == [spelled(text) for text in texts]


def _number(item: dict[str, Any]) -> int:
    """Return which of `TEXTS` a row is about: a trade's id, a currency, a contract."""
    return int(item.get("id") or re.sub(r"\D", "", item.get("currency") or item["symbol"]))


async def items_of(admin: httpx.AsyncClient, path: str, **query: str) -> list[dict[str, Any]]:
    """Return the rows of an answer."""
    answer = await admin.get(f"/api/v1/{path}", params={"limit": "100", **query})
    assert answer.status_code == 200, answer.text
    return cast(list[dict[str, Any]], _exact(answer.content)["items"])


async def test_every_digit_that_was_published_is_answered(
    api: Any, admin: httpx.AsyncClient, bus: Bus, tenant: Tenant
) -> None:
    """Trades, candles, balances, fees, positions and tickers: text that came, text that goes."""
    content = Content(now_ms())
    async with publishing(bus, tenant, content) as names:
        await store(bus, api, names)
    trades, own = [sorted(await items_of(admin, path), key=_number) for path in ("trades", "own-trades")]
    candles, balances = await items_of(admin, "candles", timeframe="1m"), await items_of(admin, "balances")
    positions = [item["position"] for item in await items_of(admin, "exchange-positions")]
    for items, names_of_numbers in (
        (trades, ("price", "amount")),
        (own, ("price", "amount", "feeCost")),
        (candles, ("open", "high", "low", "close", "volume")),
        # The first snapshot leaves rows as well.
        (sorted(balances, key=_number)[::2], ("free", "used", "total")),
        (sorted(positions, key=_number), ("contracts", "entryPrice")),
    ):
        for column in names_of_numbers:
            assert_same([item[column] for item in items])
    (ticker,) = await items_of(admin, "tickers")
    (event,) = await items_of(admin, "events/watchFundingRate")
    for fields in (ticker["ticker"], event["data"]):
        assert_same([fields[f"f{n}"] for n in range(len(TEXTS))])
    recorded = {
        StreamName.parse(message.name).action: _exact(message.data)
        async for minute in api.store.exports.messages(Scope(tenant)).minutes()
        for message in minute
        if message.kind == "delta"
    }
    assert_same([trade["price"] for trade in recorded[Action("watchTrades")]["trades"]])


@pytest.mark.parametrize("action", ["watchBalance", "watchOHLCV", "watchTrades", "watchPositions", "watchTicker"])
async def test_every_digit_is_live_and_outlives_a_gatherer(action: str, bus: Bus, tenant: Tenant) -> None:
    """A client of the API begins with the state as it was published, and the next gatherer goes on with it."""
    content = Content(now_ms())
    resumed: list[Published | None] = []
    async with publishing(bus, tenant, content):
        topic = Topic(bus, name_of(tenant, action), lambda _topic, error: pytest.fail(str(error)))
        await topic.ready()
        begun = _exact(topic.beginning())["data"]
        await topic.close()
    if action == "watchTrades":  # those of the snapshot, and then those of the message
        begun["trades"] = begun["trades"][-len(TEXTS) :]
    assert begun == _exact(encode(content.snapshot(action, begun["asOf"])))
    if action != "watchTicker":
        async with _resuming(bus, name_of(tenant, action), resumed):
            pass
        assert resumed[0] is not None
        _assert_restored(resumed[0].state, content)


@asynccontextmanager
async def _resuming(bus: Bus, name: StreamName, resumed: list[Published | None]) -> AsyncIterator[None]:
    writer = bus.writer(name, lambda as_of: {"asOf": str(as_of)}, resume=resumed.append)
    await writer.open("stale")
    yield
    await writer.close()


def _assert_restored(state: Any, content: Content) -> None:
    """Compare a state with what was published: any difference would be published again, or lose digits."""
    if isinstance(state, BalanceState):
        assert state.balances == content.balances
    elif isinstance(state, CandlesState):
        assert list(state.timeframes["1m"].values()) == content.candles
    elif isinstance(state, TradesState):
        assert list(state.trades)[-len(TEXTS) :] == content.trades
    else:
        assert list(state.open.values()) == content.positions
