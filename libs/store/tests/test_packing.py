"""A batch is the same after the way from one process to another: pure."""

from collections.abc import Callable

from millrace_core.ids import MessageId
from millrace_core.latency import Histogram
from millrace_core.market import Balance, Trade
from millrace_core.messages import RequestError, Response, Status
from millrace_core.names import AgentId, StreamName
from millrace_core.orders import Order
from millrace_core.trace import Trace
from millrace_store import Batch, Place
from millrace_store.writing.packing import pack, unpack


def test_everything_of_a_batch_comes_out_again(
    name: Callable[..., StreamName], trades: Callable[..., list[Trade]]
) -> None:
    """Everything survives: rows of every kind, positions, gaps, latencies, orders, bytes, and the object beside."""
    batch = Batch()

    def place(action: str) -> Place:
        return Place(str(name(action)), MessageId(7, 1), 1_000)

    batch.book_delta(place("watchOrderBook"), b'{"bids":[],"asks":[]}', 5)
    batch.trades(place("watchTrades"), trades(1_000, (1.0, 2.0)))
    batch.candles(place("watchOHLCV"), "1m", [(60_000, 1.0, 2.0, 0.5, 1.5, 10.0)])
    batch.balances(place("watchBalance"), {"KCS": Balance(free=0.1)})
    batch.status(place("watchTicker"), Status("stale", "ü"))
    refused = Response("a" * 32, "rejected", Order(id="1"), "James", error=RequestError("RiskRefused", "too much"))
    batch.response(place("createOrder"), refused, Trace(received=1))
    batch.dead_letter(Place("x", MessageId(1, 1), 5), "no JSON", b"\xff\x00")
    batch.gap("x", 1, 2, 3, 4, "trimmed")
    batch.position("x", MessageId(1, 9))
    batch.config(AgentId("A"), "r1", 5, "{}")
    histogram = Histogram()
    histogram.record(1_000)
    batch.latency("x", "sent→answered", 60_000, histogram)
    copied, beside = unpack(pack(batch, {"more": [1, b"\xff"]}))
    assert beside == {"more": [1, b"\xff"]}
    assert copied.all_rows() == batch.all_rows()
    for part in ("written", "candle_rows", "minutes", "order_observations", "gap_rows", "agent_rows", "config_rows"):
        assert getattr(copied, part) == getattr(batch, part)
    assert [one.histogram.buckets for one in copied.latencies] == [{159: 1}]
