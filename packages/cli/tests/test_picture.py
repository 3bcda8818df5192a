import io
import itertools
from decimal import Decimal

import pytest
from rich.console import Console

from millrace_cli.dashboard import render
from millrace_cli.picture import LATE_MS, Picture, SeenError, SeenHalt, StreamView
from millrace_cli.recent_latency import WINDOW_S
from millrace_cli.trouble import troubles
from millrace_core.heartbeat import ErrorReport, Heartbeat, UnitHealth, WorkerHealth
from millrace_core.names import StreamName, Tenant
from millrace_core.orders import Order, OrderKey
from millrace_core.states import BookState
from millrace_core.trace import Trace

NOW_MS = 1_800_000_000_000
ORDERS = StreamName.parse("stream.StrankaXY.binance.watchOrders.KCS/USDT")
BOOK = StreamName.parse("stream.PUBLIC.binance.watchOrderBook.ETH/BTC")


def picture_with_book() -> tuple[Picture, StreamView]:
    picture = Picture(started_s=100.0)
    state = BookState()
    state.book.replace([(10.0, 1.0)], [(11.0, 2.0)], 1)
    view = StreamView(BOOK, trusted=True, status="live", state=state)
    picture.streams[str(BOOK)] = view
    return picture, view


def heartbeat(
    *errors: ErrorReport,
    started_at: int = 1,
    sent_at: int = NOW_MS,
    units: list[UnitHealth] | None = None,
    workers: list[WorkerHealth] | None = None,
) -> Heartbeat:
    return Heartbeat(
        id="GATHERER",
        kind="gatherer",
        state="running",
        pid=1,
        started_at=started_at,
        sent_at=sent_at,
        version="0",
        units=units or [UnitHealth("PUBLIC.binance.watchTrades.ETH/BTC", "stale", 1)],
        last_errors=list(errors),
        workers=workers or [],
    )


def screen(picture: Picture, width: int = 80, height: int = 24, notices: tuple[str, ...] = ()) -> list[str]:
    """The lines that a terminal of this size shows."""
    console = Console(width=width, height=height, record=True, file=io.StringIO())
    console.print(render(picture, 110.0, NOW_MS, "API http://127.0.0.1:8080/api/v1", notices))
    return console.export_text().splitlines()[:height]


def text_of(picture: Picture) -> str:
    return "\n".join(screen(picture, 160, 60))


def test_a_run_is_counted() -> None:
    """Messages, orders, answers and hops end up in the report, with the time until the first of each."""
    picture, view = picture_with_book()
    picture.saw_message(view, Trace(exchange=0, received=2_000_000, published=3_000_000), 101.5)
    picture.saw_answer("done", None, "create", Trace(published=3_000_000, delivered=4_000_000), 101.6, 7)
    picture.saw_order(ORDERS, Order(id="1", status="open"), 102.0, 1)
    picture.saw_order(ORDERS, Order(id="1", status="closed", filled=Decimal(1)), 103.0, 2)
    report = picture.report(110.0)
    assert (report["messages"], report["liveBooksAfterSeconds"], report["filledOrderAfterSeconds"]) == (1, 1.5, 3.0)
    assert (report["orders"], report["answers"]) == ({"closed": 1}, {"done": 1})
    assert list(report["latencyMs"]) == ["exchange→received", "received→published", "published→delivered"]
    assert abs(report["latencyMs"]["exchange→received"]["p50"] - 2.0) < 0.05
    assert (report["untrusted"], report["gaps"], report["errorCount"]) == ([], 0, 0)


def test_a_final_order_stays_final() -> None:
    """A late message of an earlier state does not open it again."""
    picture = Picture(0.0)
    picture.saw_order(ORDERS, Order(id="1", status="canceled"), 1.0, 1)
    picture.saw_order(ORDERS, Order(id="1", status="open"), 2.0, 2)
    assert picture.order_counts() == {"canceled": 1}


