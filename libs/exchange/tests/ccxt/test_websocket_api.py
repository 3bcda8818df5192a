import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from millrace_core.config.common import Credentials
from millrace_core.names import ExchangeId
from millrace_core.requests import CreatePayload
from millrace_exchange import Rejected, profile_of
from millrace_exchange.ccxt.exchange import CcxtExchange, open_ccxt_exchange
from millrace_exchange.ccxt.websocket_api import prepare_client
from millrace_exchange.profile import ExchangeProfile
from millrace_simulator.config import Limits, SimulatorConfig
from millrace_simulator.server import serve

ORDERS = 300
"""More than the 240 a minute that ccxt would let through."""
BID = CreatePayload(
    symbol="KCS/USDT", side="buy", type="limit", amount_base=Decimal(1), price=Decimal(5), time_in_force="IOC"
)
BINANCE = profile_of(ExchangeId("binance"))


@pytest.fixture
async def exchange() -> AsyncIterator[CcxtExchange]:
    """An account on an exchange that enforces no limits."""
    async with await serve(SimulatorConfig(limits=Limits(enforce=False)), drive_market=False) as server:
        credentials = Credentials(api_key="demo-key", secret="demo-secret", urls={"base": server.url})
        exchange = await open_ccxt_exchange("binance", credentials)
        await exchange.prepare()
        yield exchange
        await exchange.close()


async def test_no_order_is_held_back_by_the_pace_of_subscriptions(exchange: CcxtExchange) -> None:
    """Hundreds of orders within a minute go out at once; only the exchange itself may refuse one."""
    async with asyncio.timeout(60):
        for number in range(ORDERS):
            await exchange.execution.create_order(BID, f"paced-{number}")


async def test_answered_requests_are_forgotten(exchange: CcxtExchange) -> None:
    """Taken or refused, an order leaves nothing behind in ccxt once it is answered."""
    await exchange.execution.create_order(BID, "taken")
    with pytest.raises(Rejected):
        await exchange.execution.create_order(
            CreatePayload(symbol="KCS/USDT", side="buy", type="limit", amount_base=Decimal(10**9), price=Decimal(5)),
            "refused",
        )
    clients = exchange.caller.ccxt.clients
    (client,) = (client for url, client in clients.items() if "/ws-api/" in url)
    assert not [name for name in client.subscriptions if name.isdecimal()]
    assert not client.futures


class Client:
    """What a socket of ccxt's shows of itself here."""

    throttle: Any = None
    resolve: Any = None
    reject: Any = None


@pytest.mark.parametrize(
    ("url", "is_paced"), [("wss://ws-api.binance.com/ws-api/v3", True), ("wss://stream.binance.com/ws", False)]
)
def test_sockets_of_subscriptions_keep_their_pace(url: str, is_paced: bool) -> None:
    """Only requests over the WebSocket API are paced by the gate alone, and only where the profile says so."""
    ours, unknown = Client(), Client()
    prepare_client(BINANCE, url, ours)
    prepare_client(ExchangeProfile(exchange=ExchangeId("x")), url, unknown)
    assert (ours.throttle is not None) is is_paced
    assert unknown.throttle is None
