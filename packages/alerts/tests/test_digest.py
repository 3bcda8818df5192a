"""A storm is one message, what is over is told once, and nothing is told twice."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from millrace_alerts.digest import MOST_EXAMPLES, Digest

QUIET_S, GATHER_S = 300, 5
KEYS = st.sampled_from([f"GATHERER unit {n}" for n in range(8)])


def is_due(digest: Digest, now_ms: int, least: float = 1) -> bool:
    """Tell whether a message is due."""
    return digest.is_due(now_ms, least=least, gather_s=GATHER_S, quiet_s=QUIET_S)


def test_a_storm_is_one_message() -> None:
    """Conditions that begin within the time of gathering are one message: count, first, last, some examples."""
    digest = Digest()
    names = {f"GATHERER {n}": f"stream {n}" for n in range(200)}
    digest.observe({"GATHERER 0": "stream 0"}, 301_000)
    digest.observe(names, 304_000)
    assert not is_due(digest, 305_999)
    assert is_due(digest, 306_000)
    summary = digest.take(306_000)
    assert (summary.raised, summary.first_ms, summary.last_ms, summary.active) == (200, 301_000, 304_000, 200)
    assert len(summary.examples) == MOST_EXAMPLES
    assert not is_due(digest, 10**9)


def test_within_the_quiet_time_nothing_is_sent_and_nothing_is_lost() -> None:
    """What begins and ends meanwhile is in the next message."""
    digest = Digest()
    digest.observe({"A a": "first"}, 0)
    digest.take(5_000)
    for now_ms in range(10_000, 300_000, 10_000):
        digest.observe({"A a": "first", "A b": "second"}, now_ms)
        digest.observe({"A a": "first"}, now_ms + 5_000)
        assert not is_due(digest, now_ms + 5_000)
    assert is_due(digest, 305_000)
    summary = digest.take(305_000)
    assert (summary.raised, summary.over, summary.active) == (29, 29, 1)
    assert summary.examples == {"second": 29}


def test_a_recovered_condition_is_reported_once() -> None:
    """Its end is news, once."""
    digest = Digest()
    digest.observe({"A a": "broken"}, 0)
    digest.take(5_000)
    digest.observe({}, 400_000)
    assert is_due(digest, 405_000)
    summary = digest.take(405_000)
    assert (summary.raised, summary.over, summary.over_examples) == (0, 1, ["broken (lasted 400 s)"])
    digest.observe({}, 500_000)
    assert not is_due(digest, 10**9)


def test_what_nobody_sees_is_not_over() -> None:
    """The streams of an agent that is gone are no better for that."""
    digest = Digest()
    digest.observe({"GATHERER a": "stale", "DBSYNC b": "behind"}, 0)
    digest.take(5_000)
    digest.observe({}, 10_000, unseen={"GATHERER"})
    assert [*digest.active] == ["GATHERER a"]


def test_events_are_reported_once_there_are_enough() -> None:
    """A threshold of three tells of three together."""
    digest = Digest()
    for count in (1, 2, 3):
        assert not is_due(digest, 10**6, least=3)
        digest.add("an order was rejected", count)
    assert is_due(digest, 10**6, least=3)
    assert digest.take(10**6).examples == {"an order was rejected": 3}


@given(st.lists(st.tuples(st.sets(KEYS), st.booleans()), max_size=40))
def test_every_beginning_and_end_is_reported_exactly_once(steps: list[tuple[set[str], bool]]) -> None:
    """Whatever begins and ends, and whenever a message is sent or the process restarted, the counts add up."""
    digest, before, begun, over = Digest(), set[str](), 0, 0
    reported = [0, 0]
    for index, (holding, is_sent) in enumerate(steps):
        begun += len(holding - before)
        over += len(before - holding)
        digest.observe(dict.fromkeys(holding, "text"), index * 1_000)
        digest = msgspec.json.decode(msgspec.json.encode(digest), type=Digest)
        before = holding
        if is_sent:
            summary = digest.take(index * 1_000)
            reported = [reported[0] + summary.raised, reported[1] + summary.over]
            assert summary.active == len(holding)
    summary = digest.take(10**9)
    assert [reported[0] + summary.raised, reported[1] + summary.over] == [begun, over]
