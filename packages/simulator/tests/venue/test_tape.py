from millrace_matching import Side, Traded
from millrace_simulator.venue import Tape


def _print(tape: Tape, trade_id: int, *, price: int = 100, taker: int = 9, time_us: int = 0) -> None:
    tape.add(Traded(trade_id, price, 2, 1, taker, Side.BUY, 0), time_us)


def test_fills_of_one_taker_at_one_price_are_one_aggregate() -> None:
    """An aggregate ends at another price, another taker, or the action's end."""
    tape = Tape("AB", keep=None)
    for trade_id, price, taker in ((1, 100, 9), (2, 100, 9), (3, 101, 9), (4, 101, 10)):
        _print(tape, trade_id, price=price, taker=taker)
    first = tape.end_action()
    _print(tape, 5, price=101, taker=10)
    second = tape.end_action()
    assert [(made.aggregate_id, made.first_trade_id, made.last_trade_id, made.quantity) for made in first + second] == [
        (1, 1, 2, 4),
        (2, 3, 3, 2),
        (3, 4, 4, 2),
        (4, 5, 5, 2),
    ]
    assert [trade.aggregate_id for trade in tape.since(1)] == [1, 1, 2, 3, 4]
    assert tape.end_action() == []


def test_the_taker_s_side_says_who_made() -> None:
    """A buying taker is the buyer, and then the buyer is not the maker."""
    tape = Tape("AB", keep=None)
    bought = tape.add(Traded(1, 100, 2, 1, 9, Side.BUY, 0), 0)
    sold = tape.add(Traded(2, 100, 2, 1, 10, Side.SELL, 0), 0)
    assert (bought.buyer_order_id, bought.seller_order_id, bought.buyer_is_maker) == (9, 1, False)
    assert (sold.buyer_order_id, sold.seller_order_id, sold.buyer_is_maker) == (1, 10, True)


def test_trades_page_by_id() -> None:
    """From an id on, without gaps; an id before the oldest starts at the oldest."""
    tape = Tape("AB", keep=None)
    for trade_id in range(50, 60):
        _print(tape, trade_id)
        tape.end_action()
    assert [trade.trade_id for trade in tape.since(57)] == [57, 58, 59]
    assert [trade.trade_id for trade in tape.since(3, 2)] == [50, 51]
    assert [trade.trade_id for trade in tape.recent(2)] == [58, 59]
    assert tape.recent(0) == []


def test_aggregates_page_by_id_and_time() -> None:
    """Bounds of time are both included; without any the newest come."""
    tape = Tape("AB", keep=None)
    for trade_id in range(1, 6):
        _print(tape, trade_id, taker=trade_id, time_us=trade_id * 10)
        tape.end_action()
    assert [made.aggregate_id for made in tape.aggregated(from_id=4)] == [4, 5]
    assert [made.aggregate_id for made in tape.aggregated(start_us=20, end_us=40)] == [2, 3, 4]
    assert [made.aggregate_id for made in tape.aggregated(end_us=40, limit=2)] == [3, 4]
    assert [made.aggregate_id for made in tape.aggregated(limit=1)] == [5]


def test_a_bounded_tape_forgets_the_oldest_and_keeps_its_promise() -> None:
    """At least the newest `keep` trades are there, and their ids still find them."""
    tape = Tape("AB", keep=10)
    for trade_id in range(1, 200):
        _print(tape, trade_id, taker=trade_id)
        tape.end_action()
    assert len(tape.since(0)) <= 20
    assert [trade.trade_id for trade in tape.since(190)] == list(range(190, 200))
