"""Losses of the day, from a real database."""

from pathlib import Path

import pytest

from millrace_alerts import losses
from millrace_bus import Bus, EmbeddedServer
from millrace_core.clock import DAY_MS, now_ms
from millrace_core.ids import MessageId
from millrace_core.market import Trade
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_store import Place, Store

from .conftest import Inbox, config, running, shows

MINE = Tenant("StrankaXY")
FILLS = str(StreamName(MINE, ExchangeId("binance"), Action("watchMyTrades"), Symbol("KCS/USDT")))


async def trade(store: Store, number: int, at_ms: int, side: str, price: float) -> None:
    """Store a fill of two KCS, and count it."""
    async with store.batch() as batch:
        fill = Trade(str(number), at_ms, "KCS/USDT", side, price, 2.0, order=str(number))
        batch.own_trades(Place(FILLS, MessageId(1, number), at_ms), [fill])
    await store.maintain(currencies={MINE: "USDT"})


async def test_the_loss_of_the_day_is_reported(
    bus: Bus, server: EmbeddedServer, inbox: Inbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it reaches the limit; losses of days before do not count. A profit that follows resolves it."""
    monkeypatch.setattr(losses, "EVERY_S", 0.05)
    url = f"sqlite:///{tmp_path / 'millrace.db'}"
    today = now_ms() // DAY_MS * DAY_MS
    rule = {"kind": "lossLimit", "tenant": MINE, "threshold": 10}
    async with Store.open(url) as store, running(bus, server, config(inbox, rule), url):
        await trade(store, 1, today - DAY_MS, "buy", 100.0)
        await trade(store, 2, today - DAY_MS + 1, "sell", 10.0)
        await trade(store, 3, today, "buy", 20.0)
        await shows(bus, lambda beat: any(unit.name == "losses" and unit.state == "live" for unit in beat.units))
        await trade(store, 4, today + 1, "sell", 14.0)
        assert "StrankaXY has lost 10 USDT or more today (UTC)" in await inbox.message(0)
        await trade(store, 5, today + 2, "buy", 10.0)
        await trade(store, 6, today + 3, "sell", 20.0)
        assert "loss limit reached (StrankaXY): 1 resolved" in await inbox.message(1)
    assert len(inbox.got) == 2
