import json
from typing import Any

import pytest

from millrace_core.config import (
    DbsyncConfig,
    ExecutorConfig,
    GathererConfig,
    MagicboxConfig,
    parse_config,
    revision,
)
from millrace_core.errors import ConfigInvalid

GATHERER: dict[str, Any] = {
    "agent": {"id": "GATHERER", "name": "Gatherer", "status": "started"},
    "environment": "dev",
    "exchanges": {
        "PUBLIC": {"binance": {}},
        "StrankaXY": {
            "kucoin": {"apiKey": "k", "secret": "enc:x", "password": "enc:y", "test": False, "options": {}, "urls": {}}
        },
    },
    "workplans": [
        {
            "tenant": "PUBLIC",
            "exchangeId": "binance",
            "assetPairs": ["ETH/BTC"],
            "dataPoints": ["watchOrderBook", "watchTrades"],
        },
        {
            "tenantId": "StrankaXY",
            "exchangeId": "kucoin",
            "assetPairs": ["KCS/USDT"],
            "dataPoints": ["watchOrders", {"action": "watchOHLCV", "timeframe": "1m", "limit": 500}],
        },
    ],
}


def problems(model: Any, value: Any) -> dict[str, str]:
    with pytest.raises(ConfigInvalid) as caught:
        parse_config(model, value if isinstance(value, str) else json.dumps(value))
    return {problem.path: problem.message for problem in caught.value.problems}


def test_the_protocols_examples_are_read() -> None:
    """Both spellings of tenant, and both of a data point, mean the same."""
    config = parse_config(GathererConfig, json.dumps(GATHERER))
    assert [plan.tenant for plan in config.workplans] == ["PUBLIC", "StrankaXY"]
    assert [point.action for point in config.workplans[0].data_points] == ["watchOrderBook", "watchTrades"]
    assert config.workplans[1].data_points[1].timeframe == "1m"
    assert config.workplans[0].retention == 10_000
    magicbox = {
        "agent": {"id": "MAGICBOX"},
        "workplans": [
            {
                "tenantId": "StrankaXY",
                "plugins": [{"pluginName": "PingPong", "configuration": {"amount": 1}}],
                "subscriptions": [
                    {"exchangeId": "binance", "symbol": "ETH/BTC", "dataPoint": "watchOrderBook", "isPublic": True}
                ],
            }
        ],
    }
    assert parse_config(MagicboxConfig, json.dumps(magicbox)).workplans[0].subscriptions[0].is_public
    executor = {
        "agent": {"id": "EXECUTOR"},
        "risk": {"StrankaXY": {"maxOrderNotional": 10000, "maxPosition": {"KCS": 5000}}},
    }
    assert parse_config(ExecutorConfig, json.dumps(executor)).risk
    dbsync = {"agent": {"id": "DBSYNC"}, "workplans": [{"tenantId": "StrankaXY", "assets": ["stream.StrankaXY.*"]}]}
    assert parse_config(DbsyncConfig, json.dumps(dbsync)).workplans


def test_every_mistake_is_named_at_once_with_its_path() -> None:
    """Its author can correct everything in one go."""
    broken = json.loads(json.dumps(GATHERER))
    broken["agent"]["status"] = "paused"
    broken["colour"] = "blue"
    broken["workplans"][0]["dataPoints"].append("watchPaint")
    assert set(problems(GathererConfig, broken)) == {
        "$.agent.status",
        "$.colour",
        "$.workplans[0].dataPoints[2].action",
    }


def test_mistakes_are_named_in_plain_words() -> None:
    """A message says what is allowed; an unknown field comes with those that are known."""
    broken = json.loads(json.dumps(GATHERER))
    broken["agent"]["colour"] = "blue"
    broken["exchanges"]["PUBLIC"]["binance"]["key"] = "x"
    broken["workplans"][0]["dataPoints"] = ["watchPaint"]
    broken["workplans"][0]["retention"] = 10**20
    del broken["workplans"][0]["exchangeId"]
    broken["workplans"][1]["dataPoints"] = []
    broken["workplans"][1]["retention"] = "many"
    found = problems(GathererConfig, broken)
    assert found.pop("$.workplans[0].dataPoints[0].action").startswith("must be ")
    assert found == {
        "$.agent.colour": "unknown field; known: id, name, status",
        "$.exchanges.PUBLIC.binance.key": (
            "unknown field; known: adapter, apiKey, delayOnFetch, options, password, secret, test, uid, urls"
        ),
        "$.workplans[0].exchangeId": "is required",
        "$.workplans[0].retention": "must be at most 1000000",
        "$.workplans[1].dataPoints": "must have 1 or more entries",
        "$.workplans[1].retention": "must be a whole number",
    }


