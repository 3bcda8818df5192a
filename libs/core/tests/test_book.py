import struct
import zlib

from hypothesis import given
from hypothesis import strategies as st

from millrace_core.book import OrderBook
from millrace_core.market import Level

PRICES = st.integers(1, 30).map(lambda tick: tick / 4)
LEVELS = st.lists(st.tuples(PRICES, st.integers(0, 3).map(float)), max_size=12)


def plain(levels: list[Level], changes: list[Level]) -> dict[float, float]:
    return {price: amount for price, amount in (dict(levels) | dict(changes)).items() if amount}


@given(LEVELS, LEVELS)
def test_a_book_is_what_its_levels_say(start: list[Level], changes: list[Level]) -> None:
    """Any run of absolute levels leaves what a plain dict would hold, sorted best first."""
    book = OrderBook()
    start = list(dict(start).items())
    book.replace(start, start, 1)
    book.apply(changes, changes, 2)
    wanted = plain(start, changes)
    assert book.bids.levels() == sorted(wanted.items(), reverse=True)
    assert book.asks.levels() == sorted(wanted.items())
    assert book.bids.best() == (max(wanted.items()) if wanted else None)
    assert len(book.asks) == len(wanted)


@given(LEVELS, LEVELS)
def test_the_difference_turns_one_book_into_the_other(start: list[Level], wanted: list[Level]) -> None:
    """Applying the difference as an ordinary delta leaves no trace of the outage."""
    book, new = OrderBook(), OrderBook()
    book.replace(start, start, 1)
    new.replace(wanted, wanted, 2)
    bids, asks = book.difference(new.bids.levels(), new.asks.levels())
    book.apply(bids, asks, 2)
    assert (book.bids.levels(), book.asks.levels()) == (new.bids.levels(), new.asks.levels())
    assert book.difference(new.bids.levels(), new.asks.levels()) == ([], [])


def test_the_checksum_is_the_protocols() -> None:
    """CRC-32 over big-endian doubles of the best 25 bids, then of the best 25 asks: written out once more here."""
    book = OrderBook()
    bids = [(float(price), 1.5) for price in range(30, 0, -1)]
    asks = [(float(price), 0.25) for price in range(31, 61)]
    book.replace(bids, asks, None)
    raw = b"".join(struct.pack(">d", number) for level in bids[:25] + asks[:25] for number in level)
    assert book.checksum() == zlib.crc32(raw)


def test_a_crossed_book_is_seen() -> None:
    """A best bid at the best ask is already crossed; an empty side never is."""
    book = OrderBook()
    book.replace([(10.0, 1.0)], [], None)
    assert not book.is_crossed
    assert book.mid is None
    book.apply([], [(10.5, 1.0)], None)
    assert (book.is_crossed, book.mid) == (False, 10.25)
    book.apply([(10.5, 2.0)], [], None)
    assert book.is_crossed
