"""Orders by the API, with a real bus and an executor in small."""

import asyncio
from typing import Any

import pytest

from millrace_bus import Bus
from millrace_core.orders import Order, OrderRecord
from millrace_core.requests import parse_request
from millrace_store import DatabaseUnavailable

NEW = {"exchangeId": "kucoin", "payload": {"symbol": "KCS/USDT", "side": "buy", "type": "market", "amountBase": 1}}


async def test_an_order_is_placed_and_its_answer_given(admin: Any, executor: Any) -> None:
    """The executor's final answer is the HTTP answer; the token's name is the order's source."""
    found = await admin.post("/api/v1/orders", json=NEW)
    assert found.status_code == 200, found.text
    assert found.json()["status"] == "done"
    assert found.json()["order"]["id"] == "o-1"
    assert executor.requests[0].payload.order_source.startswith("admin-")


async def test_one_idempotency_key_is_one_order(admin: Any, executor: Any) -> None:
    """Twenty requests of one key at once are one request on the bus, and all get the one answer."""
    headers = {"Idempotency-Key": "once"}
    found = await asyncio.gather(*(admin.post("/api/v1/orders", json=NEW, headers=headers) for _ in range(20)))
    assert {each.status_code for each in found} == {200}
    assert len({each.json()["requestId"] for each in found}) == 1
    assert len(executor.requests) == 1
    again = await admin.post("/api/v1/orders", json=NEW, headers=headers)
    assert again.json() == found[0].json()
    assert len(executor.requests) == 1


async def test_a_key_is_not_used_for_another_request(admin: Any, executor: Any) -> None:
    """The same key with another order is a mistake, and nothing is sent."""
    headers = {"Idempotency-Key": "once"}
    await admin.post("/api/v1/orders", json=NEW, headers=headers)
    other = NEW | {"exchangeId": "binance"}
    found = await admin.post("/api/v1/orders", json=other, headers=headers)
    assert found.status_code == 422
    assert "use a new key" in found.json()["detail"]
    assert len(executor.requests) == 1


async def test_a_key_is_free_again_when_nothing_could_be_sent(mortal: Any, tenant: Any) -> None:
    """Redis is away: 503, and the same key sends the order once it is back."""
    api, redis = mortal
    headers = {"Idempotency-Key": "again"}
    api.services.configure(api.services.config.model_copy(update={"answer_timeout_ms": 50}))
    async with api.client(await api.token(tenant)) as admin:
        await redis.kill()
        assert (await admin.post("/api/v1/orders", json=NEW, headers=headers)).status_code == 503
        await redis.restart()
        await api.services.bus.ready(10)
        assert (await admin.post("/api/v1/orders", json=NEW, headers=headers)).status_code == 202
    async with Bus.connect(redis.url, name="test") as bus:
        arrived = await anext(aiter(bus.request_reader(tenant, consumer="test")))
        assert parse_request(arrived.raw).payload.symbol == "KCS/USDT"


