from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from millrace_bus import Update
from millrace_core.ids import MessageId
from millrace_core.market import Trade
from millrace_core.messages import Status, encode
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.states import BookState, StreamState, TradesState
from millrace_magicbox.routing import answer_listener, counted, stream_listener, unseen
from millrace_service.health import ErrorLog, UnitHealthReporter
from millrace_strategy import BookEvent, Event, StatusEvent, Strategy, SubscribedStream, TradesEvent
from millrace_strategy.testing import StrategyHarness

EXCHANGE, SYMBOL = ExchangeId("binance"), Symbol("ETH/BTC")
BOOK = SubscribedStream(EXCHANGE, SYMBOL, Action("watchOrderBook"))
TRADES = SubscribedStream(EXCHANGE, SYMBOL, Action("watchTrades"))


class _Recorder(Strategy):
    """Notes every event."""

    events: list[Event]

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self.events = []

    def handle(self, event: Event) -> None:
        self.events.append(event)


def started(stream: SubscribedStream) -> tuple[StrategyHarness, UnitHealthReporter, Any]:
    harness = StrategyHarness(_Recorder, streams=[stream])
    harness.start()
    harness.strategy.events.clear()
    health = UnitHealthReporter("unit", changed=lambda: None, errors=ErrorLog())
    return harness, health, counted(stream_listener(stream, harness.runtime, lambda _: None), health)


def update(
    stream: SubscribedStream, kind: str, state: StreamState, data: Any = None, *, trusted: bool = True
) -> Update:
    name = StreamName(Tenant("StrankaXY"), stream.exchange, stream.action, stream.symbol)
    status: Any = data.status if isinstance(data, Status) else "live"
    return Update(name, MessageId(1, 1), kind, data, state, trusted, status)  # type: ignore[arg-type]


def raw(data: Any) -> msgspec.Raw:
    return msgspec.Raw(encode(data))


def trade(number: int) -> Trade:
    return Trade(str(number), number // 3, SYMBOL, "buy", 1.0, 1.0)


def test_a_book_is_reported_only_while_it_is_proven_right() -> None:
    """Deltas that fill a gap change nothing for the strategy until the snapshot that ends it."""
    harness, _, listen = started(BOOK)
    state = BookState()
    state.book.replace([(1.0, 1.0)], [(2.0, 1.0)], None)
    for kind, trusted in (
        ("snapshot", True),
        ("untrusted", False),
        ("delta", False),
        ("snapshot", True),
        ("delta", True),
    ):
        listen(update(BOOK, kind, state, trusted=trusted))
        harness.host.run()
        assert harness.strategy.books[BOOK].trusted is trusted
    reported = [type(event) if isinstance(event, BookEvent) else event.status for event in harness.strategy.events]
    assert reported == [BookEvent, "untrusted", "live", BookEvent, BookEvent]


def test_a_writer_s_word_is_reported_when_it_changes() -> None:
    """A stale stream makes the book untrusted, with the reason in the event."""
    harness, _, listen = started(BOOK)
    state = BookState()
    state.book.replace([(1.0, 1.0)], [(2.0, 1.0)], None)
    listen(update(BOOK, "snapshot", state))
    listen(update(BOOK, "status", state, Status("stale", "the exchange is silent")))
    listen(update(BOOK, "status", state, Status("stale", "the exchange is silent")))
    harness.host.run()
    reported = [(e.status, e.reason) for e in harness.strategy.events if isinstance(e, StatusEvent)]
    assert reported == [("stale", "the exchange is silent")]
    assert not harness.strategy.books[BOOK].trusted


def test_a_stream_that_was_dead_lives_again_by_its_next_message() -> None:
    """Silence makes the book untrusted; a delta after it, without a status, makes it trusted again."""
    harness, _, listen = started(BOOK)
    state = BookState()
    state.book.replace([(1.0, 1.0)], [(2.0, 1.0)], None)
    listen(update(BOOK, "snapshot", state))
    listen(msgspec.structs.replace(update(BOOK, "status", state, Status("stale", "silence")), status="dead"))
    assert not harness.strategy.books[BOOK].trusted
    listen(update(BOOK, "delta", state))
    assert harness.strategy.books[BOOK].trusted


def test_trades_that_a_snapshot_took_in_are_reported_once() -> None:
    """The first snapshot is history; a later one, after a gap, brings the missed trades."""
    harness, _, listen = started(TRADES)
    state = TradesState()
    state.trades.extend(map(trade, (1, 2)))
    listen(update(TRADES, "snapshot", state))
    listen(update(TRADES, "delta", state, state.apply(raw({"trades": [trade(3)]}))))
    listen(update(TRADES, "untrusted", state, trusted=False))
    state.trades.extend(map(trade, (4, 5)))
    listen(update(TRADES, "snapshot", state))
    harness.host.run()
    reported = [t.id for e in harness.strategy.events if isinstance(e, TradesEvent) for t in e.trades]
    assert reported == ["3", "4", "5"]


@given(st.integers(0, 20), st.integers(0, 20))
def test_unseen_trades_are_those_after_the_last_one_seen(seen: int, missed: int) -> None:
    """Whatever was seen before, exactly what came after it is new."""
    trades = [trade(number) for number in range(seen + missed)]
    last = trades[seen - 1] if seen else None
    assert unseen(trades, last) == trades[seen:]


def test_an_invalid_answer_ends_nothing() -> None:
    """An unreadable answer is reported, and the next one is read."""
    harness, health, _ = started(BOOK)
    listen = answer_listener(harness.runtime, health)
    answers = SubscribedStream(EXCHANGE, SYMBOL, Action("createOrder"))
    listen(update(answers, "response", BookState(), {"status": "done"}))
    good = {"requestId": "a" * 32, "status": "failed", "orderSource": "_Recorder"}
    listen(update(answers, "response", BookState(), good))
    harness.host.run()
    assert [event.response.status for event in harness.strategy.events] == ["failed"]
    assert health.report().counters["errors"] == 1
