"""`millrace top` on a small terminal, by textual's pilot, on a real Valkey."""

import asyncio
import html
import re
from collections.abc import Callable
from decimal import Decimal

import pytest
from textual.pilot import Pilot

from millrace_bus import Bus, EmbeddedServer, HaltNote, HaltScope
from millrace_cli.top.app import Top
from millrace_core.clock import now_ms
from millrace_core.heartbeat import Heartbeat, UnitHealth
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.orders import Order, OrderRecord

TENANT = Tenant("StrankaXY")
BOOK = "PUBLIC.binance.watchOrderBook.ETH/BTC"
SMALL = (80, 24)


def on_screen(app: Top) -> str:
    """Return the text that can be read on the screen."""
    texts = re.findall(r"<text[^>]*>(.*?)</text>", app.export_screenshot(), re.DOTALL)
    return html.unescape(" ".join(texts)).replace("\xa0", " ")


async def until(pilot: Pilot[None], app: Top, condition: Callable[[str], bool]) -> str:
    """Wait until the screen shows what is wanted, and return its text."""
    async with asyncio.timeout(20):
        while not condition(text := on_screen(app)):
            await pilot.pause(0.05)
    return text


@pytest.fixture
async def platform(bus: Bus) -> None:
    """A gatherer with a live and a failed stream, an order, and a halt."""
    at_ms = now_ms()
    hops = {"received→published": {"p50": 0.25, "p99": 1.5, "count": 1_234}}
    live = UnitHealth(BOOK, "live", at_ms, None, {"messagesPerSecond": 250}, hops, "native")
    failed = UnitHealth("PUBLIC.kraken.watchTrades.ETH/BTC", "failed", at_ms, "refused the connection")
    await bus.heartbeat(Heartbeat("GATHERER", "gatherer", "running", 1, at_ms, at_ms, "1", units=[live, failed]))
    await bus.halts.set(TENANT, HaltScope(ExchangeId("binance")), HaltNote(at_ms, "checking fills", "James"))
    order = Order(id="7", symbol="KCS/USDT", side="buy", amount=Decimal("1.5"), status="open", timestamp=at_ms)
    await bus.orders.merge(TENANT, OrderRecord(order, "binance", at_ms, "PingPong"))
    name = StreamName(TENANT, ExchangeId("binance"), Action("createOrder"), Symbol("KCS/USDT"))
    await bus.register_journals(TENANT, str(name))


@pytest.mark.usefixtures("platform")
async def test_each_view_shows_what_redis_tells(server: EmbeddedServer) -> None:
    """On 80 columns and 24 lines; what is halted stands above every view."""
    app = Top(server.url)
    async with app.run_test(size=SMALL) as pilot:
        text = await until(pilot, app, lambda text: "1 of 2 units live" in text)
        assert "1 agents  1 of 2 units live  250 msgs/s  1 open orders" in text
        assert "HALTED StrankaXY binance/* by James: checking fills" in text
        assert "failed PUBLIC.kraken.watchTrades.ETH/BTC: refused the connection" in text
        for key, shown in (("2", BOOK), ("3", "PingPong"), ("4", "received→published"), ("1", "GATHERER")):
            await pilot.press(key)
            text = await until(pilot, app, lambda text, shown=shown: shown in text)  # type: ignore[misc]
            assert "HALTED StrankaXY" in text
        await pilot.press("q")
    assert app.return_code == 0


@pytest.mark.usefixtures("platform")
async def test_while_redis_is_away_the_age_is_shown_and_then_it_goes_on(server: EmbeddedServer, bus: Bus) -> None:
    """Nothing old looks new; nobody has to start it again."""
    app = Top(server.url)
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, app, lambda text: "units live" in text)
        await server.kill()
        await until(pilot, app, lambda text: bool(re.search(r"Redis does not answer; this is \d+ s old", text)))
        await server.restart()
        await until(pilot, app, lambda text: "open orders" in text)


async def test_without_agents_it_says_how_to_start_them(server: EmbeddedServer) -> None:
    """Instead of an empty screen."""
    app = Top(server.url)
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, app, lambda text: "start them with `millrace up`" in text)
