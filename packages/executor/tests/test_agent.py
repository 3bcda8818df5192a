"""The configuration: what it asks for, and how it changes while orders go on."""

from typing import Any

import msgspec
import pytest

from millrace_bus.requests import reader
from millrace_core.clock import now_ms
from millrace_core.config import ExecutorConfig, parse_config, revision
from millrace_core.ids import new_request_id
from millrace_executor.agent import ExecutorAgent

ORDER = {
    "action": "createOrder",
    "exchangeId": "binance",
    "payload": {"symbol": "KCS/USDT", "side": "buy", "type": "limit", "amountBase": 1, "price": 8.5},
}


def config(**changes: Any) -> ExecutorConfig:
    value = {"agent": {"id": "EXECUTOR"}, "exchanges": {"A": {"binance": {}}, "B": {"binance": {}}}} | changes
    return parse_config(ExecutorConfig, msgspec.json.encode(value))


def test_each_tenant_has_a_lease_a_request_consumer_limits_and_its_accounts() -> None:
    """The units are named so that a person recognises them."""
    wanted = {f"{tenant}.{unit}" for tenant in "AB" for unit in ("lease", "requests", "risk", "binance")}
    assert ExecutorAgent("sqlite:///unused.db").units(config()).keys() == wanted


def test_a_change_concerns_just_what_it_touches() -> None:
    """Other limits, or a further account, restart no account and no lease."""
    agent = ExecutorAgent("sqlite:///unused.db")
    before = agent.units(config())
    limits = agent.units(config(risk={"A": {"maxOrdersPerSecond": 5}}))
    assert {key for key in before if before[key] != limits[key]} == {"A.risk"}
    more = agent.units(config(exchanges={"A": {"binance": {}, "kucoin": {}}, "B": {"binance": {}}}))
    assert {key for key in before if before[key] != more[key]} == {"A.risk"}
    assert more.keys() - before.keys() == {"A.kucoin"}


def test_limits_that_protect_from_nothing_are_warned_of() -> None:
    """Limits of a tenant without accounts, and of an account that there is not, are warned of."""
    risky = config(risk={"A": {"accounts": {"kraken": {"maxOpenOrders": 5}}}, "C": {"maxOrderNotional": 5}})
    warnings = ExecutorAgent("sqlite:///unused.db").warnings(risky)
    assert [warning.split(" limits nothing")[0] for warning in warnings] == ["risk.C", "risk.A.accounts.kraken"]


def test_a_key_of_two_tenants_is_warned_of() -> None:
    """Their orders are one account's: neither is alone with it."""
    key, other = {"apiKey": "one", "secret": "s"}, {"apiKey": "two", "secret": "s"}
    shared = config(exchanges={"A": {"binance": key, "kraken": {}}, "B": {"binance": key, "kraken": {}, "okx": other}})
    (warning,) = ExecutorAgent("sqlite:///unused.db").warnings(shared)
    assert "exchanges.A.binance and exchanges.B.binance have one apiKey" in warning


def test_currencies_that_no_exchange_spells_so_are_warned_of() -> None:
    """A limit of `btc` binds nothing, wherever it stands: every exchange says BTC."""
    limits = {"maxPosition": {"btc": 1, "ETH": 1}}
    risky = config(
        risk={"A": {"maxDailyLoss": {"usdt": 5, "USDT": 5}, "accounts": {"binance": limits}, "sources": {"S": limits}}}
    )
    warnings = ExecutorAgent("sqlite:///unused.db").warnings(risky)
    assert [warning.split(" limits nothing")[0] for warning in warnings] == [
        *("risk.A.maxDailyLoss.usdt", "risk.A.accounts.binance.maxPosition.btc", "risk.A.sources.S.maxPosition.btc")
    ]


async def test_limits_and_accounts_change_while_it_trades(platform: Any) -> None:
    """New limits hold from the next order on, a new account trades, and the others go on without a break."""
    await platform.start()
    answers = await platform.answers()
    await platform.publish(ORDER)
    assert (await answers.number(1)).response.status == "done"
    second = {"apiKey": "demo-key", "secret": "demo-secret", "urls": {"base": platform.simulator.url}}
    await platform.bus.put_config("EXECUTOR", platform.config(risk={"symbols": ["ETH/USDT"]}, binanceus=second))
    await platform.unit_is("StrankaXY.binanceus", "live")
    await platform.publish(ORDER)
    assert (await answers.number(2)).response.error.kind == "RiskRefused"
    heartbeat = await platform.heartbeat_where(lambda beat: True)
    since = {unit.name: unit.since for unit in heartbeat.units}
    assert since["StrankaXY.binance"] < since["StrankaXY.binanceus"]


