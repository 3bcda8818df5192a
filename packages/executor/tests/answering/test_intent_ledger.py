import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from msgspec.structs import replace

from millrace_bus import Bus, EmbeddedServer, Fence
from millrace_core.clock import elapsed_s
from millrace_core.ids import RequestId, new_request_id
from millrace_core.messages import Response, encode
from millrace_core.names import ExchangeId, Tenant
from millrace_executor.answering.intent_ledger import IntentLedger
from millrace_executor.answering.intents import Intent, decode_intent
from millrace_executor.lease.tenure import Tenure
from millrace_executor.refused_writes import RefusedWrites
from millrace_service import UnitHealthReporter
from millrace_service.health import ErrorLog

BINANCE = ExchangeId("binance")
WRITES = RefusedWrites(UnitHealthReporter("test", changed=lambda: None, errors=ErrorLog()))

_tenants = itertools.count()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedServer]:
    """Redis; each test has a tenant of its own in it."""
    async with await EmbeddedServer.start(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
async def bus(server: EmbeddedServer) -> AsyncIterator[Bus]:
    """Return Redis as the executor sees it."""
    async with Bus.connect(server.url, name="tests") as bus:
        yield bus


@pytest.fixture
async def tenure(bus: Bus) -> Tenure:
    """Take the lease of a tenant that no other test has."""
    tenant = Tenant(f"T{next(_tenants)}")

    async def confirm(tenure: Tenure) -> None:
        if (await bus.leases.take(tenant, "tests", tenure.fence.token)).token != tenure.fence.token:
            tenure.end()

    reply = await bus.leases.take(tenant, "tests")
    assert reply.token is not None
    return Tenure(Fence(tenant, reply.token), reply.born_ms, reply.server_ms, elapsed_s(), confirm)


def intent(request_id: RequestId, claim: str, keep_until: int = 1_000) -> Intent:
    return Intent(request_id, "pending", "stream.StrankaXY.binance.createOrder.KCS/USDT", 1, keep_until, claim=claim)


async def test_a_request_is_claimed_once(bus: Bus, tenure: Tenure) -> None:
    """Of several claims at once, by several accounts' units, one succeeds; repeating one's own claim succeeds too."""
    request_id = new_request_id()
    ledgers = [IntentLedger(bus.intents, tenure, BINANCE, WRITES) for _ in range(5)]
    claims = [ledger.claim(intent(request_id, str(number))) for number, ledger in enumerate(ledgers)]
    won = await asyncio.gather(*claims)
    assert sorted(won) == [False] * 4 + [True]
    winner = won.index(True)
    assert await ledgers[winner].claim(intent(request_id, str(winner)))


async def test_what_was_not_settled_is_found_by_the_next(bus: Bus, tenure: Tenure) -> None:
    """The next run that loads the ledger gets what is open, and knows what is settled."""
    ledger = IntentLedger(bus.intents, tenure, BINANCE, WRITES)
    done, open_ = new_request_id(), new_request_id()
    await ledger.claim(intent(done, "a"))
    await ledger.update(intent(done, "a").settled("done"))
    await ledger.claim(intent(open_, "b"))
    successor = IntentLedger(bus.intents, tenure, BINANCE, WRITES)
    assert await successor.load() == [intent(open_, "b")]
    assert successor.knows(done)
    assert successor.knows(open_)


async def test_what_redis_lost_and_what_was_not_remembered_are_both_found(bus: Bus, tenure: Tenure) -> None:
    """A task may be cancelled between its write and the memory, and Redis may lose what is in memory."""
    ledger = IntentLedger(bus.intents, tenure, BINANCE, WRITES)
    await ledger.load()
    lost, cancelled, settled = new_request_id(), new_request_id(), new_request_id()
    for request_id in (lost, settled):
        await ledger.claim(intent(request_id, "a"))
    await bus.intents.remove(tenure.fence.tenant, BINANCE, lost)
    await bus.intents.claim(tenure.fence, BINANCE, cancelled, encode(intent(cancelled, "b")))
    entry = settled, encode(intent(settled, "a").settled("done"))
    await bus.intents.settle(tenure.fence, BINANCE, entry)
    again = IntentLedger(bus.intents, tenure, BINANCE, WRITES)
    assert {each.request_id for each in await again.load()} == {lost, cancelled}
    assert again.knows(settled)


async def test_only_settled_intents_whose_time_is_over_are_forgotten(bus: Bus, tenure: Tenure) -> None:
    """Pruning leaves open intents, however old, and those of which a late copy may still come."""
    ledger = IntentLedger(bus.intents, tenure, BINANCE, WRITES)
    old, just_now, young, open_ = (new_request_id() for _ in range(4))
    for request_id, keep_until in ((old, 1_999), (just_now, 2_000), (young, 3_000)):
        await ledger.claim(intent(request_id, "a", keep_until))
        await ledger.update(intent(request_id, "a", keep_until).settled("done"))
    await ledger.claim(intent(open_, "b"))
    assert await ledger.prune(2_000) == 1
    assert not ledger.knows(old)
    assert (await bus.intents.all(tenure.fence.tenant, BINANCE)).keys() == {just_now, young, open_}


async def test_only_what_is_to_be_answered_without_the_exchange_is_left(bus: Bus, tenure: Tenure) -> None:
    """Not what asked the exchange, what is answered, and what cannot be read."""
    ledger = IntentLedger(bus.intents, tenure, BINANCE, WRITES)
    asking, refused, foreign = new_request_id(), new_request_id(), RequestId("f" * 32)
    verdict = Response(refused, "rejected")
    await ledger.claim(intent(asking, "a"))
    await ledger.claim(to_answer := replace(intent(refused, "b"), verdict=verdict))
    await bus.intents.claim(tenure.fence, BINANCE, foreign, b"{}")
    assert await ledger.left(refused) == [to_answer]
    for request_id in (asking, foreign, new_request_id()):
        assert await ledger.left(request_id) == []
    await ledger.update(to_answer.settled("rejected"))
    assert await ledger.left(refused) == []


async def test_a_ledger_that_redis_lost_is_written_again(bus: Bus, tenure: Tenure) -> None:
    """Open intents whole, settled ones so that copies are recognised; what could not be read is not made up."""
    ledger = IntentLedger(bus.intents, tenure, BINANCE, WRITES)
    done, open_, foreign = new_request_id(), new_request_id(), RequestId("f" * 32)
    await bus.intents.claim(tenure.fence, BINANCE, foreign, b"{}")
    assert not ledger.is_outdated
    await ledger.load()
    for request_id in (done, open_):
        await ledger.claim(intent(request_id, "a"))
    await ledger.update(intent(done, "a").settled("done"))
    await bus.intents.remove(tenure.fence.tenant, BINANCE, done, open_, foreign)
    memory = tenure.ledger_of(BINANCE)
    memory.born_ms = tenure.born_ms - 1
    assert ledger.is_outdated
    await ledger.restore()
    assert not ledger.is_outdated
    entries = await bus.intents.all(tenure.fence.tenant, BINANCE)
    assert entries.keys() == {done, open_}
    assert decode_intent(entries[open_]) == intent(open_, "a")
    settled = decode_intent(entries[done])
    assert settled is not None and (settled.state, settled.keep_until) == ("settled", 1_000)
    assert memory.read_from_ms == tenure.born_ms


async def test_what_is_settled_while_redis_lost_its_data_stays_so(bus: Bus, tenure: Tenure) -> None:
    """Both are written at once when Redis is back: what an intent was before must not replace what it became."""
    ledger = IntentLedger(bus.intents, tenure, BINANCE, WRITES)
    request_ids = [new_request_id() for _ in range(20)]
    for request_id in request_ids:
        await ledger.claim(intent(request_id, "a"))
    await bus.intents.remove(tenure.fence.tenant, BINANCE, *request_ids)
    updates = [ledger.update(intent(request_id, "a").settled("done")) for request_id in request_ids]
    await asyncio.gather(*updates[:10], ledger.restore(), *updates[10:])
    entries = (await bus.intents.all(tenure.fence.tenant, BINANCE)).values()
    assert [decode_intent(raw).state for raw in entries] == ["settled"] * 20


async def test_what_cannot_be_read_is_never_taken_for_new(bus: Bus, tenure: Tenure) -> None:
    """An entry of another form stays, and its request is not carried out."""
    foreign = RequestId("f" * 32)
    await bus.intents.claim(tenure.fence, BINANCE, foreign, b"{}")
    ledger = IntentLedger(bus.intents, tenure, BINANCE, WRITES)
    assert await ledger.load() == []
    assert ledger.knows(foreign)


def test_an_intent_that_names_no_stream_is_unreadable() -> None:
    """One that was written by hand must not keep the account from starting."""
    intent = Intent(new_request_id(), "pending", "x", 1, 2)
    assert decode_intent(encode(intent)) is None
