"""Profits of several tenants and strategies: summed exactly, and never over currencies."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from millrace_console.pages.portfolio.choice import NO_REQUEST, chosen_sources
from millrace_console.pages.portfolio.profits import Profit, cumulated, summed
from millrace_console.pages.portfolio.rows import balance_rows, charged_text

HOUR = 3_600_000


def profit(tenant: str, realised: str, **changed: Any) -> Profit:
    """Return a row of `/pnl`."""
    row = {
        "atMs": 0, "exchange": "binance", "symbol": "A/B", "orderSource": "PingPong", "currency": "B",
        "realised": realised, "fees": "0.1", "feesByCurrency": {"B": "0.1"}, "unvaluedFees": {}, "turnover": "5",
        "trades": 2,
    }  # fmt: skip
    return Profit(tenant, row | changed)


def test_any_choice_of_dimensions_stays_apart() -> None:
    """Together over all, or apart by tenant and strategy; currencies stay apart always."""
    rows = [
        profit("T1", "1.5"),
        profit("T1", "-0.5", orderSource=None),
        profit("T2", "2", orderSource="Momentum"),
        profit("T2", "7", currency="C"),
    ]
    together = summed(rows, ())
    assert {key: each.realised for key, each in together.items()} == {("B",): Decimal("3.0"), ("C",): Decimal(7)}
    assert set(summed(rows, ("tenant", "source"))) == {
        ("T1", "PingPong", "B"), ("T1", NO_REQUEST, "B"), ("T2", "Momentum", "B"), ("T2", "PingPong", "C"),
    }  # fmt: skip
    assert together["B",].charged == {"B": Decimal("0.3")}


def test_days_and_months_come_newest_first() -> None:
    """They are those of UTC; what they share stays in order."""
    rows = [profit("T2", "1"), profit("T1", "2", atMs=24 * HOUR), profit("T1", "4", atMs=31 * 24 * HOUR)]
    assert [key[0] for key in summed(rows, ("day",))] == ["1970-02-01", "1970-01-02", "1970-01-01"]
    by_month = summed(rows, ("tenant", "month"))
    assert {key[:2]: each.realised for key, each in by_month.items()} == {
        ("T1", "1970-02"): Decimal(4),
        ("T1", "1970-01"): Decimal(2),
        ("T2", "1970-01"): Decimal(1),
    }
    assert [key[1] for key in by_month] == ["1970-02", "1970-01", "1970-01"]
    assert [key[0] for key in summed(rows, ("tenant",))] == ["T1", "T2"]


@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False, places=18, min_value=-(10**20), max_value=10**20)))
def test_sums_keep_every_digit(amounts: list[Decimal]) -> None:
    """As integers would: no rounding at 28 digits."""
    found = summed([profit("T1", str(each)) for each in amounts], ())
    exact = sum(map(_units, amounts))
    assert not amounts or _units(found["B",].realised) == exact


def _units(value: Decimal) -> int:
    """Return a number in units of its 18th decimal."""
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    whole = int("".join(map(str, digits))) * 10 ** (exponent + 18)
    return -whole if sign else whole


def test_a_line_begins_at_zero_and_ends_now() -> None:
    """Each step is at the end of its interval, which for the running one is now."""
    rows = [profit("T1", "1"), profit("T1", "2", atMs=HOUR)]
    lines = cumulated(rows, ("source",), HOUR, HOUR + 60_000)
    assert lines == {"PingPong · B": [(0, Decimal(0)), (HOUR, Decimal(1)), (HOUR + 60_000, Decimal(3))]}


def test_a_hole_in_a_line_is_level() -> None:
    """Where nothing was traded the profit stays as it was."""
    rows = [profit("T1", "1"), profit("T1", "2", atMs=5 * HOUR)]
    line = cumulated(rows, (), HOUR, 9 * HOUR)["B"]
    assert line == [(0, Decimal(0)), (HOUR, Decimal(1)), (5 * HOUR, Decimal(1)), (6 * HOUR, Decimal(3))]


def test_what_has_no_price_and_what_is_old_says_so() -> None:
    """A balance without a price has no value; a valuation of minutes ago is marked."""
    holding = {"exchange": "binance", "currency": "XRP", "amount": "5.10", "debt": "2", "price": None, "value": None}
    [row] = balance_rows("T1", {"atMs": 0, "currency": "USDT", "holdings": [holding]}, HOUR)
    texts = [each if isinstance(each, str) else each.text for each in row]
    assert texts == ["T1", "binance", "XRP", "5.10", "2", "–", "▲ no price", "USDT", "▲ 60 min ago"]


def test_all_strategies_need_no_word_in_the_address() -> None:
    """A strategy that comes later is then shown as well."""
    assert chosen_sources(["A", "B"], ["A", "B"]) == []
    assert chosen_sources(["B"], ["A", "B"]) == ["B"]
    assert charged_text({"USDT": "1.50", "KCS": "0.1"}) == "0.1 KCS, 1.50 USDT"
