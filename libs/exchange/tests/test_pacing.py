import asyncio
from decimal import Decimal

from millrace_core.config.common import Credentials
from millrace_core.requests import CreatePayload
from millrace_exchange import open_exchange
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
