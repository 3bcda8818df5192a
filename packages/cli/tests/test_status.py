from rich.console import Console

from millrace_cli.status import LATE_MS, shown
from millrace_core.heartbeat import Heartbeat, UnitHealth

NOW_MS = 1_800_000_000_000


def text_of(*beats: Heartbeat, width: int = 80) -> str:
    console = Console(width=width, record=True, file=None, quiet=False)
    with console.capture() as captured:
        for part in shown(beats, NOW_MS):
            console.print(part)
    return captured.get()


def beat(*units: UnitHealth, sent_at: int = NOW_MS) -> Heartbeat:
    return Heartbeat("GATHERER", "gatherer", "running", 1, 1, sent_at, "0", units=list(units))


def test_each_stream_takes_a_row_of_a_small_terminal() -> None:
    """State and since when, rate, lag, last gap, source and worker; the reason below what is not live."""
    counters = {"messagesPerSecond": 1234.5, "lagMs": 12, "lastGapAt": NOW_MS - 600_000}
    name = "PUBLIC.binance.watchOrderBook.ETH/BTC"
    live = UnitHealth(name, "live", NOW_MS - 7_300_000, None, counters, {}, "native", "2")
    mute = UnitHealth("PUBLIC.kraken.watchOrderBook.ETH/BTC", "stale", NOW_MS - 5_000, "silent for 5.0 s")
    lines = text_of(beat(live, mute)).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].strip() == "GATHERER: running, 1 of 2 streams live"
    assert lines[2].split() == [live.name, "live", "2", "h", "1,234.5", "12", "ms", "10", "min", "native", "2"]
    assert lines[3].split()[:4] == [mute.name, "stale", "5", "s"]
    assert lines[4].strip() == "silent for 5.0 s"


def test_a_long_reason_stays_below_its_stream() -> None:
    """Each of its lines is indented, so that it is not taken for a stream."""
    reason = "binance has no market LTC/USDT; did you mean BTC/USDT or SOL/USDT or KCS/USDT?"
    lines = text_of(beat(UnitHealth("PUBLIC.binance.watchTrades.LTC/USDT", "stale", NOW_MS, reason))).splitlines()[3:]
    assert len(lines) > 1
    assert all(line.startswith("  ") for line in lines)
    assert " ".join(line.strip() for line in lines) == reason


def test_what_is_asked_for_says_so() -> None:
    """Its rate is that of the questions."""
    unit = UnitHealth("PUBLIC.bitso.watchTrades.BTC/MXN", "live", NOW_MS, None, {"pollIntervalS": 2})
    assert "asked for every 2 s" in " ".join(text_of(beat(unit)).split())


def test_a_gatherer_that_is_silent_is_not_believed() -> None:
    """Its streams were live when it last said so."""
    assert "what follows is old" in text_of(beat(sent_at=NOW_MS - LATE_MS - 1_000))


def test_without_a_gatherer_it_says_so() -> None:
    """Instead of an empty table."""
    assert text_of().strip() == "no gatherer runs"
