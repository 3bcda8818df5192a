"""Requests that cannot be read, or whose handling fails, in the journal and on the channel, between good ones."""

from typing import Any

import pytest
import redis.asyncio

from millrace_core.names import ExchangeId, Tenant, intents_key, trader_actions, unreadable_requests
from millrace_core.requests import parse_request
from millrace_executor import accepted_request
from millrace_executor.execution.account_executor import AccountExecutor

TENANT = Tenant("StrankaXY")
UNKNOWN = ExchangeId("unknown")
GOOD = (
    b'{"action":"createOrder","exchangeId":"binance","payload":{"symbol":"KCS/USDT","side":"buy","type":"limit",'
    b'"amountBase":1,"price":8.5}}'
)
DEEP = b"[" * 3_000
POISON = {
    "nested too deep": DEEP + b"]" * 3_000,
    "a field nested too deep": b'{"action":"createOrder","exchangeId":"binance","payload":%b%b}' % (DEEP, b"]" * 3_000),
    "params nested too deep": GOOD.replace(b'"price"', b'"params":{"a":%b%b},"price"' % (DEEP, b"]" * 3_000)),
    "not UTF-8": b'{"action":"halt","payload":{"reason":"zastaven\xed"}}',
    "not UTF-8 anywhere": b"\xff\xfe\x00",
    "a surrogate alone": b'{"action":"createOrder","exchangeId":"\\ud800","payload":{"symbol":"\\udfff"}}',
    "empty": b"",
    "large": b'{"action":"halt","payload":{"reason":"%b"}}' % (b"x" * 1_000_000),
    "null bytes": b"\x00" * 100,
}


@pytest.fixture
async def client(platform: Any) -> Any:
    """A client without millrace."""
    async with redis.asyncio.Redis.from_url(platform.redis.url) as client:
        yield client


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON.keys())
async def test_a_poisonous_request_ends_in_its_own_answer(platform: Any, client: Any, poison: bytes) -> None:
    """In the journal and by hand it is answered as malformed; the good ones after it are carried out."""
    await platform.start()
    answers = await platform.answers()
    await client.xadd(trader_actions(TENANT), {"data": poison})
    await platform.publish(poison)
    await client.xadd(trader_actions(TENANT), {"data": GOOD})
    await platform.publish(GOOD)
    assert await answers.statuses(2) == ["done"] * 2
    (beat,) = await platform.bus.heartbeats()
    assert not any(unit.counters.get("failures") for unit in beat.units)
    await nothing_is_pending(platform, client)


@pytest.mark.parametrize(
    "fields", [{"date": GOOD}, {"data ": GOOD, "x": b"\xff"}, {"data": b"", "typed": b"\xff-\xff"}]
)
async def test_an_entry_of_other_fields_is_answered(platform: Any, client: Any, fields: dict[str, bytes]) -> None:
    """What was typed with a slip of the pen is answered with what is wrong."""
    await platform.start()
    malformed, answers = await platform.answers("unknown", None, UNKNOWN), await platform.answers()
    await client.xadd(trader_actions(TENANT), fields)
    assert (await malformed.number(1)).response.error.kind == "Malformed"
    await platform.publish(GOOD)
    assert await answers.statuses(1) == ["done"]
    await nothing_is_pending(platform, client)


async def test_a_request_that_breaks_the_reading_is_answered_and_set_aside(
    platform: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that nobody foresaw while it is parsed costs that request alone, and a person finds its bytes."""

    def parse(raw: bytes) -> Any:
        if b"poison" in raw:
            raise ZeroDivisionError("unforeseen")
        return parse_request(raw)

    monkeypatch.setattr(accepted_request, "parse_request", parse)
    await platform.start()
    failed, answers = await platform.answers("unknown", None, UNKNOWN), await platform.answers()
    await client.xadd(trader_actions(TENANT), {"data": b"poison"})
    await platform.publish(GOOD)
    answer = (await failed.number(1)).response
    assert (answer.status, answer.error.kind) == ("failed", "InternalError")
    assert await answers.statuses(1) == ["done"]
    ((_, fields),) = await client.xrange(unreadable_requests(TENANT))
    assert fields[b"data"] == b"poison"
    assert b"ZeroDivisionError" in fields[b"reason"]
    await nothing_is_pending(platform, client)


async def test_a_request_that_breaks_the_decision_has_failed(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was sent, and the account goes on."""
    decide = AccountExecutor._decide

    async def break_once(executor: AccountExecutor, *arguments: Any) -> Any:
        monkeypatch.setattr(AccountExecutor, "_decide", decide)
        raise ZeroDivisionError("unforeseen")

    monkeypatch.setattr(AccountExecutor, "_decide", break_once)
    await platform.start()
    answers = await platform.answers()
    await platform.publish(GOOD)
    answer = (await answers.number(1)).response
    assert (answer.status, answer.error.kind) == ("failed", "InternalError")
    await platform.publish(GOOD)
    assert (await answers.number(2)).response.status == "done"
    assert len(platform.orders()) == 1


async def test_a_request_that_breaks_after_it_was_sent_is_found(platform: Any, break_after_sending: Any) -> None:
    """It may be on the exchange: it is unknown until the exchange was asked, and the account goes on."""
    break_after_sending()
    await platform.start()
    answers = await platform.answers()
    await platform.publish(GOOD)
    assert await answers.statuses(2) == ["unknown", "done"]
    await platform.publish(GOOD)
    assert (await answers.number(3)).response.status == "done"
    assert len(platform.orders()) == 2


async def test_a_ledger_of_another_type_stops_its_account_alone(platform: Any, client: Any) -> None:
    """Nothing is sent that could not be claimed; the account says why, and goes on once the key is gone."""
    await platform.start()
    answers, halts = await platform.answers(), await platform.answers("halt", None, ExchangeId("all"))
    await client.set(intents_key(TENANT, ExchangeId("binance")), "no hash")
    await platform.publish(GOOD.replace(b'"action"', b'"validFor":60000,"action"'))
    await platform.unit_is("StrankaXY.binance", "stale")
    await platform.publish(b'{"action":"halt","payload":{"orderSource":"Nobody"}}')
    assert (await halts.number(1)).response.status == "done"
    assert platform.orders() == []
    await client.delete(intents_key(TENANT, ExchangeId("binance")))
    assert (await answers.number(1)).response.status == "done"


async def nothing_is_pending(platform: Any, client: Any) -> None:
    """End the executor in order, and see that it has acknowledged every request."""
    await platform.stop()
    assert (await client.xpending(trader_actions(TENANT), "executor"))["pending"] == 0
