"""What a listener hears of a stream that moves from one connection to another."""

from libs.exchange.tests.contracts.venue import RecordingListener

from millrace_core.actions import BALANCE, ORDER_BOOK, TICKER, TRADES
from millrace_core.market import Balance, Trade
from millrace_exchange import EventTimes
from millrace_exchange.ccxt.handover import Handover, handover_of


def at(timestamp: int | None) -> EventTimes:
    """The times of an event."""
    return EventTimes(timestamp, 0)


def trades(*numbers: int) -> list[Trade]:
    """Trades of these ids."""
    return [Trade(id=str(each), timestamp=each, symbol="A/B", side="buy", price=1.0, amount=1.0) for each in numbers]


def moving_book(listener: RecordingListener) -> Handover:
    """A book at its tenth change, about to move."""
    handover = handover_of(ORDER_BOOK, listener)
    handover.source.book_reset([(9.0, 1.0)], [(11.0, 1.0)], 10, at(10))
    handover.begin()
    return handover


def test_a_book_moves_once_the_other_connection_is_as_far() -> None:
    """An older book of the other connection waits for its next change; the first is not followed any more."""
    listener = RecordingListener()
    handover = moving_book(listener)
    former, successor = handover.source, handover.successor
    assert successor is not None
    successor.book_reset([(9.0, 2.0)], [(11.0, 1.0)], 9, at(9))
    former.book_changed([(9.5, 1.0)], [], 11, at(11))
    assert not handover.moved.is_set()
    assert listener.resets == 1
    successor.book_changed([(9.0, 1.0), (9.5, 1.0)], [], 11, at(11))
    assert handover.moved.is_set()
    former.book_changed([(9.0, 0.0)], [], 12, at(12))
    assert (listener.book.bids.levels(), listener.book.nonce) == ([(9.5, 1.0), (9.0, 1.0)], 11)


def test_a_book_that_the_other_connection_has_not_sent_whole_cannot_move() -> None:
    """Neither before its snapshot, nor after it broke."""
    handover = moving_book(RecordingListener())
    assert handover.successor is not None
    assert not handover.can_move
    handover.successor.book_reset([], [], 9, at(9))
    assert handover.can_move
    handover.successor.book_broken("a frame is missing")
    assert not handover.can_move


def test_each_trade_comes_once_in_order_whichever_connection_is_ahead() -> None:
    """It moves when both have brought the same trade."""
    for first, second in (((1, 2), (3, 4)), ((1, 2, 3, 4, 5), (3, 4))):
        listener = RecordingListener()
        handover = handover_of(TRADES, listener)
        handover.source.traded(trades(first[0]), at(1))
        former, successor = handover.source, handover.begin()
        former.traded(trades(*first[1:]), at(2))
        successor.traded(trades(*second), at(4))
        if not handover.moved.is_set():
            former.traded(trades(3), at(3))
        assert handover.moved.is_set()
        successor.traded(trades(*range(6 if 5 in first else 5, 8)), at(7))
        former.traded(trades(7), at(7))
        assert [int(trade.id or 0) for trade in listener.trades] == list(range(1, 8))


def test_a_quiet_stream_moves_on_demand() -> None:
    """What was held is passed on; nothing is held twice."""
    listener = RecordingListener()
    handover = handover_of(TRADES, listener)
    handover.begin().traded(trades(1), at(1))
    assert listener.trades == []
    handover.move()
    handover.move()
    assert listener.trades == trades(1)


def test_a_ticker_moves_with_the_first_that_is_not_older() -> None:
    """An older one would turn the price back."""
    listener = RecordingListener()
    handover = handover_of(TICKER, listener)
    handover.source.fields_changed({"last": 2.0}, at(2))
    successor = handover.begin()
    successor.fields_changed({"last": 1.0}, at(1))
    assert listener.ticker == {"last": 2.0}
    successor.fields_changed({"last": 3.0}, at(3))
    assert listener.ticker == {"last": 3.0}
    assert handover.moved.is_set()


def test_both_connections_of_an_account_are_followed() -> None:
    """A balance that is older than the last one is dropped."""
    listener = RecordingListener()
    handover = handover_of(BALANCE, listener)
    former, successor = handover.source, handover.begin()
    successor.balance_changed({"BTC": Balance(free=2.0, used=0.0, total=2.0)}, at(2))
    former.balance_changed({"BTC": Balance(free=1.0, used=0.0, total=1.0)}, at(1))
    assert listener.balances["BTC"].free == 2.0
    former.balance_changed({"BTC": Balance(free=3.0, used=0.0, total=3.0)}, at(3))
    assert listener.balances["BTC"].free == 3.0


def test_a_stream_that_stays_forgets_what_the_other_connection_brought() -> None:
    """The next attempt begins afresh."""
    listener = RecordingListener()
    handover = handover_of(TRADES, listener)
    handover.begin().traded(trades(1), at(1))
    handover.stay()
    handover.begin()
    handover.move()
    assert listener.trades == []
