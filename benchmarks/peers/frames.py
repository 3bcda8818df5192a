"""Frames of a market's streams, encoded in advance: changes of an order book, and trades, that follow what stands."""

import time
from collections.abc import Iterator
from itertools import islice
from random import Random

from millrace_simulator.binance.streams import events
from millrace_simulator.binance.streams.depth import DepthUpdate, Levels
from millrace_simulator.binance.times import TimeUnit
from millrace_simulator.streaming.frames import text_frame
from millrace_simulator.venue import Instrument, PublicTrade

LEVELS_A_SIDE = 6
"""Changed by each message of a book: 12 in all, as in the benchmark of the database."""
_PRICES = 50
_GONE = 0.25
"""The share of changes that remove a level."""
_SINGLE = 100
_BOOKS_A_PIECE = 64
TRADES_A_BOOK = 4
"""Messages of trades for each message of a book: as many bytes, roughly."""

Pieces = list[bytes]
"""What is written at once: first single frames, then many together."""


def encoded(instrument: Instrument, number: int) -> dict[str, Pieces]:
    """Return so many messages of a symbol's book, and its trades, by the name of the stream."""
    market = instrument.symbol.lower()
    return {
        f"{market}@depth@100ms": _pieces(_book(instrument, number), _BOOKS_A_PIECE),
        f"{market}@trade": _pieces(_trades(instrument, TRADES_A_BOOK * number), TRADES_A_BOOK * _BOOKS_A_PIECE),
    }


def _pieces(payloads: Iterator[bytes], frames_a_piece: int) -> Pieces:
    frames = map(text_frame, payloads)
    pieces = list(islice(frames, _SINGLE))
    while piece := b"".join(islice(frames, frames_a_piece)):
        pieces.append(piece)
    return pieces


def _book(instrument: Instrument, number: int) -> Iterator[bytes]:
    book, random = instrument.depth(_PRICES), Random(7)
    last = instrument.last_update_id

    def changed(levels: tuple[tuple[int, int], ...]) -> Levels:
        # The best level stays, so that neither side is ever empty.
        chosen = random.sample(levels[1:], LEVELS_A_SIDE)
        return [(price, 0 if random.random() < _GONE else random.randint(1, 2 * lots)) for price, lots in chosen]

    for _ in range(number):
        first, last = last + 1, last + 2 * LEVELS_A_SIDE
        update = DepthUpdate(instrument.symbol, first, last, changed(book.bids), changed(book.asks))
        yield events.depth_update(update, instrument.scale, time.time_ns() // 1_000, TimeUnit.MILLISECOND)


def _trades(instrument: Instrument, number: int) -> Iterator[bytes]:
    first = instrument.engine.last_trade_id + 1
    for trade_id in range(first, first + number):
        at_us = time.time_ns() // 1_000
        trade = PublicTrade(instrument.symbol, trade_id, instrument.last_price, 1, 1, 2, True, at_us, trade_id)
        yield events.trade(trade, instrument.scale, TimeUnit.MILLISECOND)
