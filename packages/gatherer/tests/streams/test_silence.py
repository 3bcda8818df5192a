"""How long a stream may be silent, from how long it usually is."""

import pytest

from millrace_gatherer.streams.silence import CONNECTING_S, MOST_S, UsualSilence


def messages_every(interval_s: float, for_s: float, unknown_s: float | None = 30.0) -> UsualSilence:
    """Return the silences of a stream with a message every so often."""
    silence = UsualSilence(unknown_s, now_s=0.0)
    for number in range(round(for_s / interval_s) + 1):
        silence.received(number * interval_s)
    return silence


@pytest.mark.parametrize("interval_s", [0.01, 0.1, 1.0])
def test_a_busy_stream_may_be_silent_for_less_than_five_seconds(interval_s: float) -> None:
    """Whether it has a limit of its own or none."""
    for unknown_s in (None, 30.0):
        limit_s = messages_every(interval_s, for_s=60.0, unknown_s=unknown_s).limit_s
        assert limit_s is not None
        assert 2 * interval_s < limit_s < 5.0


def test_a_stream_with_rare_messages_may_be_silent_for_long() -> None:
    """One message in ten minutes is usual for it."""
    assert messages_every(600.0, for_s=30 * 600.0).limit_s == 4 * 600.0


def test_a_burst_at_the_beginning_teaches_nothing() -> None:
    """A hundred messages in a second do not make a stream busy."""
    assert messages_every(0.01, for_s=1.0).limit_s == 30.0
    assert messages_every(0.01, for_s=1.0, unknown_s=None).limit_s is None


def test_a_silence_in_which_nothing_happened_makes_the_next_limit_longer() -> None:
    """A book that does not change is taken again ever more rarely, once an hour at last."""
    silence, limits_s = UsualSilence(30.0, now_s=0.0), []
    silence.received(0.0)
    for _ in range(6):
        limit_s = silence.limit_s
        assert limit_s is not None
        limits_s.append(limit_s)
        silence.was_usual(limit_s)
    assert limits_s == [30.0, 120.0, 480.0, 1_920.0, MOST_S, MOST_S]


def test_a_quiet_hour_is_forgotten_once_the_stream_is_busy_again() -> None:
    """The longest silence of the last minutes counts, not of all times."""
    silence = messages_every(0.1, for_s=60.0)
    silence.received(4_000.0)
    for tenths in range(1, 1_300):
        silence.received(4_000.0 + tenths / 10)
    assert silence.limit_s is not None
    assert silence.limit_s < 5.0


def test_a_stall_does_not_make_a_busy_stream_slower_to_notice_the_next() -> None:
    """A connection that stood still for two seconds says nothing of how long the market is usually silent."""
    silence = messages_every(0.1, for_s=60.0)
    silence.received(62.0)
    silence.received(62.1)
    assert silence.limit_s is not None
    assert silence.limit_s < 5.0


def test_a_silence_in_which_nothing_happened_counts_for_a_busy_stream_as_well() -> None:
    """It is not taken again and again while the market rests."""
    silence = messages_every(0.1, for_s=60.0)
    silence.was_usual(3.0)
    assert silence.limit_s == 12.0


def test_a_mute_subscription_is_not_made_again_all_the_time() -> None:
    """Until its next message it has the time of connecting, though its whole state was fetched."""
    silence = messages_every(0.1, for_s=60.0)
    silence.received(63.0)
    silence.is_mute = True
    assert silence.limit_s == CONNECTING_S
    silence.received(64.0)
    assert silence.limit_s is not None
    assert silence.limit_s < CONNECTING_S


def test_a_new_subscription_has_time_to_begin() -> None:
    """Until its first message the limit is that of connecting, and the time without it was no silence."""
    silence = messages_every(0.1, for_s=60.0)
    silence.subscribe(500.0)
    assert silence.limit_s == CONNECTING_S
    silence.received(510.0)
    assert silence.limit_s is not None
    assert silence.limit_s < 5.0
