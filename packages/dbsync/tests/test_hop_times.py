from millrace_core.trace import Trace
from millrace_dbsync.handling.handler import HopTimes
from millrace_store import Batch

NAME = "stream.Ann.binance.watchTrades.KCS/USDT"
MINUTE_NS = 60_000_000_000


def counted(times: HopTimes) -> dict[tuple[str, int], int]:
    batch = Batch()
    times.put(batch)
    return {(one.hop, one.minute_ms): one.histogram.count for one in batch.latencies}


def test_each_message_counts_in_the_minute_in_which_it_was_published() -> None:
    """A page over two minutes leaves a histogram of each."""
    times = HopTimes()
    moments = range(0, 2 * MINUTE_NS, MINUTE_NS // 2)
    times.note_page(NAME, moments, [at + 5 for at in moments], [at + 9 for at in moments])
    assert counted(times) == {
        ("exchange→received", 0): 2,
        ("received→published", 0): 2,
        ("exchange→received", 60_000): 2,
        ("received→published", 60_000): 2,
    }


def test_a_message_without_the_exchanges_time_counts_in_the_hops_that_it_has() -> None:
    """Whatever of the way is known is counted, alone and among others; what was never published is not."""
    times = HopTimes()
    times.note_page(NAME, [None, 1], [1, 2], [2, 3])
    times.note(NAME, Trace(received=1, published=2))
    times.note(NAME, Trace(exchange=1, received=2))
    assert counted(times) == {("received→published", 0): 3, ("exchange→received", 0): 1}


def test_an_answer_counts_in_every_hop_from_tick_to_order() -> None:
    """The whole way of an order is there, hop by hop."""
    times = HopTimes()
    times.note(NAME, Trace(1, 2, 3, 4, 5, 6, 7, 8))
    assert len(counted(times)) == 7
