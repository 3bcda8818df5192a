"""An exchange that asked for a pause is left alone until it is over."""

import asyncio
from types import SimpleNamespace
from typing import Any, NoReturn, cast

import pytest

from millrace_bus import Bus
from millrace_core.config.common import Credentials
from millrace_core.market import Trade
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_exchange import Exchange, Retryable
from millrace_exchange.profile import ExchangeProfile
from millrace_gatherer.streams import run_stream
from millrace_gatherer.streams.fields import TickerStream
from millrace_gatherer.streams.following import reconcile
from millrace_gatherer.streams.questions import QuestionTimer
from millrace_gatherer.streams.trades import PublicTradesStream
from millrace_gatherer.units import StreamUnitConfig
from millrace_service import UnitHealthReporter
from millrace_service.health import ErrorLog

PAUSE_S = 1.5
"""Longer than any pause that the gatherer makes of its own here."""
BINANCE = ExchangeId("binance")


class LimitedExchange:
    """An exchange that refuses everything, as after a broken limit, and notes when it was asked."""

    def __init__(self) -> None:
        self.market = self
        self.profile = ExchangeProfile(exchange=BINANCE)
        self.asked_s: list[float] = []
        self._asked = asyncio.Condition()

    async def refuse(self, *_: Any) -> NoReturn:
        """Refuse, as ccxt reports a ban of Binance: by a class that has no "Limit" in its name."""
        async with self._asked:
            self.asked_s.append(asyncio.get_running_loop().time())
            self._asked.notify_all()
        await asyncio.sleep(0)
        raise Retryable(
            "418 I'm a teapot",
            exchange=BINANCE,
            action="watchTicker",
            kind="DDoSProtection",
            retry_after_ms=round(PAUSE_S * 1000),
        )

    prepare = fields = fetch_trades = refuse

    async def trades(self, symbol: Symbol, listener: Any) -> NoReturn:
        """Send a trade now and then, each of which shows that others are missing."""
        for number in range(1, 10_000):
            trade = Trade(id=str(2 * number), timestamp=number, symbol=symbol, side="buy", price=1.0, amount=1.0)
            listener.traded([trade], SimpleNamespace(timestamp=None, received_ns=0))
            await asyncio.sleep(0.05)
        raise AssertionError("unreachable")

    def poll_interval_s(self, *_: Any) -> None:
        """Return nothing: it streams."""

    async def close(self) -> None:
        """Close nothing."""

    async def pause_s(self) -> float:
        """Return the time between the first two questions."""
        async with asyncio.timeout(60), self._asked:
            await self._asked.wait_for(lambda: len(self.asked_s) >= 2)
        return self.asked_s[1] - self.asked_s[0]


def health() -> UnitHealthReporter:
    """Return a reporter to nobody."""
    return UnitHealthReporter("unit", changed=lambda: None, errors=ErrorLog())


@pytest.mark.parametrize("kind", [TickerStream, PublicTradesStream])
async def test_a_stream_asks_again_when_the_pause_is_over(bus: Bus, kind: type[TickerStream]) -> None:
    """Neither following nor asking for missing trades begins again earlier, whatever arrives meanwhile."""
    exchange = LimitedExchange()
    name = StreamName(Tenant("T"), BINANCE, Action(kind.action.name), Symbol("A/B"))
    unit = StreamUnitConfig(name, Credentials(), 1_000, snapshot_interval_s=60.0, checksum_every=1)
    stream = kind(unit, cast(Exchange, exchange), bus, health())
    stream.known.set()
    running = asyncio.create_task(run_stream(stream))
    assert await exchange.pause_s() >= PAUSE_S
    running.cancel()
    await asyncio.wait({running})


async def test_a_wake_does_not_shorten_the_pause() -> None:
    """What would be asked for at once otherwise waits as well."""
    exchange, wake = LimitedExchange(), asyncio.Event()
    asking = asyncio.create_task(reconcile(exchange.refuse, health(), 60.0, QuestionTimer(wake, lambda: None)))
    while not exchange.asked_s:
        await asyncio.sleep(0)
    wake.set()
    assert await exchange.pause_s() >= PAUSE_S
    asking.cancel()
    await asyncio.wait({asking})
