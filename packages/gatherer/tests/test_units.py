from typing import Any

import pytest

from millrace_core.config import GathererConfig
from millrace_core.errors import ConfigInvalid
from millrace_gatherer.units import Planned, check_capabilities, plan, stream_units


def config(*workplans: dict[str, Any]) -> GathererConfig:
    """A configuration of one account."""
    account = {"apiKey": "k", "secret": "s"}
    plans = [{"tenant": "T", "exchangeId": "binance", **plan} for plan in workplans]
    return GathererConfig.model_validate(
        {"agent": {"id": "G"}, "exchanges": {"T": {"binance": account}}, "workplans": plans}
    )


def test_each_symbol_of_each_data_point_is_a_unit() -> None:
    """Account-wide streams are one, whatever the symbols."""
    units = stream_units(config({"assetPairs": ["A/B", "C/D"], "dataPoints": ["watchTrades", "watchBalance"]}))
    assert set(units) == {"T.binance.watchTrades.A/B", "T.binance.watchTrades.C/D", "T.binance.watchBalance"}


def test_balances_say_which_wallet_they_leave_out() -> None:
    """Of symbols whose own orders or trades are taken; market data need no money, and some accounts have one wallet."""
    spot = {"assetPairs": ["A/B"], "dataPoints": ["watchOrders", "watchBalance"]}
    contracts = {"assetPairs": ["C/D:D", "E/D:E"], "dataPoints": ["watchMyTrades"]}
    data = {**contracts, "dataPoints": ["watchTrades"]}

    def remark(*plans: dict[str, Any], exchange: str = "binance", **options: Any) -> str | None:
        account = {"apiKey": "k", "secret": "s", "options": options}
        asked = [{"tenant": "T", "exchangeId": exchange, **plan} for plan in plans]
        described = {"agent": {"id": "G"}, "exchanges": {"T": {exchange: account}}, "workplans": asked}
        units = stream_units(GathererConfig.model_validate(described))
        assert not any(unit.remark for unit in units.values() if unit.name.symbol)
        return units[f"T.{exchange}.watchBalance"].remark

    assert remark(spot, data) is remark(spot, contracts, exchange="okx") is None
    assert remark(spot, contracts, portfolioMargin=True) is None
    assert remark(spot, contracts) == (
        "of the wallet for spot markets alone: what the account trades with in inverse contracts and linear contracts "
        "is not in it, unless the exchange has made it one wallet for all"
    )
    of_contracts = remark(spot, contracts, exchange="gate", defaultType="swap")
    assert "linear contracts alone: what the account trades with in inverse contracts and spot" in str(of_contracts)
    assert "of the wallet for inverse contracts alone" in str(remark(spot, contracts, defaultType="delivery"))


def test_a_symbol_added_leaves_the_other_units_equal() -> None:
    """Equal units keep running, so an addition must change none."""
    before = stream_units(config({"assetPairs": ["A/B"], "dataPoints": ["watchTrades"]}))
    after = stream_units(config({"assetPairs": ["A/B", "C/D"], "dataPoints": ["watchTrades"]}))
    assert after.items() > before.items()


def test_timeframes_of_a_symbol_are_one_stream() -> None:
    """Candles of all timeframes share their name, so they share their writer."""
    points = [{"action": "watchOHLCV", "timeframe": "1m"}, {"action": "watchOHLCV", "timeframe": "1h", "limit": 10}]
    (unit,) = stream_units(config({"assetPairs": ["A/B"], "dataPoints": points})).values()
    assert unit.timeframes == (("1m", 500), ("1h", 10))


def test_the_same_stream_asked_for_twice_is_one_unless_settings_differ() -> None:
    """One stream has one writer; which settings should it have?"""
    plan = {"assetPairs": ["A/B"], "dataPoints": ["watchTrades"]}
    assert len(stream_units(config(plan, plan))) == 1
    with pytest.raises(ConfigInvalid) as invalid:
        stream_units(config(plan, {**plan, "retention": 500}))
    assert invalid.value.problems[0].path == "$.workplans[1].dataPoints[0]"


