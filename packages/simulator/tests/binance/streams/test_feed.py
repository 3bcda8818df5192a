"""Events of the market streams."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from millrace_matching import Side
from millrace_simulator.binance.streams.events import partial_depth

if TYPE_CHECKING:
    from .conftest import Stand

Book = dict[str, dict[str, str]]


def _shown(stand: Stand, symbol: str) -> Book:
    """Return the venue's book as REST would print it."""
    instrument = stand.venue.instrument(symbol)
    book, scale = instrument.depth(), instrument.scale
    return {
        side: {scale.price_text(price): scale.quantity_text(total) for price, total in levels}
        for side, levels in (("b", book.bids), ("a", book.asks))
    }


def _apply(book: Book, event: dict[str, Any]) -> None:
    for side in ("b", "a"):
        for price, total in event[side]:
            book[side][price] = total
            if float(total) == 0.0:
                del book[side][price]


@pytest.mark.parametrize(("stream", "interval_ms"), [("depth@100ms", 100), ("depth", 1000)])
async def test_the_diff_stream_makes_exactly_the_venues_book(stand: Stand, stream: str, interval_ms: int) -> None:
    """By Binance's own recipe: snapshot, skip what is older, then each event joins the one before."""
    client = await stand.connect(f"/ws/ethusdt@{stream}")
    stand.pass_time(interval_ms * 3 // 2)
    book, last = _shown(stand, "ETHUSDT"), stand.venue.instrument("ETHUSDT").last_update_id
    compared = 0
    for _ in range(20):
        stand.pass_time(interval_ms)
        for event in await client.events():
            if event["u"] <= last:
                continue
            assert event["U"] <= last + 1 if not compared else event["U"] == last + 1
            _apply(book, event)
            last = event["u"]
        if last == stand.venue.instrument("ETHUSDT").last_update_id:
            assert book == _shown(stand, "ETHUSDT")
            compared += 1
        else:
            stand.pass_time(interval_ms // 2)
    assert compared >= 5


async def test_right_after_a_flush_the_book_stands_at_the_events_update(stand: Stand) -> None:
    """Depth is flushed at the end of a market step, so a snapshot taken then has the event's `u`."""
    client = await stand.connect("/ws/btcusdt@depth@100ms")
    matches = 0
    for _ in range(100):
        stand.pass_time(10)
        for event in await client.events():
            assert event["u"] == stand.venue.instrument("BTCUSDT").last_update_id
            assert event["E"] == stand.clock.now_us() // 1000
            matches += 1
    assert matches == 10


async def test_nothing_is_sent_when_nothing_happens(stand: Stand) -> None:
    """Time alone makes no event on streams of the book and of trades."""
    streams = [
        "depth",
        "depth@100ms",
        "depth5",
        "depth20@100ms",
        "bookTicker",
        "trade",
        "aggTrade",
        "ticker",
        "miniTicker",
        "avgPrice",
    ]
    stand.pass_time(1_000)
    client = await stand.connect("/stream?streams=" + "/".join(f"btcusdt@{stream}" for stream in streams))
    stand.market.paused = True
    stand.pass_time(1_000)
    await client.events()
    stand.pass_time(3_000)
    assert await client.events() == []


async def test_every_trade_is_sent_once_and_in_order(stand: Stand) -> None:
    """Trade ids in the stream are consecutive and their values are the tape's."""
    instrument = stand.venue.instrument("BTCUSDT")
    client = await stand.connect("/ws/btcusdt@trade")
    first = instrument.tape.recent(1)
    stand.pass_time(10_000)
    reported = await client.events()
    tape = instrument.tape.since(first[-1].trade_id + 1 if first else 1)
    assert len(reported) == len(tape) > 10
    for event, trade in zip(reported, tape, strict=True):
        assert event == {
            "e": "trade",
            "E": trade.time_us // 1000,
            "s": "BTCUSDT",
            "t": trade.trade_id,
            "p": instrument.scale.price_text(trade.price),
            "q": instrument.scale.quantity_text(trade.quantity),
            "b": trade.buyer_order_id,
            "a": trade.seller_order_id,
            "T": trade.time_us // 1000,
            "m": trade.buyer_is_maker,
            "M": True,
        }


async def test_aggregates_cover_all_trades_without_overlap(stand: Stand) -> None:
    """Each aggregate begins after the last trade of the one before, and they equal those that a query returns."""
    instrument = stand.venue.instrument("BTCUSDT")
    client = await stand.connect("/ws/btcusdt@aggTrade")
    stand.pass_time(10_000)
    reported = await client.events()
    for one, following in pairwise(reported):
        assert following["a"] == one["a"] + 1
        assert following["f"] == one["l"] + 1
    queried = instrument.tape.aggregated(from_id=reported[0]["a"], limit=len(reported))
    shown = [(each["a"], each["f"], each["l"], each["q"]) for each in reported]
    assert shown == [
        (each.aggregate_id, each.first_trade_id, each.last_trade_id, instrument.scale.quantity_text(each.quantity))
        for each in queried
    ]


async def test_best_prices_are_sent_whenever_they_change(stand: Stand) -> None:
    """The last event always shows the venue's best prices, and no two in a row show the same."""
    instrument = stand.venue.instrument("BTCUSDT")
    client = await stand.connect("/ws/btcusdt@bookTicker")
    reported = []
    for _ in range(20):
        stand.pass_time(100)
        reported += await client.events()
        best, scale = instrument.book_ticker(), instrument.scale
        if reported:
            assert (reported[-1]["b"], reported[-1]["A"]) == (
                scale.price_text(best.bid),
                scale.quantity_text(best.ask_quantity),
            )
    assert len(reported) > 10
    for one, following in pairwise(reported):
        assert following["u"] > one["u"]
        assert any(following[name] != one[name] for name in "bBaA")


@pytest.mark.parametrize("levels", [5, 10, 20])
async def test_partial_depth_is_the_top_of_the_book(stand: Stand, levels: int) -> None:
    """Each event is a snapshot of the best levels."""
    instrument = stand.venue.instrument("KCSUSDT")
    client = await stand.connect(f"/ws/kcsusdt@depth{levels}@100ms")
    stand.pass_time(1_000)
    reported = await client.events()
    assert reported
    assert all(len(event["bids"]) == len(event["asks"]) == levels for event in reported)
    assert all(float(one[0]) > float(following[0]) for event in reported for one, following in pairwise(event["bids"]))
    stand.market.paused = True
    stand.pass_time(100)
    reported += await client.events()
    book = instrument.depth(levels)
    payload = partial_depth(book, levels, instrument.scale).decode()
    assert reported[-1]["lastUpdateId"] == book.last_update_id
    assert reported[-1]["asks"][0][0] in payload


async def test_klines_close_one_after_another_without_a_gap(stand: Stand) -> None:
    """Every kline is closed once, by `x: true`, with the values that a query returns, with trades or without."""
    stand.market.events_per_second = 100
    client = await stand.connect("/stream?streams=btcusdt@kline_1s/btcusdt@kline_1m")
    stand.pass_time(125_000)
    reported = [(event["stream"], event["data"]["k"]) for event in await client.events()]
    for interval, length_ms, least in (("1s", 1_000, 120), ("1m", 60_000, 2)):
        klines = [kline for stream, kline in reported if stream.endswith(interval)]
        closed = [kline for kline in klines if kline["x"]]
        assert len(closed) >= least
        assert all(following["t"] == one["t"] + length_ms for one, following in pairwise(closed))
        assert all(kline["T"] == kline["t"] + length_ms - 1 for kline in klines)
        assert all(Decimal(kline["l"]) <= Decimal(kline["c"]) <= Decimal(kline["h"]) for kline in klines)
    instrument = stand.venue.instrument("BTCUSDT")
    last = next(kline for stream, kline in reversed(reported) if stream.endswith("1m") and kline["x"])
    queried = next(each for each in instrument.statistics.klines("1m") if each.open_ms == last["t"])
    assert last["v"] == instrument.scale.quantity_text(queried.volume)
    assert last["n"] == queried.trades


async def test_tickers_are_sent_once_a_second_while_they_change(stand: Stand) -> None:
    """Ticker, mini ticker and average price agree with the venue's statistics."""
    client = await stand.connect("/stream?streams=btcusdt@ticker/btcusdt@miniTicker/btcusdt@avgPrice")
    stand.pass_time(5_000)
    reported: dict[str, list[dict[str, Any]]] = {}
    for event in await client.events():
        reported.setdefault(event["data"]["e"], []).append(event["data"])
    assert {name: len(events) == 5 for name, events in reported.items()} == {
        "24hrTicker": True,
        "24hrMiniTicker": True,
        "avgPrice": True,
    }
    ticker, mini = reported["24hrTicker"][-1], reported["24hrMiniTicker"][-1]
    assert (ticker["c"], ticker["v"]) == (mini["c"], mini["v"])
    assert Decimal(ticker["p"]) == Decimal(ticker["c"]) - Decimal(ticker["o"])
    assert ticker["C"] <= stand.clock.now_us() // 1000
    assert Decimal(ticker["b"]) < Decimal(ticker["a"])


@pytest.mark.parametrize(("stream", "kind"), [("!ticker@arr", "24hrTicker"), ("!miniTicker@arr", "24hrMiniTicker")])
async def test_all_tickers_come_as_one_event(stand: Stand, stream: str, kind: str) -> None:
    """One array a second holds each symbol that changed, once."""
    client = await stand.connect(f"/ws/{stream}")
    stand.pass_time(3_000)
    arrays = await client.events()
    assert len(arrays) == 3
    for array in arrays:
        symbols = [event["s"] for event in array]
        assert len(symbols) == len(set(symbols)) > 0
        assert {event["e"] for event in array} == {kind}


async def test_klines_of_utc_plus_eight_have_streams(stand: Stand) -> None:
    """Their days begin at 16:00 UTC; hours are those of UTC."""
    client = await stand.connect("/stream?streams=btcusdt@kline_1d@+08:00/btcusdt@kline_1h@+08:00/btcusdt@kline_1h")
    stand.pass_time(2_000)
    klines = {event["stream"].removeprefix("btcusdt@"): event["data"]["k"] for event in await client.events()}
    assert klines["kline_1d@+08:00"]["t"] // 3_600_000 % 24 == 16
    assert klines["kline_1h@+08:00"] == klines["kline_1h"]


async def test_a_book_that_is_deepened_tells_so(stand: Stand) -> None:
    """Who follows the changes from before has the same book as who asks after; the market goes on as before."""
    client = await stand.connect("/ws/btcusdt@depth@100ms")
    btc = stand.venue.instrument("BTCUSDT")
    book = {Side.BUY: dict(btc.depth().bids), Side.SELL: dict(btc.depth().asks)}
    btc.deepen(2_000)
    stand.pass_time(5_000)
    for event in await client.events():
        for side, changes in ((Side.BUY, event["b"]), (Side.SELL, event["a"])):
            for price, quantity in changes:
                book[side][btc.scale.ticks(Decimal(price)) or 0] = btc.scale.lots(Decimal(quantity)) or 0
    deep = btc.depth()
    for side, levels in ((Side.BUY, deep.bids), (Side.SELL, deep.asks)):
        assert {price: lots for price, lots in book[side].items() if lots} == dict(levels)
        assert 1_800 < len(levels) < 2_200
