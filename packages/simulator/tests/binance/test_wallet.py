"""The paths that clients ask on their way to the first order."""

from typing import Any

import pytest

from millrace_simulator.binance.exchange import AccountOperation
from millrace_simulator.binance.wallet import WALLET_ROUTES

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize(("method", "path"), list(WALLET_ROUTES))
async def test_every_path_answers(client: Any, method: str, path: str) -> None:
    """Each is there, signed or public."""
    signed = isinstance(WALLET_ROUTES[method, path], AccountOperation)
    answer = await (client.signed(method, path) if signed else client.send(method, path))
    assert answer.status == 200


async def test_coins_are_the_listed_assets(client: Any) -> None:
    """Every asset is a coin with one network and what the account has of it."""
    coins = {coin["coin"]: coin for coin in (await client.signed("GET", "/sapi/v1/capital/config/getall")).body}
    assert {"BTC", "ETH", "KCS", "USDT"} <= set(coins)
    assert float(coins["USDT"]["free"]) > 0
    assert all(len(coin["networkList"]) == 1 for coin in coins.values())


async def test_fees_are_the_accounts(client: Any) -> None:
    """For one symbol or for each."""
    (fee,) = (await client.signed("GET", "/sapi/v1/asset/tradeFee", symbol="KCSUSDT")).body
    assert fee == {"symbol": "KCSUSDT", "makerCommission": "0.001", "takerCommission": "0.001"}
    assert len((await client.signed("GET", "/sapi/v1/asset/tradeFee")).body) >= 8
