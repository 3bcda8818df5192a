from hypothesis import given
from hypothesis import strategies as st

from millrace_core.market import Trade
from millrace_core.names import ExchangeId, Symbol
from millrace_strategy import BookEvent, Event, LocalBook, TradesEvent
from millrace_strategy.inbox import Inbox

EXCHANGE = ExchangeId("binance")
BOOKS = {symbol: LocalBook(EXCHANGE, Symbol(symbol)) for symbol in ("ETH/BTC", "KCS/USDT", "BTC/USDT")}


def book_event(symbol: str, number: int) -> BookEvent:
    return BookEvent(exchange=EXCHANGE, symbol=Symbol(symbol), book=BOOKS[symbol], timestamp=number)


def trades_event(number: int) -> TradesEvent:
    trade = Trade(str(number), number, "ETH/BTC", "buy", 1.0, 1.0)
    return TradesEvent(exchange=EXCHANGE, symbol=Symbol("ETH/BTC"), trades=[trade], timestamp=number)


kinds = st.sampled_from(["take", "trades", *BOOKS])
"""What happens to an inbox, one after another."""


def play(steps: list[str]) -> tuple[Inbox, list[Event], list[Event]]:
    inbox, put, taken = Inbox(), [], []
    for number, step in enumerate(steps):
        if step == "take":
            taken += [event] if (event := inbox.take()) is not None else []
            continue
        event = trades_event(number) if step == "trades" else book_event(step, number)
        inbox.put(event)
        put.append(event)
    while (event := inbox.take()) is not None:
        taken.append(event)
    return inbox, put, taken


@given(st.lists(kinds))
def test_what_may_not_conflate_comes_once_each_in_order(steps: list[str]) -> None:
    """All trades are returned, in the order of their arrival."""
    _, put, taken = play(steps)
    assert [e for e in taken if isinstance(e, TradesEvent)] == [e for e in put if isinstance(e, TradesEvent)]


@given(st.lists(kinds))
def test_every_change_of_a_book_is_accounted_for(steps: list[str]) -> None:
    """The changes of a book's events add up to those put, and the last one taken is the newest."""
    _, put, taken = play(steps)
    for symbol in BOOKS:
        came = [e for e in put if isinstance(e, BookEvent) and e.symbol == symbol]
        went = [e for e in taken if isinstance(e, BookEvent) and e.symbol == symbol]
        assert sum(e.changes for e in went) == len(came)
        assert [e.timestamp for e in went][-1:] == [e.timestamp for e in came][-1:]


@given(st.lists(kinds))
def test_an_event_is_never_older_than_one_handed_out_before_of_its_kind(steps: list[str]) -> None:
    """The events of one book come in the order of time."""
    _, _, taken = play(steps)
    for symbol in BOOKS:
        times = [e.timestamp or 0 for e in taken if isinstance(e, BookEvent) and e.symbol == symbol]
        assert times == sorted(times)


@given(st.lists(kinds.filter(lambda step: step != "take")))
def test_a_backlog_holds_one_event_for_each_book(steps: list[str]) -> None:
    """A book waits once, however many changes come before it is taken, so memory does not grow with its feed."""
    inbox = Inbox()
    for number, step in enumerate(steps):
        inbox.put(trades_event(number) if step == "trades" else book_event(step, number))
    assert len(inbox) == steps.count("trades") + len({step for step in steps if step != "trades"})


def test_a_book_keeps_its_place_while_it_conflates() -> None:
    """A busy book is not pushed back by its own changes: it keeps the place of its oldest waiting change."""
    inbox = Inbox()
    for event in (book_event("ETH/BTC", 1), trades_event(2), book_event("ETH/BTC", 3)):
        inbox.put(event)
    first, second = inbox.take(), inbox.take()
    assert isinstance(first, BookEvent)
    assert (first.timestamp, first.changes) == (3, 2)
    assert second == trades_event(2)


def test_the_alarm_goes_off_at_its_limit_and_at_each_doubling() -> None:
    """A growing backlog is an alarm at 4, 8, 16, … events, and again from 4 once it was empty."""
    inbox = Inbox(alarm_at=4)
    assert [n for n in range(1, 20) if inbox.put(trades_event(n))] == [4, 8, 16]
    while inbox.take() is not None:
        pass
    assert [n for n in range(1, 6) if inbox.put(trades_event(n))] == [4]