async def test_an_order_that_was_placed_is_answered_without_a_database(
    api: Any, admin: Any, executor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer cannot be stored for a repetition, but it is no failure: something was done."""

    async def away(*_: Any) -> None:
        raise DatabaseUnavailable("it is away")

    monkeypatch.setattr(api.store.access, "answered", away)
    placed = await admin.post("/api/v1/orders", json=NEW, headers={"Idempotency-Key": "stored-later"})
    assert (placed.status_code, placed.json()["status"]) == (200, "done"), placed.text


async def test_a_repeated_key_of_which_nothing_is_stored_is_not_called_sent(api: Any, admin: Any) -> None:
    """Its first sender may have died before it sent: nothing shows that it was sent, so nobody says so."""
    api.services.configure(api.services.config.model_copy(update={"answer_timeout_ms": 50}))
    found = await admin.post("/api/v1/orders", json=NEW, headers={"Idempotency-Key": "repeated"})
    assert found.status_code == 202
    again = await admin.post("/api/v1/orders", json=NEW, headers={"Idempotency-Key": "repeated"})
    assert again.status_code == 503
    assert "not known whether" in again.json()["detail"]


async def test_what_risk_refuses_is_reported_in_words(admin: Any, executor: Any) -> None:
    """A refusal is no success: 422 with the reason, and the answer itself."""
    executor.status = "rejected"
    found = await admin.post("/api/v1/orders", json=NEW)
    assert found.status_code == 422
    assert found.json()["detail"] == "rejected: RiskRefused: more than the risk limits allow"
    assert found.json()["answer"]["status"] == "rejected"


async def test_without_an_answer_in_time_the_request_id_is_given(api: Any, admin: Any) -> None:
    """Without an answer: 202, and where to ask later."""
    api.services.configure(api.services.config.model_copy(update={"answer_timeout_ms": 50}))
    found = await admin.post("/api/v1/orders", json=NEW)
    assert found.status_code == 202
    assert found.headers["location"] == f"/api/v1/requests/{found.json()['requestId']}"


async def test_a_malformed_order_is_not_sent(admin: Any, executor: Any) -> None:
    """Every mistake is named with its place."""
    payload = {"symbol": "KCS/USDT", "side": "buy", "type": "limit", "amountBase": -1}
    found = await admin.post("/api/v1/orders", json={"exchangeId": "kucoin", "payload": payload})
    assert found.status_code == 422
    assert {each["path"] for each in found.json()["problems"]} == {"$.payload.price", "$.payload.amountBase"}
    assert not executor.requests


async def test_a_number_of_several_orders_cancels_none(
    admin: Any, executor: Any, bus: Bus, tenant: Any, twins: str
) -> None:
    """Without its symbol no order is guessed at, though Redis knows one of them; with it that one is canceled."""
    await bus.orders.merge(tenant, OrderRecord(Order(id=twins, symbol="ETH/USDT"), "binance", 1))
    refused = await admin.delete(f"/api/v1/orders/{twins}", params={"exchange": "binance"})
    assert refused.status_code == 422
    assert "`symbol`" in refused.json()["detail"]
    assert not executor.requests
    assert (await admin.delete(f"/api/v1/orders/{twins}", params={"symbol": "XRP/USDT"})).status_code == 200
    (sent,) = executor.requests
    assert (sent.exchange_id, sent.payload.symbol) == ("binance", "XRP/USDT")


async def test_a_number_of_several_new_orders_cancels_none(admin: Any, executor: Any, bus: Bus, tenant: Any) -> None:
    """Two orders that only Redis knows yet are told apart as well: the first of a number is not guessed at."""
    for symbol in ("ETH/USDT", "XRP/USDT"):
        await bus.register_journals(tenant, f"stream.{tenant}.binance.watchOrders.{symbol}")
        await bus.orders.merge(tenant, OrderRecord(Order(id="342", symbol=symbol, status="open"), "binance", 1))
    refused = await admin.delete("/api/v1/orders/342")
    assert refused.status_code == 422
    assert not executor.requests
    assert (await admin.delete("/api/v1/orders/342", params={"symbol": "XRP/USDT"})).status_code == 200
    assert [request.payload.symbol for request in executor.requests] == ["XRP/USDT"]


async def test_orders_are_edited_and_canceled(admin: Any, executor: Any, tenant: Any) -> None:
    """Each is a request of its kind; the whole of it stands in the audit trail."""
    where = {"exchange": "kucoin", "symbol": "KCS/USDT"}
    edit = {"exchangeId": "kucoin", "payload": {"symbol": "KCS/USDT", "price": "10.50"}}
    assert (await admin.patch("/api/v1/orders/o-9", json=edit)).status_code == 200
    assert (await admin.delete("/api/v1/orders/o-9", params=where)).status_code == 200
    assert (await admin.delete("/api/v1/orders", params=where)).status_code == 200
    assert (await admin.delete("/api/v1/orders/o-9")).status_code == 404
    kinds = [type(request).__name__ for request in executor.requests]
    assert kinds == ["EditOrder", "CancelOrder", "CancelAllOrders"]
    assert executor.requests[0].payload.order_id == "o-9"
    trail = (await admin.get("/api/v1/audit")).json()["items"]
    assert [row["action"] for row in reversed(trail)] == [
        "edit_order",
        "cancel_order",
        "cancel_all_orders",
        "cancel_order",
    ]
    assert trail[-1]["detail"]["request"]["payload"]["price"] == "10.50"