def test_orders_of_two_symbols_with_one_number_are_two() -> None:
    """Exchanges number each symbol's orders by themselves; a tenant or an exchange more makes yet another order."""
    picture = Picture(0.0)
    names = [
        f"stream.{tenant}.{exchange}.watchOrders.{symbol}"
        for tenant, exchange, symbol in itertools.product(("A", "B"), ("binance", "kucoin"), ("ETH/BTC", "KCS/USDT"))
    ]
    for name in names:
        picture.saw_order(StreamName.parse(name), Order(id="7", status="open"), 1.0, 1)
    picture.saw_order(StreamName.parse(names[0]), Order(id="7", status="closed"), 2.0, 2)
    assert picture.order_counts() == {"open": len(names) - 1, "closed": 1}
    assert (Tenant("A"), OrderKey("binance", "ETH/BTC", "7")) in picture.orders


def test_a_rejected_order_is_no_error() -> None:
    """What a limit or the exchange refuses is an answer; what failed is an error."""
    picture = Picture(0.0)
    picture.saw_answer("rejected", "InsufficientFunds: too little", "create", Trace(), 1.0, 1)
    assert (picture.error_count, picture.last_rejection) == (0, "InsufficientFunds: too little")
    picture.saw_answer("failed", "NetworkError: gone", "create", Trace(), 1.0, 1)
    assert picture.error_count == 1


def test_latencies_are_those_of_the_last_minute() -> None:
    """A slow start does not stay on the screen; the report is of the whole run."""
    picture, view = picture_with_book()
    picture.saw_message(view, Trace(received=0, published=900_000_000), 100.0)
    picture.saw_message(view, Trace(received=0, published=1_000_000), 100.0 + WINDOW_S + 10)
    recent = picture.recent.hops(100.0 + WINDOW_S + 10)["received→published"]
    assert recent.count == 1
    assert recent.percentile(99) == pytest.approx(1e6, rel=0.05)
    assert picture.report(200.0)["latencyMs"]["received→published"]["count"] == 2


def test_an_agent_without_a_fresh_heartbeat_is_dead() -> None:
    """One that is gone, or too old, as of an agent that was killed."""
    picture = Picture(0.0)
    picture.saw_heartbeats([heartbeat()])
    assert picture.dead(NOW_MS + LATE_MS) == {}
    assert picture.dead(NOW_MS + LATE_MS + 1).keys() == {"GATHERER"}
    picture.saw_heartbeats([])
    assert picture.dead(NOW_MS).keys() == {"GATHERER"}
    assert "DEAD     GATHERER" in text_of(picture)
    picture.saw_heartbeats([heartbeat(started_at=2)])
    assert picture.dead(NOW_MS) == {}


def test_an_error_that_repeats_takes_one_line() -> None:
    """With the number of times, so that it hides nothing else."""
    picture = Picture(0.0)
    for number in range(4):
        picture.saw_error(SeenError(NOW_MS + number, "EXECUTOR T.binance", "NetworkError: gone"))
    picture.saw_error(SeenError(NOW_MS, "GATHERER", "another"))
    shown = text_of(picture)
    assert shown.count("NetworkError: gone") == 1
    assert "(4 times) EXECUTOR T.binance" in shown
    assert "GATHERER: another" in shown


def test_workers_that_failed_or_were_replaced_are_named() -> None:
    """With the reason, and how often."""
    picture = Picture(0.0)
    workers = [
        WorkerHealth("T.Loops", "failed", 1, detail="it did not answer for 10 s"),
        WorkerHealth("T.Leaks", "live", 1, replaced=2),
        WorkerHealth("T.Good", "live", 1),
    ]
    picture.saw_heartbeats([heartbeat(workers=workers)])
    shown = text_of(picture)
    assert "GATHERER worker T.Loops: it did not answer for 10 s" in shown
    assert "GATHERER worker T.Leaks, 2 times" in shown
    assert "T.Good" not in shown


def test_a_stopped_strategy_takes_one_line() -> None:
    """Its unit says why; that its worker stopped too is no news."""
    picture = Picture(0.0)
    unit = UnitHealth(name="T.Loops", state="stopped", since=1, detail="its event loop stood still")
    picture.saw_heartbeats(
        [heartbeat(units=[unit], workers=[WorkerHealth("T.Loops", "stopped", 1, detail="the same")])]
    )
    assert [each.text for each in troubles(picture, NOW_MS)] == ["GATHERER T.Loops: its event loop stood still"]


