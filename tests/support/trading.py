"""Two strategies that trade two symbols, on markets of which everything is taken and stored."""

from typing import Any

from tests.support.platform import Platform, until

OWN = ("KCS/USDT", "XRP/USDT")
MARKETS = ("BTC/USDT", "ETH/USDT", "ETH/BTC", "SOL/USDT")
AMOUNTS = {"KCS/USDT": 1, "XRP/USDT": 10}
ANSWERS = [f"stream.StrankaXY.binance.createOrder.{symbol}" for symbol in OWN]
KEPT = 500_000
"""Messages that each journal keeps: more than any run makes, so that Redis holds all of them at the end."""
BUSY = {"eventsPerSecond": 300, "record": True, "limits": {"enforce": False}}


def two_pairs(kind: str, config: dict[str, Any]) -> None:
    """Change an example configuration so that two symbols are traded, and every kind of stream is there."""
    match kind:
        case "gatherer":
            for plan, pairs in zip(config["workplans"], (MARKETS, OWN), strict=True):
                plan |= {"assetPairs": pairs, "retention": KEPT, "dataPoints": [*plan["dataPoints"], "watchTicker"]}
        case "magicbox":
            plan = config["workplans"][0]
            (plugin,), settings = plan["plugins"], {"exchangeId": "binance", "maximumThresholdMs": 2000}
            plan["plugins"] = [
                plugin | {"name": f"PingPong-{symbol[:3]}", "configuration": settings | {"symbol": symbol, "amount": n}}
                for symbol, n in AMOUNTS.items()
            ]
            more = [each | {"symbol": "XRP/USDT"} for each in plan["subscriptions"] if each.get("symbol") == "KCS/USDT"]
            plan["subscriptions"] += more
        case "executor":
            config["risk"]["StrankaXY"]["symbols"] = OWN
        case "dbsync":
            config["workplans"][1]["assets"] = ["stream.PUBLIC.*"]
            config["warnAtPercent"] = 99


async def trades_on(platform: Platform) -> None:
    """Wait until both strategies have had two further orders answered."""
    for name in ANSWERS:
        before = await platform.redis.xlen(name)

        async def answered(name: str = name, before: int = before) -> bool:
            return bool(await platform.redis.xlen(name) >= before + 2)

        await until(answered, f"further answers on {name}", timeout=60, platform=platform)


async def end_feeds(platform: Platform) -> None:
    """End all who write, in order; the journals stand still then."""
    for name in ("magicbox", "executor", "gatherer"):
        await platform.end(name)
