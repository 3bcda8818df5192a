"""An order book that never begins says so."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from millrace_bus import Bus
from millrace_core.clock import now_ns
from millrace_core.config.common import Credentials
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_exchange import EventTimes, Exchange
from millrace_exchange.profile import ExchangeProfile
from millrace_gatherer.streams import order_book, run_stream
from millrace_gatherer.streams.order_book import OrderBookStream
from millrace_gatherer.units import StreamUnitConfig
from millrace_service import UnitHealthReporter
from millrace_service.health import ErrorLog

NAME = StreamName(Tenant("T"), ExchangeId("x"), Action("watchOrderBook"), Symbol("A/B"))


class ChangesOnly:
    """A market that sends changes of a book which it never sends whole."""

    async def order_book(self, symbol: str, listener: Any, limit: int | None) -> None:
        """Send changes until cancelled."""
        while True:
            listener.book_changed([(1.0, 1.0)], [], None, EventTimes(None, now_ns()))
            await asyncio.sleep(0.01)


async def test_an_exchange_that_sends_no_whole_book_is_named(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes of an unknown book are not heard, and the unit says what is missing instead of starting for ever."""
    monkeypatch.setattr(order_book, "FIRST_BOOK_S", 0.2)
    details: asyncio.Queue[str | None] = asyncio.Queue()
    health = UnitHealthReporter("book", changed=lambda: details.put_nowait(health.report().detail), errors=ErrorLog())
    exchange = SimpleNamespace(market=ChangesOnly(), profile=ExchangeProfile(exchange=ExchangeId("x")))
    unit = StreamUnitConfig(NAME, Credentials(), retention=100, snapshot_interval_s=60.0, checksum_every=1)
    stream = OrderBookStream(unit, cast(Exchange, exchange), bus, health)
    running = asyncio.create_task(run_stream(stream))
    async with asyncio.timeout(60):
        while "the exchange has sent no whole book for 0.2 s" not in (await details.get() or ""):
            pass
    assert health.report().counters.get("messages", 0) == 0
    running.cancel()
    await asyncio.wait({running})