def test_a_replaced_worker_is_named_for_a_minute() -> None:
    """Then its successor has proved good; another replacement is news again, also of a service that began anew."""
    picture = Picture(0.0)

    def beat(at_ms: int, replaced: int, started_at: int = 1) -> bool:
        worker = WorkerHealth("1", "live", 1, replaced=replaced)
        picture.saw_heartbeats([heartbeat(started_at=started_at, sent_at=at_ms, workers=[worker])])
        return any(each.kind == "REPLACED" for each in troubles(picture, at_ms))

    assert [beat(NOW_MS, 0), beat(NOW_MS + 5_000, 1), beat(NOW_MS + 64_000, 1)] == [False, True, True]
    assert not beat(NOW_MS + 65_000, 1)
    assert beat(NOW_MS + 70_000, 2)
    assert not beat(NOW_MS + 140_000, 2)
    assert beat(NOW_MS + 145_000, 1, started_at=2)


def test_a_small_terminal_shows_what_matters() -> None:
    """80 columns and 24 lines: halts and errors first, then own orders, then latency; nothing is cut at the right."""
    picture, view = picture_with_book()
    picture.saw_heartbeats([heartbeat(ErrorReport(NOW_MS, "T.binance.watchTrades.ETH/BTC", "the exchange said no"))])
    picture.halts = [SeenHalt(Tenant("StrankaXY"), "binance/*", NOW_MS, "too much lost", "operator")]
    for number in range(30):
        order = Order(id=str(number), status="open", side="buy", amount=Decimal("0.50"), price=Decimal("12.345"))
        picture.saw_order(ORDERS, order, 101.0, NOW_MS - 1_000 * number)
    hops = dict.fromkeys(("exchange", "received", "published", "delivered", "decided", "accepted", "sent"), 1)
    picture.saw_message(view, Trace(exchange=1, received=2_000_000, published=3_000_000), 105.0)
    picture.saw_answer("done", None, "create", Trace(**hops, acknowledged=9_000_000), 105.0, 1)
    lines = screen(picture)
    assert all(len(line.rstrip()) <= 80 for line in lines)
    text = "\n".join(lines)
    places = [text.index(each) for each in ("HALTED", "the exchange said no", "Own orders", "last minute", "Agents")]
    assert places == sorted(places)
    assert "StrankaXY" in text
    assert "sent→acknowledged" in text


def test_tokens_are_shown_when_asked_for_only() -> None:
    """The picture has them below the headline, or not at all."""
    picture, _ = picture_with_book()
    assert "mr_secret" in "\n".join(screen(picture, notices=("token of T: mr_secret",)))
    assert "mr_secret" not in text_of(picture)


def test_an_error_in_a_heartbeat_counts_once() -> None:
    """Heartbeats repeat errors; only new ones are counted. A restarted agent starts from zero."""
    picture = Picture(0.0)
    first, second = ErrorReport(1, "unit", "broken"), ErrorReport(2, "unit", "again")
    picture.saw_heartbeats([heartbeat(first)])
    picture.saw_heartbeats([heartbeat(first, second)])
    assert picture.error_count == 2
    picture.saw_heartbeats([heartbeat(first, started_at=2)])
    assert picture.error_count == 3


def test_the_rate_is_that_of_the_last_seconds() -> None:
    """What was long ago does not flatter the present."""
    view = StreamView(BOOK)
    for second, messages in enumerate((0, 1_000, 1_010, 1_020, 1_030, 1_040, 1_050)):
        view.messages = messages
        view.sample(float(second))
    assert view.rate() == 10.0


def test_the_dashboard_shows_what_a_person_looks_for() -> None:
    """Best prices, whether the book is to be trusted, agents with trouble, errors in words."""
    picture, view = picture_with_book()
    picture.saw_heartbeats([heartbeat()])
    picture.saw_error(SeenError(1_000, "binance", "the exchange said no"))
    shown = text_of(picture)
    for wanted in ("ETH/BTC", "10", "11", "live", "GATHERER", "STALE", "the exchange said no", "API http"):
        assert wanted in shown
    view.trusted = False
    assert "untrusted" in text_of(picture)
