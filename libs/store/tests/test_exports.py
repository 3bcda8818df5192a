"""Histories as files: complete, exact, and given up without a trace."""

import asyncio
import io
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

from millrace_core.ids import MessageId
from millrace_core.market import Trade
from millrace_core.names import StreamName, Symbol, Tenant
from millrace_store import Place, Scope, Store
from millrace_store.exports import export as exports
from millrace_store.exports.histories import KINDS

SCOPE = Scope(Tenant("T"))


@pytest.fixture
async def traded(
    store: Store, journal: Any, trades: Callable[..., list[Trade]], name: Callable[..., StreamName]
) -> Store:
    """A store with 900 trades of two markets."""
    async with store.batch() as batch:
        for symbol in ("KCS/USDT", "BTC/USDT"):
            stream = journal(name("watchTrades", symbol))
            for step in range(150):
                batch.trades(stream.next(), trades(stream.epoch + step, (1.10, 1e-8), (0.3, 2.0), (7.0, 0.1)))
    return store


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few rows a piece that every export has several."""
    monkeypatch.setattr(exports, "_ROWS_A_PIECE", 100)


async def file_of(store: Store, scope: Scope, form: Any, kind: Any = "trades") -> bytes:
    return b"".join([piece async for piece in store.exports.stream(kind, scope, form)])


async def test_both_forms_hold_every_row(traded: Store) -> None:
    """Parquet and CSV have the same rows, by stream and time, every digit of them."""
    parquet = pl.read_parquet(io.BytesIO(await file_of(traded, SCOPE, "parquet")))
    csv = pl.read_csv(io.BytesIO(await file_of(traded, SCOPE, "csv")), infer_schema=False)
    assert parquet.height == csv.height == await traded.exports.count("trades", SCOPE) == 900
    assert parquet.columns == csv.columns
    assert parquet.cast(pl.String).equals(csv)
    assert set(parquet["price"]) <= {"1.1", "0.3", "7.0", "7"}
    kcs = parquet.filter(pl.col("symbol") == "KCS/USDT")
    assert kcs.height == 450
    assert kcs["at_ms"].is_sorted()


async def test_a_range_of_one_symbol(traded: Store) -> None:
    """Only rows of the scope are written."""
    scope = SCOPE._replace(symbol=Symbol("BTC/USDT"), since_ms=1_760_000_040_010, until_ms=1_760_000_040_020)
    frame = pl.read_parquet(io.BytesIO(await file_of(traded, scope, "parquet")))
    assert (frame.height, set(frame["symbol"])) == (30, {"BTC/USDT"})


@pytest.mark.parametrize("form", ["parquet", "csv"])
async def test_nothing_makes_a_file_without_rows(store: Store, form: Any) -> None:
    """Every kind has a file with its columns even when there is nothing to write."""
    for kind in KINDS:
        content = io.BytesIO(await file_of(store, SCOPE, form, kind))
        frame = pl.read_parquet(content) if form == "parquet" else pl.read_csv(content)
        assert frame.height == 0
        assert frame.columns
        assert await store.exports.count(kind, SCOPE) == 0


@pytest.mark.parametrize("form", ["parquet", "csv"])
async def test_an_export_given_up_ends(traded: Store, form: Any) -> None:
    """Closing it early ends its query and its thread, and the store goes on."""
    before = threading.active_count()
    for _ in range(12):
        stream = traded.exports.stream("trades", SCOPE, form)
        await anext(stream)
        await stream.aclose()
    assert await traded.exports.count("trades", SCOPE) == 900
    assert threading.active_count() <= before + 6


async def test_a_file_is_written_with_progress(traded: Store, tmp_path: Path) -> None:
    """The number of rows grows up to the count."""
    seen = [rows async for rows in traded.exports.write("trades", SCOPE, "parquet", tmp_path / "trades.parquet")]
    assert seen == sorted(seen)
    assert seen[-1] == 900
    assert await asyncio.to_thread(lambda: pl.read_parquet(tmp_path / "trades.parquet").height) == 900


@pytest.mark.parametrize("ahead", [0, 8])
async def test_candles_of_months_end_by_the_calendar(store: Store, name: Callable[..., StreamName], ahead: int) -> None:
    """Of UTC, and of another time zone; at any limit of a range the ended ones come first, the others at their end."""
    firsts = [
        int(datetime(2023 + month // 12, month % 12 + 1, 1, tzinfo=timezone(timedelta(hours=ahead))).timestamp())
        * 1_000
        for month in range(11, 16)
    ]
    opens, ends = firsts[:-1], firsts[1:]
    async with store.batch() as batch:
        for seq, opened in enumerate(opens, 1):
            place = Place(str(name("watchOHLCV")), MessageId(1, seq), opened)
            batch.candles(place, "1M", [(opened, 1.0, 3.0, 0.5, 2.0, 10.0)])

    async def found(since_ms: int | None, until_ms: int | None) -> list[tuple[int, list[int]]]:
        stored = store.exports.messages(SCOPE._replace(since_ms=since_ms, until_ms=until_ms))
        return [
            (each.at_ms, [candle[0] for candle in msgspec.json.decode(each.data)["candles"]])
            async for minute in stored.minutes()
            for each in minute
        ]

    whole = [(ended, [opened]) for opened, ended in zip(opens, ends, strict=True)]
    assert await found(None, None) == whole
    for count, ended in enumerate(ends[:-1]):
        history = [(ended, opens[:count])] if count else []
        assert await found(ended, None) == [*history, *whole[count:]]
        assert await found(ended + 1, None) == [(ended + 1, opens[: count + 1]), *whole[count + 1 :]]
        assert await found(None, ended) == whole[:count]
        assert await found(None, ended + 1) == whole[: count + 1]


async def test_messages_with_candles_and_gaps(store: Store, name: Callable[..., StreamName]) -> None:
    """Candles come when they end, at the limits of a range too; stretches without messages are passed over."""
    minute, day = 60_000, 86_400_000
    start = 1_760_000_040_000
    ticker, candles = name("watchTicker"), str(name("watchOHLCV"))
    async with store.batch() as batch:
        for number, at_ms in enumerate((start, start + 30 * day), 1):
            batch.ticker(Place(str(ticker), MessageId(start, number), at_ms), b'{"last":1.5}')
        for number, opened in enumerate((-2, -1, 0, 1), 1):
            candle = (start + opened * minute, 1.1, 3.0, 1e-8, 2.0, 10.5)
            batch.candles(Place(candles, MessageId(start, number), start), "1m", [candle])
        batch.gap(str(ticker), start, 2, 5, start + 1, "trimmed")
    stored = store.exports.messages(SCOPE)
    found = [message for each in [each async for each in stored.minutes()] for message in each]
    assert [(message.at_ms - start, message.name == candles) for message in found] == [
        *((0, True), (0, True), (0, False)),
        *((minute, True), (2 * minute, True), (30 * day, False)),
    ]
    assert found[0].data == b'{"timeframe":"1m","candles":[[%d,1.1,3.0,1e-8,2.0,10.5]]}' % (start - 2 * minute)
    assert [(gap.name, gap.first_seq, gap.missing) for gap in await stored.gaps()] == [(str(ticker), 2, 4)]
    later = SCOPE._replace(since_ms=start + minute, until_ms=start + 2 * minute)
    (only,) = [each async for each in store.exports.messages(later).minutes()]
    assert [(message.at_ms - start, len(pl.read_json(message.data)["candles"][0])) for message in only] == [
        (minute, 2),
        (minute, 1),
    ]
