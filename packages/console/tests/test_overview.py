"""What the overview asks a person to look at."""

import pytest

from millrace_console.pages.overview import lags

NOW = 1_700_000_000_000


@pytest.mark.parametrize(
    ("counters", "said"),
    [
        ({"lagMs": 1_999, "retentionUsedPercent": 49, "pausedUntil": NOW, "behind": 5}, []),
        ({"lagMs": 2_500}, ["messages come 2.5 s later than usual"]),
        (
            {"behind": 12_000, "retentionUsedPercent": 60},
            ["12,000 messages wait to be stored, 60 % of what a journal keeps"],
        ),
        ({"pausedUntil": NOW + 30_000}, ["the exchange wants a pause, 30 s more"]),
    ],
)
def test_what_makes_a_unit_late_is_said(counters: dict[str, float], said: list[str]) -> None:
    """And nothing is said of a unit that keeps up."""
    assert list(lags(counters, NOW)) == said
