import io

from rich.console import Console

from millrace_cli.dashboard import closing_words, render
from millrace_cli.picture import Picture, SeenError, StreamView
from millrace_core.heartbeat import ErrorReport, Heartbeat, UnitHealth
from millrace_core.names import StreamName
from millrace_core.orders import Order
from millrace_core.states import BookState
from millrace_core.trace import Trace

BOOK = StreamName.parse("stream.PUBLIC.binance.watchOrderBook.ETH/BTC")


ORDERS = StreamName.parse("stream.StrankaXY.binance.watchOrders.KCS/USDT")


def picture_with_book() -> tuple[Picture, StreamView]:
    picture = Picture(started_s=100.0)
    state = BookState()
    state.book.replace([(10.0, 1.0)], [(11.0, 2.0)], 1)
    view = StreamView(BOOK, trusted=True, status="live", state=state)
    picture.streams[str(BOOK)] = view
    return picture, view


def heartbeat(*errors: ErrorReport, started_at: int = 1) -> Heartbeat:
    return Heartbeat(
        id="GATHERER",
        kind="gatherer",
        state="running",
        pid=1,
        started_at=started_at,
        sent_at=1,
        version="0",
        units=[UnitHealth("PUBLIC.binance.watchTrades.ETH/BTC", "stale", 1)],
        last_errors=list(errors),
    )


def text_of(picture: Picture) -> str:
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(render(picture, 110.0, "everything runs here"), closing_words(picture))
    return console.export_text()


def test_a_run_is_counted() -> None:
    """Messages, orders, answers and hops end up in the report, with the time until the first of each."""
    picture, view = picture_with_book()
    picture.saw_message(view, Trace(exchange=0, received=2_000_000, published=3_000_000), 101.5)
    picture.saw_answer("done", None, "create", Trace(published=3_000_000, delivered=4_000_000), 7)
    picture.saw_order(ORDERS, Order(id="1", status="open"), 102.0)
    picture.saw_order(ORDERS, Order(id="1", status="closed", filled="1"), 103.0)
    report = picture.report(110.0)
    assert (report["messages"], report["liveBooksAfterSeconds"], report["filledOrderAfterSeconds"]) == (1, 1.5, 3.0)
    assert (report["orders"], report["answers"]) == ({"closed": 1}, {"done": 1})
    assert list(report["latencyMs"]) == ["exchange→received", "received→published", "published→delivered"]
    assert abs(report["latencyMs"]["exchange→received"]["p50"] - 2.0) < 0.05
    assert (report["untrusted"], report["gaps"], report["errorCount"]) == ([], 0, 0)


def test_a_final_order_stays_final() -> None:
    """A late message of an earlier state does not open it again."""
    picture = Picture(0.0)
    picture.saw_order(ORDERS, Order(id="1", status="canceled"), 1.0)
    picture.saw_order(ORDERS, Order(id="1", status="open"), 2.0)
    assert list(picture.orders.values()) == ["canceled"]


def test_orders_of_one_number_are_counted_apart() -> None:
    """Symbols, exchanges and tenants number their orders independently of each other."""
    picture = Picture(0.0)
    for name in ("StrankaXY.binance", "StrankaXY.kucoin", "Other.binance"):
        for symbol in ("KCS/USDT", "ETH/USDT"):
            picture.saw_order(
                StreamName.parse(f"stream.{name}.watchOrders.{symbol}"), Order(id="1", status="open"), 1.0
            )
    assert picture.report(2.0)["orders"] == {"open": 6}


def test_an_error_in_a_heartbeat_counts_once() -> None:
    """Heartbeats repeat errors; only new ones are counted. A restarted agent starts from zero."""
    picture = Picture(0.0)
    first, second = ErrorReport(1, "unit", "broken"), ErrorReport(2, "unit", "again")
    picture.saw_heartbeat(heartbeat(first))
    picture.saw_heartbeat(heartbeat(first, second))
    assert picture.error_count == 2
    picture.saw_heartbeat(heartbeat(first, started_at=2))
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
    picture.saw_heartbeat(heartbeat())
    picture.saw_error(SeenError(1_000, "binance", "the exchange said no"))
    shown = text_of(picture)
    for wanted in ("ETH/BTC", "10", "11", "live", "GATHERER", "stale", "the exchange said no", "everything runs here"):
        assert wanted in shown
    view.trusted = False
    assert "untrusted" in text_of(picture)
