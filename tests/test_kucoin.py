"""The platform on another exchange: KuCoin, with nothing changed but its name in the configurations."""

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import pytest
from tests.support.platform import DEMO_KEY, DEMO_SECRET, Platform, running, until
from tests.test_workflow import Tap, tapped

REQUESTS = "StrankaXY.traderActions"
ANSWERS = "stream.StrankaXY.kucoin.createOrder.KCS/USDT"
ORDERS = "stream.StrankaXY.kucoin.watchOrders.KCS/USDT"
BY_HAND = (
    '{"action": "createOrder", "exchangeId": "kucoin", "payload": {"symbol": "KCS/USDT", "side": "buy", '
    '"type": "market", "amountBase": 1, "price": 25, "orderSource": "James"}}'
)
LIVELY = {"dialect": "kucoin", "eventsPerSecond": 800, "limits": {"enforce": False}}


@pytest.mark.system
async def test_a_person_buys_on_kucoin_with_nothing_but_publish(tmp_path: Path) -> None:
    """The typed request buys 1 KCS, and what the gatherer receives of such an order completes its hash."""
    async with (
        running(tmp_path, ("gatherer", "executor"), simulator=LIVELY) as platform,
        tapped(platform, ANSWERS, ORDERS) as tap,
    ):
        await until(lambda: platform.redis.publish(REQUESTS, BY_HAND), "the request is received", platform=platform)
        answer = await tap.first(ANSWERS, status="done")
        assert answer["data"]["orderSource"] == "James"
        order_id = answer["data"]["order"]["id"]
        fills = (await get_signed(platform, f"/api/v1/hf/fills?symbol=KCS-USDT&orderId={order_id}"))["items"]
        assert sum(float(fill["size"]) for fill in fills) == 1
        assert {(fill["side"], fill["liquidity"]) for fill in fills} == {("buy", "taker")}

        # KuCoin answers with the order's id alone: the rest comes by the account's own stream, once that is followed.
        filled = await until(lambda: another_filled(platform, tap), "the gatherer follows orders", platform=platform)
        record = await platform.redis.hgetall(f"order.{{StrankaXY}}.{filled['id']}")
        kept = json.loads(record["order"])
        assert (record["orderSource"], kept["status"], kept["filled"], kept["amount"]) == ("James", "closed", 1, 1)


async def another_filled(platform: Platform, tap: Tap) -> dict[str, Any] | None:
    """Buy once more; return the first order that the gatherer has reported as filled."""
    await platform.redis.publish(REQUESTS, BY_HAND)
    count = len(tap.messages[ANSWERS])
    await until(lambda: more_than(tap.messages[ANSWERS], count), "it is answered", platform=platform)
    reported = (order for message in tap.messages.get(ORDERS, []) for order in message["data"].get("orders", []))
    return next((order for order in reported if order["status"] == "closed"), None)


async def more_than(messages: list[Any], count: int) -> bool:
    """Tell whether there are more messages than so many."""
    return len(messages) > count


async def get_signed(platform: Platform, target: str) -> Any:
    """Ask the exchange as the demo account, signed the way KuCoin wants it."""
    timestamp = str(int(time.time() * 1000))
    headers = {
        "KC-API-KEY": DEMO_KEY,
        "KC-API-TIMESTAMP": timestamp,
        "KC-API-SIGN": signature(f"{timestamp}GET{target}"),
        "KC-API-PASSPHRASE": signature("demo-passphrase"),
        "KC-API-KEY-VERSION": "2",
    }
    async with platform.http.get(target, headers=headers) as response:
        response.raise_for_status()
        answer = await response.json()
    assert answer["code"] == "200000", answer
    return answer["data"]


def signature(text: str) -> str:
    """The HMAC that KuCoin wants."""
    return base64.b64encode(hmac.new(DEMO_SECRET, text.encode(), hashlib.sha256).digest()).decode()
