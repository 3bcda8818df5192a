"""A tenant that has lost too much today is halted, and a person decides to go on."""

from typing import Any

import pytest

from millrace_core.clock import now_ms
from millrace_core.ids import MessageId
from millrace_core.market import Fee, Trade
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_executor.risk import daily_loss
from millrace_executor.risk.daily_loss import DAY_MS
from millrace_store import Place, Store

TENANT, KCS = Tenant("StrankaXY"), Symbol("KCS/USDT")
FILLS = StreamName(TENANT, ExchangeId("binance"), Action("watchMyTrades"), KCS)
ORDER = (
    '{"action":"createOrder","exchangeId":"binance","payload":{"symbol":"KCS/USDT","side":"buy","type":"limit",'
    '"amountBase":1,"price":8.5}}'
)
RESUME = '{"action":"resume","payload":{"by":"Ann"}}'


async def lose(url: str, at_ms: int, amount: float, *fees: Fee) -> None:
    """Store two trades that lose `amount` USDT, and fees."""
    bought = Trade("1", at_ms, KCS, "buy", 10.0, amount, order="1", fees=fees)
    sold = Trade("2", at_ms + 1, KCS, "sell", 9.0, amount, order="2")
    async with Store.open(url) as store, store.batch() as batch:
        batch.own_trades(Place(str(FILLS), MessageId(at_ms, 1), at_ms), [bought, sold])


async def test_a_loss_beyond_the_limit_halts_until_a_person_resumes(platform: Any) -> None:
    """The halt names the limit and the loss, and outlives a restart; after a resumption trading goes on."""
    await lose(platform.database_url, now_ms() // DAY_MS * DAY_MS + 1, 30.0)
    await platform.bus.put_config("EXECUTOR", platform.config(risk={"maxDailyLoss": {"USDT": 25, "BTC": 0}}))
    await platform.start()
    answers, resumed = await platform.answers(), await platform.answers("resume", None, ExchangeId("all"))
    await platform.heartbeat_where(lambda beat: any("maxDailyLoss" in str(error) for error in beat.last_errors))
    await platform.publish(ORDER)
    refused = (await answers.number(1)).response
    assert refused.error.kind == "Halted"
    assert "maxDailyLoss.USDT is 25, and 30 were lost today" in refused.error.message
    await platform.publish(RESUME)
    assert (await resumed.number(1)).response.status == "done"
    await platform.publish(ORDER)
    assert (await answers.number(2)).response.status == "done"


async def test_fees_in_each_currency_are_lost_and_those_without_a_value_named(platform: Any) -> None:
    """What has a value counts; the unit says what the loss is without."""
    fees = Fee("USDT", 1.0), Fee("BNB", 0.5)
    await lose(platform.database_url, now_ms() // DAY_MS * DAY_MS + 1, 30.0, *fees)
    await platform.bus.put_config("EXECUTOR", platform.config(risk={"maxDailyLoss": {"USDT": 40}}))
    await platform.start()
    beat = await platform.heartbeat_where(
        lambda beat: any(u.name == "StrankaXY.risk" and u.state == "live" for u in beat.units)
    )
    (detail,) = (unit.detail for unit in beat.units if unit.name == "StrankaXY.risk")
    assert detail == "the losses of today are without fees whose value is not known: 0.5 BNB in markets of USDT"
    await platform.bus.put_config("EXECUTOR", platform.config(risk={"maxDailyLoss": {"USDT": 30.5}}))
    await platform.heartbeat_where(lambda beat: any("31 were lost today" in str(error) for error in beat.last_errors))


async def test_what_was_lost_yesterday_halts_nothing(platform: Any) -> None:
    """The day begins at midnight UTC."""
    await lose(platform.database_url, now_ms() // DAY_MS * DAY_MS - 3_600_000, 30.0)
    await platform.bus.put_config("EXECUTOR", platform.config(risk={"maxDailyLoss": {"USDT": 25}}))
    await platform.start()
    await platform.heartbeat_where(
        lambda beat: any(u.name == "StrankaXY.risk" and u.state == "live" for u in beat.units)
    )
    answers = await platform.answers()
    await platform.publish(ORDER)
    assert (await answers.number(1)).response.status == "done"


async def test_losses_that_nobody_stores_are_no_silent_ones(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without dbsync, or a gatherer that takes own trades, the limit protects from nothing: the unit says so."""
    monkeypatch.setattr(daily_loss, "BLIND_AFTER_S", 1.5)
    monkeypatch.setattr(daily_loss, "ASK_EVERY_S", 0.1)

    def risk(beat: Any) -> Any:
        return next((unit for unit in beat.units if unit.name == "StrankaXY.risk"), None)

    await platform.bus.put_config("EXECUTOR", platform.config(risk={"maxDailyLoss": {"USDT": 25}}))
    await platform.start()
    await platform.heartbeat_where(
        lambda beat: (unit := risk(beat)) and unit.state == "stale" and "watchMyTrades" in unit.detail
    )
    await lose(platform.database_url, now_ms(), 1.0)
    await platform.heartbeat_where(lambda beat: (unit := risk(beat)) and unit.state == "live")
