import json
from typing import Any

import pytest

from millrace_core.config import MagicboxConfig, parse_config
from millrace_core.errors import ConfigInvalid
from millrace_magicbox.plan import plans

PUBLIC_BOOK = {"exchangeId": "binance", "symbol": "ETH/BTC", "dataPoint": "watchOrderBook", "isPublic": True}
OWN_BOOK = {"exchangeId": "kucoin", "symbol": "KCS/USDT", "dataPoint": "watchOrderBook"}
BALANCE = {"exchangeId": "kucoin", "symbol": "KCS/USDT", "dataPoint": "watchBalance"}
PING_PONG = {"pluginName": "PingPong", "configuration": {"amount": 1}}


def config(*workplans: dict[str, Any]) -> MagicboxConfig:
    return parse_config(MagicboxConfig, json.dumps({"agent": {"id": "MAGICBOX"}, "workplans": workplans}))


def workplan(*plugins: dict[str, Any], subscriptions: tuple[dict[str, Any], ...] = (OWN_BOOK,)) -> dict[str, Any]:
    return {"tenantId": "StrankaXY", "plugins": plugins, "subscriptions": subscriptions}


def test_each_plugin_is_a_unit_named_for_tenant_and_name() -> None:
    """Two of the same strategy differ by their names, which their orders carry."""
    found = plans(config(workplan(PING_PONG, {**PING_PONG, "name": "Second"})))
    assert {key: plan.name for key, plan in found.items()} == {
        "StrankaXY.PingPong": "PingPong",
        "StrankaXY.Second": "Second",
    }
    assert {plan.plugin_name for plan in found.values()} == {"PingPong"}


def test_public_subscriptions_read_the_streams_of_all() -> None:
    """`isPublic` leads to the tenant PUBLIC, everything else to the tenant; balances have no symbol."""
    plan = plans(config(workplan(PING_PONG, subscriptions=(PUBLIC_BOOK, OWN_BOOK, BALANCE))))["StrankaXY.PingPong"]
    assert [str(plan.stream_name(stream)) for stream in plan.streams] == [
        "stream.PUBLIC.binance.watchOrderBook.ETH/BTC",
        "stream.StrankaXY.kucoin.watchOrderBook.KCS/USDT",
        "stream.StrankaXY.kucoin.watchBalance",
    ]


def test_a_stopped_strategy_is_not_run_and_keeps_its_name() -> None:
    """The others run on; another strategy cannot take the name meanwhile."""
    stopped = {**PING_PONG, "status": "stopped"}
    assert list(plans(config(workplan(stopped, {**PING_PONG, "name": "Second"})))) == ["StrankaXY.Second"]
    for order in ((stopped, PING_PONG), (PING_PONG, stopped), (stopped, stopped)):
        with pytest.raises(ConfigInvalid, match="exists already"):
            plans(config(workplan(*order)))


def test_a_change_elsewhere_leaves_a_strategy_running() -> None:
    """A plan of which only the path changed is equal to before; one with other settings is not."""
    before = plans(config(workplan(PING_PONG)))["StrankaXY.PingPong"]
    moved = plans(config(workplan({"pluginName": "Other"}, PING_PONG)))["StrankaXY.PingPong"]
    changed = plans(config(workplan({**PING_PONG, "configuration": {"amount": 2}})))["StrankaXY.PingPong"]
    assert before == moved
    assert before != changed


def test_every_mistake_is_named_with_its_path() -> None:
    """Repeated names, subscriptions without a symbol, public private data and repeated streams are found together."""
    wrong = (
        {"exchangeId": "kucoin", "dataPoint": "watchTrades"},
        {"exchangeId": "kucoin", "symbol": "KCS/USDT", "dataPoint": "watchOrders", "isPublic": True},
        OWN_BOOK,
        {**OWN_BOOK, "isPublic": True},
    )
    with pytest.raises(ConfigInvalid) as caught:
        plans(config(workplan(PING_PONG, PING_PONG, subscriptions=wrong)))
    assert [problem.path for problem in caught.value.problems] == [
        "$.workplans[0].subscriptions[0].symbol",
        "$.workplans[0].subscriptions[1].isPublic",
        "$.workplans[0].subscriptions[3]",
        "$.workplans[0].plugins[1].name",
    ]
