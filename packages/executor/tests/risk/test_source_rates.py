"""The rate at which sources ask for orders."""

from millrace_executor.risk.source_rates import MINUTE_MS, SourceRates


def test_a_source_is_beyond_its_limit_within_a_minute_and_begins_anew() -> None:
    """Requests that are older do not count, and no other source's do."""
    rates = SourceRates()
    assert not any(rates.is_beyond("a", 3, elapsed_ms) for elapsed_ms in (0, 1, MINUTE_MS))
    assert not rates.is_beyond("b", 3, MINUTE_MS)
    assert not rates.is_beyond("a", 3, MINUTE_MS)
    assert rates.is_beyond("a", 3, MINUTE_MS)
    assert not rates.is_beyond("a", 3, MINUTE_MS + 2)


def test_sources_that_ask_no_more_are_forgotten() -> None:
    """A request may name any source: names do not add up, nor once one of them was beyond its limit."""
    rates = SourceRates()
    assert [rates.is_beyond("runs away", 2, 0) for _ in range(3)] == [False, False, True]
    for number in range(1_000):
        rates.is_beyond(str(number), 5, number * 1_001)
    assert len(rates._asked_ms) == 60
    rates.is_beyond("the last", 5, 999 * 1_001 + 60_000)
    assert [*rates._asked_ms] == ["the last"]


def test_a_limit_that_is_changed_holds_at_once() -> None:
    """For what was asked before, too."""
    rates = SourceRates()
    assert [rates.is_beyond("a", limit, 0) for limit in (5, 5, 5, 5, 3)] == [False, False, False, False, True]
    assert [rates.is_beyond("a", limit, 0) for limit in (1, 3, 3, 3)] == [False, False, False, True]


def test_any_limit_holds_for_a_minute() -> None:
    """The first of so many requests counts no more when it is a minute old, or older."""
    for limit in (1, 300):
        for elapsed_ms, is_beyond in ((59_999, True), (60_000, False), (60_001, False)):
            rates = SourceRates()
            assert not any(rates.is_beyond("a", limit, 0) for _ in range(limit))
            assert rates.is_beyond("a", limit, elapsed_ms) is is_beyond