def test_a_workplan_without_its_account_is_a_mistake() -> None:
    """Each workplan is checked against the accounts in the document."""
    broken = json.loads(json.dumps(GATHERER))
    del broken["exchanges"]["PUBLIC"]
    del broken["exchanges"]["StrankaXY"]["kucoin"]["apiKey"]
    found = problems(GathererConfig, broken)
    assert "PUBLIC.binance" in found["$.workplans[0]"]
    assert "apiKey" in found["$.workplans[1].dataPoints"]


def test_text_that_is_not_json_is_named_as_such() -> None:
    """The most common mistake of all has a plain message."""
    assert "not valid JSON" in problems(GathererConfig, "{")["$"]


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ('{"agent":{"id":"A","id":"B"}}', "$.agent.id", "duplicate"),
        ('{"agent":{"id":"A"},"workplans":[],"workplans":[]}', "$.workplans", "duplicate"),
        (
            '{"exchanges":{"PUBLIC":{"binance":{"options":{"a":1e999}}}}}',
            "$.exchanges.PUBLIC.binance.options.a",
            "large",
        ),
        ('{"agent":{"id":"A","name":"\\ud800"}}', "$.agent.name", "surrogate"),
        ('{"agent":{"id":"A"},"environment":NaN}', "$", "NaN"),
        ('{"agent":{"id":"A"},"environment":-Infinity}', "$", "Infinity"),
        ("[" * 100_000 + "]" * 100_000, "$", "deep"),
        ('{"agent":' * 70 + "1" + "}" * 70, "$", "deep"),
    ],
)
def test_what_json_readers_let_pass_is_a_mistake(text: str, path: str, message: str) -> None:
    """Repeated keys, NaN and endless nesting are mistakes with a path, and crash nothing."""
    assert message in problems(GathererConfig, text)[path]


@pytest.mark.parametrize("value", ["Infinity", '"Infinity"', "1e300", '"NaN"', "0", "-1"])
@pytest.mark.parametrize("limit", ["maxOrdersPerSecond", "maxOrderNotional", "priceCollarPercent"])
def test_a_limit_that_could_not_be_computed_with_is_refused(limit: str, value: str) -> None:
    """No limit on orders may be infinite, zero, negative or absurdly large."""
    text = '{"agent":{"id":"EXECUTOR"},"risk":{"StrankaXY":{"%s":%s}}}' % (limit, value)  # noqa: UP031
    assert problems(ExecutorConfig, text)


def test_keys_are_not_shown() -> None:
    """A configuration that is printed by accident keeps its secrets."""
    assert "enc:x" not in repr(parse_config(GathererConfig, json.dumps(GATHERER)))


def test_a_revision_names_one_text() -> None:
    """The same text has the same revision, another has another."""
    assert revision(b"a") == revision(b"a") != revision(b"b")


def test_a_tenant_has_one_currency_for_its_equity() -> None:
    """Workplans of one tenant that name different ones are refused."""
    plan = {"tenant": "T", "assets": ["stream.T.*"]}
    other = {"tenant": "U", "assets": ["stream.U.*"], "equityCurrency": "EUR"}
    plans = [plan, other, plan | {"equityCurrency": "EUR"}]
    found = problems(DbsyncConfig, {"agent": {"id": "DBSYNC"}, "workplans": plans})
    assert set(found) == {"$.workplans[2].equityCurrency"}


def test_a_dbsync_stores_a_tenants_own_streams_only() -> None:
    """A pattern that could match another tenant's streams is refused, with its place."""
    plans = [{"tenant": "StrankaXY", "assets": ["stream.StrankaXY.*", "stream.*", "stream.Other.binance.*"]}]
    found = problems(DbsyncConfig, {"agent": {"id": "DBSYNC"}, "workplans": plans})
    assert set(found) == {"$.workplans[0].assets[1]", "$.workplans[0].assets[2]"}
