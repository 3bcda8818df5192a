"""Every own trade is published with its fee where the exchange tells it in an answer alone, as KuCoin does."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from millrace_bus import Bus
from millrace_core.config.common import Credentials
from millrace_core.market import Trade
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.requests import CreatePayload
from millrace_exchange import Exchange, open_exchange
from millrace_gatherer.streams import run_stream, stream_of
from millrace_gatherer.units import StreamUnitConfig
from millrace_service import UnitHealthReporter
from millrace_service.health import ErrorLog
from millrace_simulator.config import default_config
from millrace_simulator.server import serve

KUCOIN, OWN = ExchangeId("kucoin"), Symbol("KCS/USDT")
LATE = 2
"""Answers that do not list a new trade yet."""


@pytest.fixture(params=["native", "ccxt"])
async def account(request: Any) -> AsyncIterator[Exchange]:
    """An account on KuCoin, by each adapter."""
    async with await serve(default_config("kucoin"), drive_market=False) as server:
        keys = {"api_key": "demo-key", "secret": "demo-secret", "password": "demo-passphrase"}
        opened = await open_exchange(KUCOIN, Credentials(**keys, urls={"base": server.url}, adapter=request.param))
        await opened.prepare()
        yield opened
        await opened.close()


@pytest.fixture
async def stream(bus: Bus, account: Exchange) -> AsyncIterator[Any]:
    """Its own trades in one market."""
    unit = StreamUnitConfig(
        StreamName(Tenant("T"), KUCOIN, Action("watchMyTrades"), OWN),
        Credentials(),
        1_000,
        snapshot_interval_s=60.0,
        checksum_every=1,
    )
    health = UnitHealthReporter("unit", changed=lambda: None, errors=ErrorLog())
    stream = stream_of(unit, account, bus, health)
    running = asyncio.create_task(run_stream(stream))
    async with asyncio.timeout(30):
        while not (stream.is_whole and stream.is_subscribed):
            await asyncio.sleep(0.01)  # a state that tells nobody of its change
    yield stream
    running.cancel()
    await asyncio.wait({running})


class Account:
    """What is published of an account that buys."""

    def __init__(self, account: Exchange, stream: Any) -> None:
        self._account, self._stream, self._number = account, stream, 0

    async def published(self) -> list[Trade]:
        """Buy, and return all trades once the new ones are published."""
        before = len(self._stream.take_snapshot("").trades)
        self._number += 1
        payload = CreatePayload(symbol=OWN, side="buy", type="market", amount_base=Decimal(1))
        await self._account.execution.create_order(payload, f"fee-{self._number}")
        async with asyncio.timeout(30):
            while len(trades := self._stream.take_snapshot("").trades) == before:
                await asyncio.sleep(0.01)  # a snapshot that tells nobody of its change
        return list(trades)


async def test_a_trade_waits_for_its_fee(account: Exchange, stream: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the exchange lists it late; none comes twice."""
    ask, left = type(account.account).fetch_my_trades, LATE

    async def fetch_my_trades(self: Any, *arguments: Any) -> list[Trade]:
        nonlocal left
        found = await ask(self, *arguments)
        left -= 1
        return found if left < 0 else found[:-1]

    trading = Account(account, stream)
    assert [trade.fee is not None for trade in await trading.published()] == [True]
    monkeypatch.setattr(type(account.account), "fetch_my_trades", fetch_my_trades)
    trades = await trading.published()
    assert [trade.fee is not None for trade in trades] == [True, True]
    assert len({trade.id for trade in trades}) == 2


async def test_a_trade_whose_fee_no_answer_tells_is_published_all_the_same(
    account: Exchange, stream: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether answers tell no fee, or never list the trade."""
    ask, silenced = type(account.account).fetch_my_trades, False

    async def fetch_my_trades(self: Any, *arguments: Any) -> list[Trade]:
        found = await ask(self, *arguments)
        return found[:1] if silenced else found

    monkeypatch.setattr(type(account.account), "fetch_my_trades", fetch_my_trades)
    trading = Account(account, stream)
    (first,) = await trading.published()
    assert first.fee is not None
    silenced = True
    assert [trade.fee for trade in await trading.published()] == [first.fee, None]


async def test_a_trade_does_not_wait_for_an_exchange_that_does_not_answer(
    account: Exchange, stream: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """During a pause that it asked for nothing is asked; what the stream brings is told all the same."""
    trading = Account(account, stream)
    (first,) = await trading.published()

    async def fetch_my_trades(*_: Any) -> list[Trade]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(type(account.account), "fetch_my_trades", fetch_my_trades)
    assert [trade.fee for trade in await trading.published()] == [first.fee, None]


async def test_the_wait_of_one_trade_ends_with_its_answer(
    account: Exchange, stream: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later trade has a wait of its own: what is left of the former one's does not cut it short."""
    monkeypatch.setattr("millrace_gatherer.streams.trades.UNLISTED_S", 1.0)
    trading = Account(account, stream)
    for _ in range(2):  # What comes before the first message is asked for anyhow.
        await trading.published()
    ask = type(account.account).fetch_my_trades
    await asyncio.sleep(0.6)  # so that what is left of the former wait would end during the next one
    monkeypatch.setattr("millrace_gatherer.streams.trades.UNLISTED_S", 60.0)

    async def fetch_my_trades(self: Any, *arguments: Any) -> list[Trade]:
        await asyncio.sleep(0.4)
        found: list[Trade] = await ask(self, *arguments)
        return found

    monkeypatch.setattr(type(account.account), "fetch_my_trades", fetch_my_trades)
    assert [trade.fee is not None for trade in await trading.published()] == [True] * 3
