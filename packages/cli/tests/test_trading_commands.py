"""`millrace publish`, `orders`, `intents`, `halt` and `resume` as they are typed."""

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest
import redis.asyncio as redis_asyncio

from millrace_bus import Bus, EmbeddedServer, HaltNote, HaltScope
from millrace_core.clock import now_ms
from millrace_core.messages import RequestError
from millrace_core.names import Action, AgentId, ExchangeId, StreamName, Symbol, Tenant, intents_key
from millrace_core.orders import Order, OrderRecord
from millrace_core.requests import Halt

TENANT, BINANCE, KCS = Tenant("StrankaXY"), ExchangeId("binance"), Symbol("KCS/USDT")
CHANNEL = f"{TENANT}.traderActions"
REQUEST = {
    "action": "createOrder",
    "exchangeId": BINANCE,
    "payload": {"symbol": KCS, "side": "buy", "type": "market", "amountBase": 1, "price": 25, "orderSource": "James"},
}


async def test_a_request_to_trade_is_answered(terminal: Any, bus: Bus, answering: Any) -> None:
    """The executor gets it as it was typed, and its answer is printed."""
    async with answering(bus) as received:
        found = await terminal.type("publish", CHANNEL, json.dumps(REQUEST))
        assert (found.code, found.stdout) == (0, "done\n  order 7 KCS/USDT buy closed\n")
        as_json = (await terminal.type("publish", CHANNEL, "-", "--json", keys=json.dumps(REQUEST))).json
    assert (as_json["receivers"], as_json["response"]["status"]) == (1, "done")
    assert [request.payload.amount_base for request in received[-2:]] == [Decimal(1)] * 2


async def test_a_refusal_is_printed_and_makes_the_exit_code_1(terminal: Any, bus: Bus, answering: Any) -> None:
    """With the reason that the executor gave."""
    async with answering(bus, error=RequestError("Halted", "all trading of this tenant is halted")):
        found = await terminal.type("publish", CHANNEL, json.dumps(REQUEST))
    assert found.code == 1
    assert "rejected: Halted: all trading" in found.stdout


@pytest.mark.parametrize(
    ("channel", "text", "says"),
    [
        (CHANNEL, json.dumps(REQUEST), "nobody listens on StrankaXY.traderActions"),
        (CHANNEL, '{"action":"createOrdr"}', "$.action: must be one of createOrder"),
        ("restart.MAGICBOX", "StrankaXY.PingPong", "nobody listens on restart.MAGICBOX"),
        ("stream.config.GATHERER", "{}", "millrace config put GATHERER FILE"),
    ],
)
async def test_what_nobody_acts_on_is_an_error(terminal: Any, channel: str, text: str, says: str) -> None:
    """It says so instead of silence."""
    found = await terminal.type("publish", channel, text)
    assert found.code == 1
    assert says in found.output


async def _order(bus: Bus, order_id: str, status: str, source: str, symbol: Symbol = KCS) -> None:
    order = Order(id=order_id, symbol=symbol, side="buy", amount=Decimal("1.50"), status=status, timestamp=now_ms())
    await bus.orders.merge(TENANT, OrderRecord(order, BINANCE, now_ms(), source))
    await bus.register_journals(TENANT, str(StreamName(TENANT, BINANCE, Action("createOrder"), symbol)))


async def test_orders_are_listed_open_ones_first_and_filtered(terminal: Any, bus: Bus) -> None:
    """By market, source, and whether they are open."""
    await _order(bus, "1", "closed", "James")
    await _order(bus, "2", "open", "PingPong")
    await _order(bus, "3", "open", "James", Symbol("BTC/USDT"))

    async def listed(*arguments: str) -> list[str]:
        found = await terminal.type("orders", "--tenant", TENANT, *arguments, "--json")
        return [each["order"]["id"] for each in found.json]

    assert sorted((await listed())[:2]) == ["2", "3"]
    assert (await listed())[2:] == ["1"]
    assert await listed("--source", "James", "--open") == ["3"]
    assert await listed("--symbol", KCS, "--exchange", BINANCE) == ["2", "1"]
    rows = (await terminal.type("orders", "--tenant", TENANT, "--symbol", KCS, "--open")).stdout.splitlines()
    assert rows[1].split()[:7] == ["binance", "KCS/USDT", "buy", "1.5", "open", "PingPong", "0"]
    assert "no orders of Nobody match" in (await terminal.type("orders", "--tenant", "Nobody")).output


async def test_intents_that_are_not_settled_are_listed(terminal: Any, bus: Bus, server: EmbeddedServer) -> None:
    """Claimed, unknown, and one that cannot be read; on a configured account too, and settled ones if asked."""
    entry = {"requestId": "a" * 32, "answerTo": "x", "begunAt": now_ms(), "keepUntil": 1, "clientOrderId": "a" * 32}
    entries = {
        "a" * 32: entry | {"state": "unknown", "request": REQUEST},
        "b" * 32: entry | {"state": "settled", "status": "done"},
        "c" * 32: "another form",
    }
    await bus.put_config(AgentId("EXECUTOR"), json.dumps({"exchanges": {TENANT: {BINANCE: {}}}}))
    async with redis_asyncio.Redis.from_url(server.url) as client:
        for request_id, each in entries.items():
            await client.hset(intents_key(TENANT, BINANCE), request_id, json.dumps(each))
    found = (await terminal.type("intents", "--tenant", TENANT, "--json")).json
    assert {each["requestId"][0]: each["state"] for each in found} == {"a": "unknown", "c": "unreadable"}
    (unknown,) = (each for each in found if each["state"] == "unknown")
    assert (unknown["action"], unknown["symbol"], unknown["orderSource"]) == ("createOrder", KCS, "James")
    assert len((await terminal.type("intents", "--settled", "--json")).json) == 3
    shown = await terminal.type("intents")
    assert "unknown" in shown.output
    assert "settled" not in shown.output


