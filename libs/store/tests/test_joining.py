"""Batches made one after the other are, joined, what one batch of all would be: pure."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from millrace_core.ids import MessageId
from millrace_core.latency import Histogram
from millrace_core.market import Balance, Trade
from millrace_core.messages import Status
from millrace_core.names import StreamName
from millrace_core.orders import Order
from millrace_store import Batch, Place, joined

TRADES = "stream.T.kucoin.watchTrades.KCS/USDT"
BALANCES = "stream.snapshot.T.kucoin.watchBalance"
ORDERS = "stream.snapshot.T.kucoin.watchOrders.KCS/USDT"
CANDLES = "stream.T.kucoin.watchOHLCV.KCS/USDT"


def add(batch: Batch, seq: int) -> None:
    """Add the n-th message of each of some streams; every third begins an epoch."""
    id_ = MessageId(seq // 3, 1 + seq % 3)
    batch.trades(Place(TRADES, id_, seq), [Trade(str(seq), seq, "KCS/USDT", "buy", 1.0, 2.0)])
    batch.status(Place("stream.T.kucoin.watchTicker.KCS/USDT", id_, seq), Status("live"))
    batch.candles(Place(CANDLES, id_, seq), "1m", [(60_000 * (seq // 2), 1.0, 2.0, 0.5, float(seq), 1.0)])
    batch.balances_snapshot(Place(BALANCES, id_, seq), MessageId(1, seq), b"{}", {"KCS": Balance(total=float(seq))})
    batch.orders_snapshot(Place(ORDERS, id_, seq), MessageId(1, seq), b"{}", [Order(id=str(seq))])
    batch.gap(TRADES, seq, 1, 2, 5, "trimmed")
    histogram = Histogram()
    histogram.record(seq + 1)
    batch.latency(TRADES, "received→published", 0, histogram)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6))
def test_joined_they_are_what_one_batch_of_all_would_be(sizes: list[int]) -> None:
    """Rows, positions, what holds as an epoch begins, newest candles: wherever one batch ends and the next begins."""
    whole, parts, seq = Batch(), [], 0
    for size in sizes:
        parts.append(Batch())
        for _ in range(size):
            add(whole, seq)
            add(parts[-1], seq)
            seq += 1
    together = joined(parts)
    for part in ("rows", "written", "candle_rows", "minutes", "order_observations", "gap_rows", "duplicates"):
        assert getattr(together, part) == getattr(whole, part), part
    assert [one.histogram.buckets for one in together.latencies] == [one.histogram.buckets for one in whole.latencies]


def test_joining_changes_none_of_them(name: Callable[..., StreamName], trades: Callable[..., list[Trade]]) -> None:
    """Each can still be committed by itself, as when the database refuses something of one."""
    first, second = Batch(), Batch()
    for seq, batch in enumerate((first, second), start=1):
        batch.trades(Place(str(name("watchTrades")), MessageId(7, seq), 1_000), trades(1_000, (1.0, 2.0)))
    joined([first, second])
    assert (first.messages, second.messages) == (1, 1)
    assert [len(rows) for batch in (first, second) for rows in batch.rows.values()] == [1, 1]
