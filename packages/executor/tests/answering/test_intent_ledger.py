import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import redis.asyncio
from msgspec.structs import replace

from millrace_bus import Bus, CommandRefused, EmbeddedServer, Fence
from millrace_core.clock import elapsed_s
from millrace_core.ids import RequestId, new_request_id
from millrace_core.messages import Response, encode
from millrace_core.names import Action, ExchangeId, Tenant, intents_key
from millrace_executor.accepted_request import EVERY_EXCHANGE
from millrace_executor.answering import intent_ledger
from millrace_executor.answering.intent_ledger import IntentLedger, UsedElsewhere
from millrace_executor.answering.intents import Intent, decode_intent
from millrace_executor.lease.tenure import Tenure
from millrace_executor.refused_writes import RefusedWrites
from millrace_service import UnitHealthReporter
from millrace_service.health import ErrorLog

BINANCE, KUCOIN = ExchangeId("binance"), ExchangeId("kucoin")
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


def intent(request_id: RequestId, claim: str, keep_until: int = 1_000, exchange: ExchangeId = BINANCE) -> Intent:
    stream = f"stream.StrankaXY.{exchange}.createOrder.KCS/USDT"
    return Intent(request_id, "pending", stream, 1, keep_until, claim=claim)


async def test_open_intents_are_loaded_in_the_order_in_which_they_began(bus: Bus, tenure: Tenure) -> None:
    """Those of the data that Redis has now: it lost the former ones while the ledger was read."""
    late, lost, early = (replace(intent(new_request_id(), "a"), begun_at=begun_at) for begun_at in (3, 2, 1))
    await IntentLedger(bus.intents, tenure, BINANCE, WRITES).claim(lost)
    asked = 0

    async def confirm(reader: Tenure) -> None:
        nonlocal asked
        asked += 1
        assert asked <= 2, "the second time it read what is there"
        if asked == 1:
            await bus.intents.remove(tenure.fence.tenant, BINANCE, lost.request_id)
            for each in (late, early):
                await bus.intents.claim(tenure.fence, BINANCE, each.request_id, encode(each))
            reader.data_are(tenure.born_ms + 1, elapsed_s())

    reader = Tenure(tenure.fence, tenure.born_ms, 0, elapsed_s(), confirm)
    ledger = IntentLedger(bus.intents, reader, BINANCE, WRITES)
    assert await ledger.load() == [early, late]
    assert not ledger.is_outdated


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
    await ledger.update(unknown := intent(open_, "b").marked_unknown(5))
    successor = IntentLedger(bus.intents, tenure, BINANCE, WRITES)
    assert await successor.load() == [unknown]
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


async def test_what_is_settled_while_redis_lost_its_data_stays_so(
    bus: Bus, tenure: Tenure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are written at once when Redis is back: what an intent was before must not replace what it became."""
    monkeypatch.setattr(intent_ledger, "RESTORED_AT_ONCE", 7)
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
    await bus.intents.remove(tenure.fence.tenant, BINANCE, foreign)
    await ledger.load()
    assert not ledger.knows(foreign), "somebody has removed it"


async def test_an_id_that_another_account_of_the_tenant_used_is_refused(bus: Bus, tenure: Tenure) -> None:
    """Its accounts are those that are configured, and those whose ledgers were open under this tenure."""
    request_id = new_request_id()
    await IntentLedger(bus.intents, tenure, KUCOIN, WRITES).claim(intent(request_id, "a", exchange=KUCOIN))
    anew = Tenure(tenure.fence, tenure.born_ms, 0, elapsed_s(), lambda _: asyncio.sleep(0))
    configured = IntentLedger(bus.intents, anew, BINANCE, WRITES, accounts=lambda: [KUCOIN, BINANCE, EVERY_EXCHANGE])
    known = IntentLedger(bus.intents, tenure, BINANCE, WRITES)
    for ledger in (configured, known):
        with pytest.raises(UsedElsewhere, match="was used before, for createOrder on kucoin") as refused:
            await ledger.claim(intent(request_id, "b"))
        assert refused.value.stream.exchange == KUCOIN
        assert not ledger.knows(request_id)
    verdict = Response(request_id, "rejected")
    assert await known.claim(replace(intent(request_id, "b"), verdict=verdict)), "its answer asks no exchange"
    assert known.knows(request_id)
    assert not await configured.claim(intent(request_id, "c")), "this account has it"
    await known.claim(intent(other_id := new_request_id(), "a"))
    with pytest.raises(UsedElsewhere, match="on binance"):
        await IntentLedger(bus.intents, tenure, KUCOIN, WRITES).claim(intent(other_id, "b", exchange=KUCOIN))


async def test_a_request_of_the_same_id_is_another_if_it_is_answered_elsewhere(bus: Bus, tenure: Tenure) -> None:
    """A symbol that the exchange does not list is not part of the name; what was restored does not tell."""
    ledger = IntentLedger(bus.intents, tenure, BINANCE, WRITES)
    whole, short, settled = (intent(new_request_id(), "a") for _ in range(3))
    stream = whole.stream
    short = replace(short, answer_to=str(stream._replace(symbol=None)))
    for each in (whole, short, settled):
        await ledger.claim(each)
    await ledger.update(settled.settled("done"))
    await ledger.restore()
    edit = stream._replace(action=Action("editOrder"))
    for request_id, is_another in (
        (whole.request_id, True),
        (short.request_id, True),
        (settled.request_id, False),
        (new_request_id(), False),
    ):
        assert await ledger.names_another(request_id, edit) is is_another
        assert not await ledger.names_another(request_id, stream)


async def test_a_claim_waits_for_a_redis_that_refuses_to_write_unless_it_must_not(
    bus: Bus, tenure: Tenure, server: EmbeddedServer
) -> None:
    """The unit's errors tell why."""
    changed = asyncio.Event()
    writes = RefusedWrites(UnitHealthReporter("test", changed=changed.set, errors=ErrorLog()))
    ledger, key = IntentLedger(bus.intents, tenure, BINANCE, writes), intents_key(tenure.fence.tenant, BINANCE)
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.set(key, "no hash")
        is_waiting = asyncio.create_task(changed.wait())
        claim = asyncio.create_task(ledger.claim(intent(new_request_id(), "a"), waits=False))
        await asyncio.wait({claim, is_waiting}, return_when=asyncio.FIRST_COMPLETED)
        with pytest.raises(CommandRefused, match="WRONGTYPE"):
            claim.result()
        claim = asyncio.create_task(ledger.claim(intent(new_request_id(), "a")))
        await asyncio.wait({claim, is_waiting}, return_when=asyncio.FIRST_COMPLETED)
        assert not claim.done()
        await client.delete(key)
        assert await claim
        assert await client.ttl(key) == -1


async def test_the_ledger_of_no_account_expires(bus: Bus, tenure: Tenure, server: EmbeddedServer) -> None:
    """Nobody would prune it, nor what the tenure would remember of it."""
    ledger = IntentLedger(bus.intents, tenure, BINANCE, WRITES, expires_ms=60_000_000)
    await ledger.claim(intent(new_request_id(), "a"))
    assert tenure.ledgers() == []
    async with redis.asyncio.Redis.from_url(server.url) as client:
        assert 0 < await client.pttl(intents_key(tenure.fence.tenant, BINANCE)) <= 60_000_000
