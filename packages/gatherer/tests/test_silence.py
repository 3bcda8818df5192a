"""Streams that are silent, on real sockets: a mute connection is noticed, a quiet market is left alone."""

import itertools
from typing import Any

import pytest

from millrace_core.clock import now_ms
from millrace_gatherer.streams.stream import MUTE
from millrace_simulator.server import Server

pytestmark = pytest.mark.usefixtures("gatherer")

SYMBOL = "ETH/BTC"
LEAST_S = 0.5


@pytest.fixture(autouse=True)
def learning_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the times, so that a test does not wait for them."""
    monkeypatch.setattr("millrace_gatherer.streams.silence.LEARNED_AFTER_S", 0.2)
    monkeypatch.setattr("millrace_gatherer.streams.silence.LEAST_S", LEAST_S)
    monkeypatch.setattr("millrace_gatherer.streams.silence.CONNECTING_S", 2.0)


def silences(reader: Any) -> list[str]:
    """Return the reasons of a reader's statuses that name a silence."""
    return [reason for _, reason in reader.statuses() if "silent for" in str(reason)]


@pytest.mark.parametrize(("action", "frame_kind"), [("watchOrderBook", "depthUpdate"), ("watchTrades", '"e":"trade"')])
async def test_a_busy_stream_whose_connection_becomes_mute_is_stale(
    configure: Any, read: Any, line: Any, monkeypatch: pytest.MonkeyPatch, action: str, frame_kind: str
) -> None:
    """Pings are answered and other streams go on; it is live again with the next messages."""
    monkeypatch.setattr("millrace_gatherer.streams.silence.LEARNED_AFTER_MESSAGES", 2)
    await configure([SYMBOL], [action])
    reader = read(action, SYMBOL)
    await reader.until(lambda r: len(r.deltas()) > 30)
    line.treat = lambda frame: None if frame_kind in frame else frame
    muted_ms = now_ms()
    await reader.until(silences)
    assert now_ms() - muted_ms < 5_000
    # What is fetched meanwhile shows that the market goes on, so it is no proof that the stream does.
    await reader.until(lambda r: ("stale", MUTE) in r.statuses())
    since = [reason for _, reason in reader.statuses()].index(silences(reader)[0])
    assert {status for status, _ in reader.statuses()[since:]} == {"stale"}
    line.treat = lambda frame: frame
    seen = len(reader.deltas())
    await reader.until(lambda r: r.statuses()[-1][0] == "live" and len(r.deltas()) > seen + 1)


async def test_a_quiet_market_is_asked_about_ever_more_rarely(
    configure: Any, read: Any, line: Any, simulator: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing has happened each time, so the next silence may be four times as long."""
    monkeypatch.setattr("millrace_gatherer.streams.following.WATCH_S", 0.1)
    monkeypatch.setattr("millrace_gatherer.streams.order_book.OrderBookStream.silence_limit_ms", 500)
    simulator.market.paused = True
    await configure([SYMBOL], ["watchOrderBook"])
    reader = read("watchOrderBook", SYMBOL)
    await reader.until(lambda r: len(silences(r)) == 2 and r.statuses()[-1][0] == "live")
    lasted_s = [float(reason.split()[2]) for reason in silences(reader)]
    assert all(later > 3 * earlier for earlier, later in itertools.pairwise(lasted_s))
