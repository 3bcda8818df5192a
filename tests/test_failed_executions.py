"""Every failed request is found through the API, with the reason."""

import asyncio
import json
import logging
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.support.databases import Database
from tests.support.platform import Platform, running, until
from tests.support.proxy import Proxy
from tests.support.served import TENANT, Api, api_of

from millrace_core.ids import new_request_id
from millrace_core.names import ExchangeId, Tenant, intents_key

log = logging.getLogger(__name__)

KINDS = ("gatherer", "dbsync", "api")
REQUESTS = f"{TENANT}.traderActions"
LIMIT = {"symbol": "KCS/USDT", "side": "buy", "type": "limit", "amountBase": 1, "price": 5}
"""Far below the market: it would rest."""
RISK = {"maxOrderNotional": 5_000_000, "maxOrdersPerSecond": 50, "symbols": ["KCS/USDT"]}


class Failing(NamedTuple):
    """A request that cannot be done, and what must be found of it."""

    request: dict[str, Any]
    status: str
    kind: str
    words: str
    """Part of the reason."""


def create(**changed: Any) -> dict[str, Any]:
    """Return a request to place an order that would rest, but for what is changed."""
    return {"action": "createOrder", "exchangeId": "binance", "payload": LIMIT | changed}


FAILING = {
    "too large for the limits": Failing(create(amountBase=2_000_000), "rejected", "RiskRefused", "5000000"),
    "a symbol that may not be traded": Failing(create(symbol="ETH/USDT"), "rejected", "RiskRefused", "ETH/USDT"),
    "more than the account has": Failing(
        create(amountBase=90_000, price=12), "rejected", "InsufficientFunds", "insufficient balance"
    ),
    "would take although it must not": Failing(
        create(price=20, postOnly=True), "rejected", "OrderImmediatelyFillable", "immediately match"
    ),
    "an order that is not there": Failing(
        {"action": "cancelOrder", "exchangeId": "binance", "payload": {"symbol": "KCS/USDT", "orderID": "987654321"}},
        *("rejected", "OrderNotFound", "Unknown order"),
    ),
    "no multiple of the tick": Failing(create(price=5.00001), "rejected", "InvalidOrder", "0.001"),
    "too late": Failing(create() | {"requestedAt": 1_763_800_000_000}, "expired", "Expired", "expired "),
    "without a side": Failing(
        {"action": "createOrder", "exchangeId": "binance", "payload": {"symbol": "KCS/USDT", "type": "market"}},
        *("rejected", "Malformed", "side"),
    ),
    "of a source that is halted": Failing(create(orderSource="Reckless"), "rejected", "Halted", "too reckless"),
    "of an account that there is not": Failing(create() | {"exchangeId": "kraken"}, "rejected", "BadRequest", "kraken"),
    "an action that there is not": Failing(
        {"action": "burnOrder", "exchangeId": "binance", "payload": LIMIT},
        *("rejected", "Malformed", "$.action: must be one of"),
    ),
    "resumes what is not halted": Failing(
        {"action": "resume", "payload": {"orderSource": "Nobody"}}, "rejected", "BadRequest", "is not halted"
    ),
}
"""The last two are no requests for an order."""


@pytest.mark.system
@pytest.mark.timeout(180)
async def test_every_failed_execution_is_found_with_its_reason(tmp_path: Path, database: Database) -> None:
    """Refused by risk and by the exchange, expired, malformed, halted, unknown and then failed: each is listed."""
    async with running(tmp_path, KINDS, database=database) as platform, api_of(platform) as api:
        proxy = Proxy(int(platform.exchange_url.rsplit(":", 1)[1]))
        await start_executor(platform, await proxy.listen())
        try:
            await api.ask("POST", "/halts", json={"orderSource": "Reckless", "reason": "too reckless"})
            unknown = [await lose_the_order(platform, api, proxy), await die_while_sending(platform, proxy)]
            ids = {await written(platform, failing.request): words for words, failing in FAILING.items()}
            found = await failed_executions(platform, api, {*ids, *unknown})
            for request_id, words in ids.items():
                check(words, FAILING[words], found[request_id])
            for request_id in unknown:
                await check_settled(api, request_id, found[request_id])
            log.info("%s: %d failed executions were found as they must be", database.kind, len(found))
        finally:
            await proxy.close()


