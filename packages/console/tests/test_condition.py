"""What may be said of a stream: nothing old is shown as new."""

from millrace_console.display.condition import RIGHT, SILENT_MS, condition_html, condition_of, old_html
from millrace_console.live import Stream
from millrace_core.clock import now_ms
from millrace_core.names import StreamName


def test_a_stream_that_says_nothing_is_not_live() -> None:
    """Whatever its last status said: a writer repeats its status within 5 s."""
    stream = Stream(StreamName.parse("stream.A.binance.watchTrades.A/B"))
    assert condition_of(stream, now_ms()) == "starting"
    stream.say("live")
    stream.received_ms = 1_000_000
    assert condition_of(stream, 1_000_000 + SILENT_MS) == "live"
    assert condition_of(stream, 1_000_001 + SILENT_MS) == "silent"


def test_each_condition_has_a_sign_and_a_word() -> None:
    """The colour only repeats them; a reason from outside is no HTML."""
    texts = [condition_html(each, "<b>") for each in ("live", "unverified", "stale", "silent", "waiting", "away")]
    assert len({text.partition(">")[2] for text in texts}) == 6
    assert all("&lt;b&gt;" in text and "<b>" not in text for text in texts)


def test_what_may_be_old_is_faded_and_says_why() -> None:
    """The badge stands above it, outside of what fades."""
    text = old_html("stale", "a gap", "<p>12.5</p>")
    assert text.endswith('<div class="old"><p>12.5</p></div>')
    assert "stale" in text and "a gap" in text
    assert "stale" not in RIGHT
