"""Send poisonous requests at a rate: `python -m tests.poison.poisoning PORT SEED COUNT PER_SECOND`.

It is a process of its own, so that making and sending them delays neither the good requests nor the exchange.
"""

import asyncio
import json
import sys
from random import Random
from time import monotonic
from typing import Final

from redis.asyncio import Redis
from tests.faults.requests import POISON
from tests.support.lone_executor import TENANT

from millrace_core.names import trader_actions

JOURNAL: Final = trader_actions(TENANT)
_BYTES: Final = (b"\xff", b"\x00" * 20, b"x" * 70_000, b"[" * 100_000, b"\xed\xa0\x80")


def good_request(request_id: str) -> str:
    """Return an order that finds nothing at its price and ends at once."""
    payload = {"symbol": "KCS/USDT", "side": "buy", "type": "limit", "amountBase": 1, "price": 5, "timeInForce": "IOC"}
    request = {"action": "createOrder", "exchangeId": "binance", "requestId": request_id, "payload": payload}
    return json.dumps(request | {"validFor": 60_000}, separators=(",", ":"))


def poisonous(random: Random, number: int) -> bytes:
    """Return a request that cannot be carried out; it has a request id of its own where it can be read."""
    if number % 50 == 0:
        return random.choice(_BYTES)
    text = good_request(f"{random.getrandbits(128):032x}")
    spoiled = random.choice(POISON)(text)
    return spoiled.encode() if spoiled != text else text.replace("KCS/USDT", "").encode()


async def send(port: int, seed: int, count: int, per_second: float) -> None:
    """Send them in turn on the channel and into the journal."""
    random = Random(seed)
    began_s = monotonic()
    async with Redis(port=port) as client:
        for number in range(count):
            text = poisonous(random, number)
            if number % 2:
                await client.publish(JOURNAL, text)
            else:
                await client.xadd(JOURNAL, {"data": text})
            await asyncio.sleep(max(0.0, began_s + number / per_second - monotonic()))


if __name__ == "__main__":
    _port, _seed, _count = map(int, sys.argv[1:4])
    asyncio.run(send(_port, _seed, _count, float(sys.argv[4])))
