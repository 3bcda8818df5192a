"""What ccxt remembers of requests."""

from decimal import Decimal

import pytest

from millrace_core.config.common import Credentials
from millrace_core.requests import CreatePayload
from millrace_exchange import Rejected, open_exchange
from millrace_simulator.config import Limits, SimulatorConfig
from millrace_simulator.server import serve


async def test_answered_requests_are_forgotten() -> None:
    """Taken or refused, an order leaves nothing behind in ccxt once it is answered."""
    async with await serve(SimulatorConfig(limits=Limits(enforce=False)), drive_market=False) as server:
        credentials = Credentials(api_key="demo-key", secret="demo-secret", urls={"base": server.url})
        exchange = await open_exchange("binance", credentials)
        try:
            await exchange.prepare()
            for number, amount in enumerate((1, 10**9, 1)):
                payload = CreatePayload(
                    symbol="KCS/USDT", side="buy", type="limit", amount_base=Decimal(amount), price=Decimal(5)
                )
                if amount > 1:
                    with pytest.raises(Rejected):
                        await exchange.account.create_order(payload, f"order-{number}")
                else:
                    await exchange.account.create_order(payload, f"order-{number}")
            (client,) = (client for url, client in exchange.ccxt.clients.items() if "/ws-api/" in url)
            assert not [name for name in client.subscriptions if name.isdecimal()]
            assert not client.futures
        finally:
            await exchange.close()
