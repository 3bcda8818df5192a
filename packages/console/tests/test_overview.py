"""What the overview asks a person to look at."""

import pytest

from millrace_console.accounts import Account
from millrace_console.display.curves import time_range
from millrace_console.display.table import Cell
from millrace_console.pages.overview import all_agents, equity_row, lags

NOW = 1_700_000_000_000
ACCOUNT = Account("Ann", "mine", "read", is_operator=False, token="mr_…")


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


def test_an_operator_who_is_a_tenant_too_misses_no_unit() -> None:
    """What one account sees of an agent is added to what another one sees, in whatever order they signed in."""
    unit, error = {"name": "http", "state": "stale"}, {"at": NOW, "where": "http"}
    own = {"name": "Ann.binance", "state": "live"}
    operator = {"id": "API", "units": [unit, own], "configErrors": [], "lastErrors": [error]}
    client = {"id": "API", "units": [own], "configErrors": [], "lastErrors": []}
    for views in ((operator, client), (client, operator)):
        (agent,) = all_agents((ACCOUNT, {"items": [view]}) for view in views).values()
        assert sorted(each["name"] for each in agent["units"]) == ["Ann.binance", "http"]
        assert agent["lastErrors"] == [error]


def test_one_moment_is_not_shown_amid_two_days() -> None:
    """A chart that has one moment only ends a quarter of an hour beside it; others end where their lines do."""
    assert time_range([NOW, NOW]) == {"min": NOW - 900_000, "max": NOW + 900_000}
    assert time_range([NOW, NOW + 1]) == time_range([]) == {"min": None, "max": None}


def test_equity_says_what_is_not_in_it() -> None:
    """Balances without a price are named, and the value is marked."""
    sample = {"value": "15.5", "currency": "USDT", "atMs": NOW - 5_000, "unvalued": []}
    whole, part = (
        equity_row("A", sample | {"unvalued": [{"currency": each} for each in left]}, NOW)
        for left in ("", ("SOL", "ADA"))
    )
    assert whole[1] == Cell("15.50")
    assert part[1] == Cell("▲ 15.50", "warn", hint="without ADA, SOL: no price")