async def start_executor(platform: Platform, exchange_url: str) -> None:
    """Start an executor that reaches the exchange over a proxy of ours; return when its account trades."""
    config = platform.example("executor")
    config["risk"] = {TENANT: RISK}
    config["exchanges"][TENANT]["binance"]["urls"]["base"] = exchange_url
    await platform.configure("executor", config)
    await platform.start_service("executor")
    await trades(platform)


async def trades(platform: Platform) -> None:
    """Wait until the executor that runs now says that its account trades."""
    pid = platform.processes["executor"].pid

    async def is_live() -> bool:
        beat = await platform.heartbeat("executor") or {"pid": 0}
        return beat["pid"] == pid and all(unit["state"] == "live" for unit in beat["units"]) and len(beat["units"]) > 1

    await until(is_live, "the executor's account trades", 60, platform)


async def written(platform: Platform, request: dict[str, Any]) -> str:
    """Write a request as a program does; return its new id."""
    request_id = new_request_id()
    whole = {"requestedAt": int(time.time() * 1_000), "requestId": request_id} | request
    await platform.redis.xadd(REQUESTS, {"data": json.dumps(whole)})
    return request_id


async def lose_the_order(platform: Platform, api: Api, proxy: Proxy) -> str:
    """Place an order through the API, that never reaches the exchange because the connection breaks; return its id."""
    proxy.keep()
    order = {"exchangeId": "binance", "payload": LIMIT}
    placing = asyncio.create_task(api.ask("POST", "/orders", json=order))
    await proxy.kept.wait()
    proxy.cut()
    answer = await placing
    assert answer.status == 202, answer
    return str(answer.body["requestId"])


async def die_while_sending(platform: Platform, proxy: Proxy) -> str:
    """Kill the executor while it waits for the exchange's answer to an order that never arrives; return its id."""
    proxy.keep()
    request_id = await written(platform, create())
    await proxy.kept.wait()

    async def is_claimed() -> bool:
        return bool(await platform.redis.hexists(intents_key(Tenant(TENANT), ExchangeId("binance")), request_id))

    # What was kept may be a question about the order before.
    await until(is_claimed, "the executor has begun the request", 60, platform)
    await platform.kill("executor")
    proxy.cut()
    await platform.start_service("executor")
    await trades(platform)
    return request_id


async def failed_executions(platform: Platform, api: Api, ids: set[str]) -> dict[str, list[dict[str, Any]]]:
    """Wait until every request has finally failed; return all entries of each, newest first."""
    found: dict[str, list[dict[str, Any]]] = {}

    async def all_found() -> bool:
        found.clear()
        for row in await api.all("/failed-executions"):
            found.setdefault(row["requestId"], []).append(row)
        return all(found.get(id_) and found[id_][0]["status"] != "unknown" for id_ in ids)

    await until(all_found, "every failed execution is found", 40, platform)
    return found


def check(what: str, failing: Failing, rows: list[dict[str, Any]]) -> None:
    """Compare the entries of a request with what is expected."""
    (row,) = rows
    assert (row["status"], row["kind"]) == failing[1:3], f"{what}: {row}"
    assert failing.words in row["reason"], f"{what}: {row}"
    log.info("%s: %s, %s: %s", what, row["status"], row["kind"], row["reason"])


async def check_settled(api: Api, request_id: str, rows: list[dict[str, Any]]) -> None:
    """Both answers to an order with an unknown outcome are listed, and the first says how it ended."""
    final, provisional = rows
    assert (provisional["status"], provisional["settled"]) == ("unknown", "failed"), rows
    assert (final["status"], final["kind"]) == ("failed", "OrderNotFound"), rows
    assert "the exchange knows no such order" in final["reason"]
    history = await api.get(f"/requests/{request_id}")
    assert [answer["status"] for answer in history["responses"]] == ["unknown", "failed"]
    assert len(history["requests"]) == 1
    log.info("unknown: %s; then failed: %s", provisional["reason"], final["reason"])
