"""The pauses between attempts."""

from hypothesis import given
from hypothesis import strategies as st

from millrace_core.backoff import Backoff, BackoffPolicy

POLICY = BackoffPolicy(first_s=0.5, limit_s=30, healthy_after_s=10)


def test_pauses_double_up_to_the_limit() -> None:
    """Without luck in either direction the pauses are 0.5, 1, 2 … 30, 30 s."""
    backoff = Backoff(POLICY, random=lambda: 1.0)
    assert [backoff.failed() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


@given(st.floats(0, 1), st.integers(1, 2_000))
def test_a_pause_is_never_beyond_the_limit_nor_below_half_its_range(luck: float, failures: int) -> None:
    """However often it failed, and whatever the jitter, the pause stays between its half and the limit."""
    backoff = Backoff(POLICY, random=lambda: luck)
    pauses = [backoff.failed() for _ in range(failures)]
    assert all(POLICY.first_s / 2 <= pause <= POLICY.limit_s for pause in pauses)


def test_after_a_healthy_life_the_first_pause_comes_again() -> None:
    """After a recovery the first pause is the shortest one again."""
    backoff = Backoff(POLICY, random=lambda: 1.0)
    for _ in range(5):
        backoff.failed()
    backoff.recovered()
    assert backoff.failed() == POLICY.first_s


def test_a_pause_lasts_as_long_as_the_other_side_wants() -> None:
    """A ban of two minutes is waited out, however few failures there were; a shorter wish shortens no pause."""
    backoff = Backoff(POLICY, random=lambda: 1.0)
    assert backoff.failed(at_least_s=120) == 120
    assert backoff.failed(at_least_s=0.1) == 1


def test_a_policy_knows_the_pause_after_any_number_of_failures() -> None:
    """A caller that counts by itself gets the same pauses, and none before the first failure."""
    assert [POLICY.pause_s(failures, lambda: 1.0) for failures in (0, 1, 2, 3, 9)] == [0, 0.5, 1, 2, 30]
