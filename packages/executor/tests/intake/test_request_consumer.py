"""Requests that no account carries out: malformed ones, those for unknown accounts, halts."""

from typing import Any

import pytest

from millrace_core.names import ExchangeId, Tenant

TENANT = Tenant("StrankaXY")
ALL = ExchangeId("all")
ORDER = {
    "action": "createOrder",
    "exchangeId": "binance",
    "payload": {
        "symbol": "KCS/USDT",
        "side": "buy",
        "type": "limit",
        "amountBase": 1,
        "price": 8.5,
        "orderSource": "PingPong",
    },
}


async def test_a_malformed_request_is_told_everything_that_is_wrong(floor: Any) -> None:
    """Every problem with its path, on the stream that the request's own words name."""
    await floor.start()
    answers = await floor.answers()
    payload = {"symbol": "KCS/USDT", "side": "long", "type": "limit", "amountBase": -1, "colour": "red"}
    await floor.publish({"action": "createOrder", "exchangeId": "binance", "payload": payload})
    answer = (await answers.number(1)).response
    assert (answer.status, answer.error.kind) == ("rejected", "Malformed")
    assert "$.payload.side" in answer.error.message
    assert "$.payload.colour" in answer.error.message
    assert floor.orders() == []


@pytest.mark.parametrize("text", ["hello", "[]", '{"action":"sell everything"}'])
async def test_what_cannot_be_read_at_all_is_answered(floor: Any, text: str) -> None:
    """Whatever was typed has an answer, on a name without a symbol."""
    await floor.start()
    answers = await floor.answers("unknown", None, ExchangeId("unknown"))
    await floor.publish(text)
    assert (await answers.number(1)).response.error.kind == "Malformed"


async def test_malformed_requests_open_no_stream_for_what_they_invent(floor: Any) -> None:
    """Whatever exchanges and symbols malformed requests name, their answers share streams that exist anyway."""
    await floor.start()
    same_account = await floor.answers("createOrder", None)
    no_account = await floor.answers("createOrder", None, ExchangeId("unknown"))
    for number in range(3):
        symbol = {"symbol": f"X{number}/USDT"}
        await floor.publish({"action": "createOrder", "exchangeId": "binance", "payload": symbol})
        await floor.publish({"action": "createOrder", "exchangeId": f"x{number}", "payload": {"symbol": "KCS/USDT"}})
    assert await same_account.statuses(3) == ["rejected"] * 3
    assert await no_account.statuses(3) == ["rejected"] * 3
    streams = await floor.bus.journals().names()
    assert {name for name in streams if ".createOrder" in name} == {
        "stream.StrankaXY.binance.createOrder",
        "stream.StrankaXY.unknown.createOrder",
    }


async def test_the_same_malformed_request_is_answered_once(floor: Any) -> None:
    """A request id that was answered is not answered again, also after a restart."""
    await floor.start()
    answers = await floor.answers("createOrder", None)
    wrong = {"action": "createOrder", "exchangeId": "binance", "requestId": "ab" * 16}
    await floor.publish(wrong)
    await answers.number(1)
    await floor.stop()
    await floor.start()
    await floor.publish(wrong)
    await floor.publish(wrong | {"requestId": "cd" * 16})
    assert (await answers.number(2)).response.request_id == "cd" * 16


async def test_an_account_that_is_not_configured_is_named(floor: Any) -> None:
    """A request for another exchange is rejected; the text says what the configuration lacks."""
    await floor.start()
    answers = await floor.answers(exchange=ExchangeId("kraken"))
    await floor.publish(ORDER | {"exchangeId": "kraken"})
    answer = (await answers.number(1)).response
    assert (answer.status, answer.error.kind) == ("rejected", "BadRequest")
    assert "exchanges.StrankaXY.kraken" in answer.error.message


async def test_a_halt_stops_new_orders_and_never_cancels(floor: Any) -> None:
    """From a halt to its resumption orders are rejected as halted; cancels go on; the halt survives a restart."""
    await floor.start()
    answers, cancels = await floor.answers(), await floor.answers("cancelOrder")
    halts, resumptions = await floor.answers("halt", None, ALL), await floor.answers("resume", None, ALL)
    await floor.publish(ORDER)
    order_id = (await answers.number(1)).response.order.id
    await floor.publish({"action": "halt", "payload": {"reason": "too fast", "by": "Ann"}})
    await floor.publish(ORDER)
    assert (await halts.number(1)).response.status == "done"
    halted = (await answers.number(2)).response
    assert (halted.status, halted.error.kind) == ("rejected", "Halted")
    assert "Ann" in halted.error.message
    assert "too fast" in halted.error.message
    await floor.stop()
    await floor.start()
    cancel = {"symbol": "KCS/USDT", "orderID": order_id}
    await floor.publish({"action": "cancelOrder", "exchangeId": "binance", "payload": cancel})
    assert (await cancels.number(1)).response.status == "done"
    await floor.publish(ORDER)
    assert (await answers.number(3)).response.status == "rejected"
    await floor.publish({"action": "resume"})
    assert (await resumptions.number(1)).response.status == "done"
    await floor.publish(ORDER)
    assert (await answers.number(4)).response.status == "done"


async def test_a_halt_of_one_source_leaves_the_others_trading(floor: Any) -> None:
    """Only requests of the source that is halted are rejected; to resume something else says what is halted."""
    await floor.start()
    answers, halts = await floor.answers(), await floor.answers("halt", None)
    resumptions = await floor.answers("resume", None, ALL)
    await floor.publish({"action": "halt", "exchangeId": "binance", "payload": {"orderSource": "PingPong"}})
    await halts.number(1)
    await floor.publish(ORDER)
    assert (await answers.number(1)).response.error.kind == "Halted"
    await floor.publish(ORDER | {"payload": ORDER["payload"] | {"orderSource": "James"}})
    assert (await answers.number(2)).response.status == "done"
    await floor.publish({"action": "resume"})
    refused = (await resumptions.number(1)).response
    assert refused.status == "rejected"
    assert "binance/PingPong" in refused.error.message