def test_a_pattern_that_an_exchange_leaves_without_markets_ends_nobodys_streams() -> None:
    """Neither at the start nor later: a listing is no mistake of the configuration that it was in force with."""
    account, plan = ("T", "binance"), {"assetPairs": ["*/B"], "dataPoints": ["watchTrades"], "maxSymbols": 2}
    asked = config(plan, {"assetPairs": ["X/Y"], "dataPoints": ["watchTrades"]})

    def symbols(*listed: str, before: Planned | None = None) -> list[str]:
        units = stream_units(asked, {account: frozenset(listed)}, before)
        return [str(unit.name.symbol) for unit in units.values()]

    assert symbols("C/D") == ["X/Y"]
    assert symbols("F/B", "E/B", "D/B") == ["D/B", "E/B", "X/Y"]
    running = Planned.of(asked, stream_units(asked, {account: frozenset({"E/B", "F/B"})}))
    assert symbols(before=running) == ["E/B", "F/B", "X/Y"]
    assert symbols("F/B", "E/B", "D/B", before=running) == ["E/B", "F/B", "X/Y"]
    assert symbols("F/B", "D/B", before=running) == ["F/B", "D/B", "X/Y"]
    with pytest.raises(ConfigInvalid, match="matches no market"):
        stream_units(config({**plan, "assetPairs": ["*/Z"]}), {account: frozenset({"E/B"})}, running)


def test_what_patterns_match_twice_is_no_mistake_whatever_is_listed() -> None:
    """A listing would end all streams at the next start: the settings of a named symbol hold, or the first ones."""
    of_base, of_quote = {"assetPairs": ["A/*"], "dataPoints": ["watchTrades"]}, {"assetPairs": ["*/B"]}
    asked = config(of_base, {**of_base, **of_quote, "retention": 500})
    account = ("T", "binance")
    running = plan(asked, {account: frozenset({"A/C", "D/B"})})
    assert (len(running.units), running.overlaps) == (2, ())
    listed = {account: frozenset({"A/C", "D/B", "A/B", "E/B"})}
    before = Planned.of(asked, running.units)
    for again in (plan(asked, listed, before), plan(asked, listed)):
        assert {unit.name.symbol: unit.retention for unit in again.units.values()} == {
            "A/B": 10_000,
            "A/C": 10_000,
            "D/B": 500,
            "E/B": 500,
        }
        assert [overlap.path for overlap in again.overlaps] == ["$.workplans[1].dataPoints[0]"]
        assert "T.binance.watchTrades.A/B" in again.overlaps[0].message
    named = config(of_base, {**of_base, "assetPairs": ["A/B"], "retention": 500})
    units = plan(named, listed).units
    assert units["T.binance.watchTrades.A/B"].retention == 500
    with pytest.raises(ConfigInvalid, match="twice with different settings"):
        plan(config(of_base, {**of_base, "assetPairs": ["A/B"]}, {**of_base, "assetPairs": ["A/B"], "retention": 300}))


@pytest.mark.parametrize(
    ("exchange", "point", "path", "message"),
    [
        ("binanse", "watchTrades", "$.workplans[1].exchangeId", "did you mean binance"),
        ("kucoin", {"action": "watchOrderBook", "limit": 7}, "$.workplans[1].dataPoints[0].limit", "5, 20, 50, 100"),
        ("kucoin", "watchTrades", "$.workplans[1].assetPairs", "did you mean KCS/USDT?"),
    ],
)
def test_what_shows_offline_is_a_mistake_of_the_configuration(
    exchange: str, point: Any, path: str, message: str
) -> None:
    """It is named once with its path, whatever the number of symbols, and nothing changes."""
    symbols = ["KCSUSDT"] if "assetPairs" in path else ["KCS/USDT", "BTC/USDT"]
    right, wrong = (
        {"assetPairs": symbols, "dataPoints": [point], "exchangeId": name} for name in ("binance", exchange)
    )
    accounts = {"T": {"binance": {}, exchange: {}}}
    plans = [
        {"tenant": "T", **right, "assetPairs": ["A/B"], "dataPoints": ["watchTrades"]},
        {"tenant": "T", **wrong},
    ]
    with pytest.raises(ConfigInvalid) as invalid:
        stream_units(GathererConfig.model_validate({"agent": {"id": "G"}, "exchanges": accounts, "workplans": plans}))
    [problem] = invalid.value.problems
    assert (problem.path, message in problem.message) == (path, True)


def test_a_stream_that_an_exchange_has_not_is_a_mistake_of_the_configuration() -> None:
    """So is a timeframe; a data point that moved to another place is the same unit."""
    points = ["watchTrades", {"action": "watchOHLCV", "timeframe": "7m"}]
    units = stream_units(config({"assetPairs": ["A/B"], "dataPoints": points}))
    with pytest.raises(ConfigInvalid) as invalid:
        check_capabilities(units.values())
    assert [problem.path for problem in invalid.value.problems] == ["$.workplans[0].dataPoints[1].timeframe"]
    assert units == stream_units(config({"assetPairs": ["A/B"], "dataPoints": points[::-1]}))