async def test_the_heartbeat_shows_what_orders_took(platform: Any) -> None:
    """Counters by status and the latency of the executor's own hops are in the heartbeat."""
    await platform.start()
    answers = await platform.answers()
    await platform.publish(ORDER)
    await answers.number(1)
    # A change shows at once, figures wait for the next regular heartbeat.
    await platform.bus.put_config("EXECUTOR", platform.config(risk={"accounts": {"kraken": {"maxOpenOrders": 5}}}))
    heartbeat = await platform.heartbeat_where(lambda beat: beat.warnings and beat.latencies)
    assert any("limits nothing" in warning for warning in heartbeat.warnings)
    assert heartbeat.latencies.keys() >= {"accepted→sent", "sent→acknowledged"}
    (account,) = [unit for unit in heartbeat.units if unit.name == "StrankaXY.binance"]
    assert (account.counters["requests"], account.counters["done"]) == (1, 1)


async def test_requests_under_way_survive_a_change_of_their_account(platform: Any) -> None:
    """While an account's unit restarts with other settings, every request is carried out, once."""
    await platform.start()
    answers = await platform.answers()
    for _ in range(5):
        await platform.publish(ORDER)
    changed = msgspec.json.decode(platform.config())
    changed["exchanges"]["StrankaXY"]["binance"]["options"] = {"recvWindow": 4_000}
    await platform.bus.put_config("EXECUTOR", msgspec.json.encode(changed))
    for _ in range(5):
        await platform.publish(ORDER | {"validFor": 20_000})
    assert await answers.statuses(10) == ["done"] * 10
    assert len({each.response.request_id for each in answers.all}) == 10
    assert len(platform.orders()) == 10


async def test_an_account_that_cannot_be_opened_says_why(platform: Any) -> None:
    """While its exchange is away the unit shows as failed with the reason; requests expire instead of being lost."""
    platform.proxy.refuse()
    await platform.start("failed")
    answers = await platform.answers(symbol=None)  # its markets are not known
    await platform.publish(ORDER | {"validFor": 100})
    answer = (await answers.number(1)).response
    assert answer.status == "expired"
    assert "not ready" in answer.error.message
    assert platform.orders() == []


async def test_a_request_waits_while_its_account_restarts_and_a_copy_is_not_answered_again(platform: Any) -> None:
    """However long an order hangs that the change of configuration waits for: the account is there."""
    await platform.start()
    answers = await platform.answers()
    done = ORDER | {"requestId": new_request_id(), "requestedAt": now_ms(), "validFor": 60_000}
    await platform.publish(done)
    await answers.number(1)
    platform.proxy.lose_answers()
    await platform.publish(ORDER | {"validFor": 60_000})
    await platform.proxy.swallowed.wait()
    changed = msgspec.json.decode(platform.config())
    changed["exchanges"]["StrankaXY"]["binance"]["options"] = {"recvWindow": 4_000}
    await platform.bus.put_config("EXECUTOR", msgspec.json.encode(changed))
    await platform.heartbeat_where(lambda beat: beat.config_revision == revision(msgspec.json.encode(changed)))
    await platform.publish(done)
    last = ORDER | {"requestId": new_request_id(), "validFor": 60_000}
    await platform.publish(last)
    await platform.unit_is("StrankaXY.binance", "failed")  # It restarts, and cannot reach the exchange yet.
    platform.proxy.mend()
    assert await answers.statuses(4) == ["done", "unknown", "done", "done"]
    assert answers.all[3].response.request_id in (last["requestId"], answers.all[1].response.request_id)
    assert len(platform.orders()) == 3


async def test_requests_that_pile_up_are_reported(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before there is no room for more, the heartbeat says so."""
    monkeypatch.setattr(reader, "CAPACITY", 4)
    await platform.start()
    platform.proxy.lose_answers()
    for _ in range(3):
        await platform.publish(ORDER | {"validFor": 60_000})
    beat = await platform.heartbeat_where(
        lambda beat: any("requests wait" in each.message for each in beat.last_errors)
    )
    assert any("at 4 further ones are refused" in each.message for each in beat.last_errors)
