"""What one transaction gathers: pure."""

from collections.abc import Callable

import pytest

from millrace_core.ids import MessageId
from millrace_core.market import Trade
from millrace_core.message_ids import MessageIds
from millrace_core.messages import Response, Status
from millrace_core.names import StreamName
from millrace_core.orders import Order
from millrace_core.trace import Trace
from millrace_store import Batch, Place
from millrace_store.schema import tables

NAME = "stream.T.kucoin.watchTrades.KCS/USDT"


def test_a_message_given_twice_counts_once(trades: Callable[..., list[Trade]]) -> None:
    """The second of two messages of one id is skipped, and so is an older one."""
    batch = Batch()
    for seq in (1, 2, 2, 1, 3):
        batch.trades(Place(NAME, MessageId(7, seq), 1_000), trades(1_000, (1.0, 2.0)))
    assert (batch.messages, batch.duplicates, len(batch.rows[tables.trades])) == (3, 2, 3)


def test_an_absurd_time_of_a_trade_gives_way_to_when_it_was_published(trades: Callable[..., list[Trade]]) -> None:
    """A trade far in the future, before 1970 or without a time is filed under its publication."""
    batch = Batch()
    for seq, at_ms in enumerate((2**60, -5), start=1):
        batch.trades(Place(NAME, MessageId(7, seq), 1_000), trades(at_ms, (1.0, 2.0)))
    assert [row[1] for row in batch.rows[tables.trades]] == [1_000, 1_000]


def test_texts_that_postgresql_refuses_are_mended() -> None:
    """NUL, which JSON may escape into a text, becomes the replacement character."""
    batch = Batch()
    batch.status(Place(NAME, MessageId(7, 1), 1_000), Status("stale", "a\x00b"))
    assert next(iter(batch.rows[tables.statuses]))[-2:] == ("a\ufffdb", None)


def test_numbers_beyond_64_bits_are_left_out() -> None:
    """A nonce that no column can hold is stored as null; the message itself is kept as published."""
    batch = Batch()
    batch.book_delta(Place(NAME, MessageId(7, 1), 1_000), b'{"bids":[],"asks":[],"nonce":%d}' % 2**70, 2**70)
    (row,) = batch.all_rows()[tables.book_deltas]
    assert row[5] is None
    assert str(2**70) in row[6]


def test_a_page_of_a_book_needs_a_line_for_each_message() -> None:
    """Data of several lines would be taken for several messages'; it is refused, and the batch is as it was."""
    batch, ids = Batch(), MessageIds.run(MessageId(7, 1), 2)
    with pytest.raises(ValueError, match="several lines"):
        batch.book_deltas(NAME, ids, [1, 2], [1, 2], [None, None], [b'{"bids":[],\n"asks":[]}', b"{}"])
    assert (batch.messages, batch.all_rows()) == (0, {})


def test_an_order_belongs_to_the_request_that_made_it_alone(name: Callable[..., StreamName]) -> None:
    """The answer to a cancellation names the order and never becomes its request."""
    batch = Batch()
    for seq, action in enumerate(("createOrder", "cancelOrder"), start=1):
        place = Place(str(name(action)), MessageId(7, seq), 1_000)
        batch.response(place, Response(action, "done", Order(id="1"), "James"), Trace())
    assert [observation.record.request_id for observation in batch.order_observations] == ["createOrder", None]
