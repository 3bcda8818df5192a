import asyncio
from decimal import Decimal

import pytest

from millrace_core.config.common import Credentials
from millrace_core.requests import CreatePayload
from millrace_exchange import open_exchange
from millrace_exchange.ccxt import websocket_api as pacing
from millrace_simulator.config import Limits, SimulatorConfig
from millrace_simulator.server import serve

ORDERS = 300
"""More than the 240 a minute that ccxt would let through."""


async def test_no_order_is_held_back_by_the_pace_of_subscriptions() -> None:
    """Hundreds of orders within a minute go out at once; only the exchange itself may refuse one."""
    payload = CreatePayload(
        symbol="KCS/USDT", side="buy", type="limit", amount_base=Decimal(1), price=Decimal(5), time_in_force="IOC"
    )
    patient = SimulatorConfig(limits=Limits(enforce=False))
    async with await serve(patient, drive_market=False) as server:
        credentials = Credentials(api_key="demo-key", secret="demo-secret", urls={"base": server.url})
        exchange = await open_exchange("binance", credentials)
        await exchange.prepare()
        async with asyncio.timeout(30):
            for number in range(ORDERS):
                await exchange.account.create_order(payload, f"paced-{number}")
        await exchange.close()


class Client:
    """What a socket of ccxt's shows of itself here."""

    throttle: pacing._Window | None = None


async def test_what_the_exchange_would_refuse_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more go out within the window than it allows, however many come at once."""
    monkeypatch.setattr(pacing, "_MOST", 3)
    monkeypatch.setattr(pacing, "_WINDOW_S", 0.05)
    client, loop = Client(), asyncio.get_running_loop()
    pacing.pace("wss://ws-api.binance.com/ws-api/v3", client)
    assert client.throttle is not None
    passed: list[float] = []

    async def send(through: pacing._Window) -> None:
        await through(1.0)
        passed.append(loop.time())

    began = loop.time()
    await asyncio.gather(*(send(client.throttle) for _ in range(7)))
    assert passed[3] - began > 0.049
    assert passed[6] - began > 0.099


def test_other_sockets_keep_their_pace() -> None:
    """Subscriptions are limited as ccxt does it."""
    client = Client()
    pacing.pace("wss://stream.binance.com/ws", client)
    assert client.throttle is None