async def test_without_intents_there_is_nothing_to_do(terminal: Any) -> None:
    """It says so."""
    assert "finally answered" in (await terminal.type("intents", "--tenant", TENANT)).output


async def test_a_halt_says_what_it_does_and_asks(terminal: Any, bus: Bus, answering: Any) -> None:
    """Refused, nothing is halted; agreed, it is in Redis and an executor that runs is asked at once."""
    await _order(bus, "2", "open", "PingPong")
    command = ("halt", "--tenant", TENANT, "--exchange", BINANCE, "--reason", "checking fills")
    found = await terminal.type(*command, keys="n\n")
    assert found.code == 1
    assert (
        "Trading of StrankaXY on binance: new orders and edits will be refused, cancels will not. 1 open"
        in found.output
    )
    assert await bus.halts.get(TENANT) == {}
    async with answering(bus) as received:
        assert (await terminal.type(*command, keys="y\n")).code == 0
        async with asyncio.timeout(10):
            while not received:
                await asyncio.sleep(0.01)
        assert isinstance(received[0], Halt)
    note = (await bus.halts.get(TENANT))[HaltScope(BINANCE)]
    assert note.reason == "checking fills"


async def test_a_halt_of_a_tenant_that_nothing_names_says_so(terminal: Any, bus: Bus) -> None:
    """A name that is misspelt halts nobody; it is done all the same, since a tenant may be halted before it comes."""
    await _order(bus, "1", "open", "James")
    found = await terminal.type("halt", "--tenant", "StrankaYX", "--yes")
    assert found.code == 0
    assert "names the tenant StrankaYX; did you mean StrankaXY?" in found.output
    assert await bus.halts.get(Tenant("StrankaYX"))
    known = await terminal.type("halt", "--tenant", TENANT, "--yes")
    assert "did you mean" not in known.output


async def test_a_redis_user_that_may_not_learns_who_may(terminal: Any, bus: Bus, server: EmbeddedServer) -> None:
    """A service's own user is the one that is at hand."""
    client: Any = redis_asyncio.Redis.from_url(server.url)
    async with client:
        await client.execute_command("ACL", "SETUSER", "api", "on", ">secret", "+@all", "%R~agent.*")
    found = await terminal.type("status", "--redis-url", server.url.replace("://", "://api:secret@"))
    assert (found.code, "NOPERM" in found.output, "`operator`" in found.output) == (1, True, True)


async def test_a_resume_lifts_exactly_its_scope(terminal: Any, bus: Bus) -> None:
    """Another halt stays and is named; a scope that is not halted is an error that lists what is."""
    await bus.halts.set(TENANT, HaltScope(BINANCE), HaltNote(since=1))
    await bus.halts.set(TENANT, HaltScope(None, "James"), HaltNote(since=1))
    wrong = await terminal.type("resume", "--tenant", TENANT, "--yes")
    assert wrong.code == 1
    assert "Trading of StrankaXY on every exchange for James" in wrong.output
    found = await terminal.type("resume", "--tenant", TENANT, "--exchange", BINANCE, keys="y\n")
    assert "Still halted then: Trading of StrankaXY on every exchange for James" in found.output
    assert list(await bus.halts.get(TENANT)) == [HaltScope(None, "James")]


async def test_all_tenants_are_halted_at_once(terminal: Any, bus: Bus) -> None:
    """Those of the configurations and of the streams; PUBLIC does not trade."""
    exchanges = {"A": {"binance": {}}, "PUBLIC": {"binance": {}}}
    await bus.put_config(AgentId("EXECUTOR"), json.dumps({"agent": {"id": "EXECUTOR"}, "exchanges": exchanges}))
    await _order(bus, "2", "open", "PingPong")
    found = await terminal.type("halt", "--all", "--yes", "--json")
    assert [each["tenant"] for each in found.json["halted"]] == ["A", TENANT]
    status = await terminal.type("status")
    assert f"HALTED {TENANT} */*" in status.output
    assert (await terminal.type("resume", "--all", "--yes")).code == 0
    assert (await terminal.type("status", "--json")).json["halts"] == []


@pytest.mark.parametrize("arguments", [(), ("--tenant", "A", "--all")])
async def test_whom_to_halt_is_never_guessed(terminal: Any, arguments: tuple[str, ...]) -> None:
    """One tenant or all: exactly one of the two."""
    found = await terminal.type("halt", *arguments, "--yes")
    assert (found.code, "--tenant, or all of them with --all" in found.output) == (1, True)
