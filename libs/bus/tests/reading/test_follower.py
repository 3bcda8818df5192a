"""Following a stream on a real server, through every fault."""

import asyncio
import itertools
from decimal import Decimal
from typing import Any

import pytest
import redis.asyncio
import redis.exceptions

from millrace_bus import Bus, EmbeddedServer, StreamWriter, TaskFailed, Update
from millrace_bus.connection import reconnecting as reconnecting_module
from millrace_bus.reading import follower as follower_module
from millrace_bus.reading.gap_recovery import GapRecovery
from millrace_bus.writing import numbered as numbered_module
from millrace_core.clock import now_ms
from millrace_core.ids import MessageId
from millrace_core.market_terms import MarketTerms
from millrace_core.messages import decode
from millrace_core.names import Action, StreamName, Symbol, Tenant
from millrace_core.states import BookState


def _levels(update_or_follower: Any) -> list[tuple[float, float]]:
    assert isinstance(update_or_follower.state, BookState)
    return update_or_follower.state.book.bids.levels()


async def test_a_reader_holds_the_writers_book(other: Bus, published: Any, received: Any) -> None:
    """A late follower has the same book, and each change after it in order, with its trace."""
    await published.writer.open()
    for amount in range(20):
        published.bid(10.0 + amount, 1.0)
    follower = other.follow(published.writer.name, received)
    await follower.ready()
    last = published.bid(10.0, 0.0)
    await received.right(follower, last)
    assert _levels(follower) == published.book.bids.levels()
    assert received.kinds[0] == "snapshot"
    assert received.updates[-1].trace.published < received.updates[-1].trace.delivered


async def test_a_stream_that_does_not_exist_is_waited_for(other: Bus, published: Any, received: Any) -> None:
    """A reader that is there before its writer becomes ready with the first snapshot."""
    follower = other.follow(published.writer.name, received)
    waiting = asyncio.create_task(follower.ready())
    await asyncio.sleep(0.05)
    assert not waiting.done()
    assert (follower.status, follower.last) == ("unknown", None)
    await published.writer.open()
    async with asyncio.timeout(5):
        await waiting
    assert follower.status == "live"


async def test_the_terms_of_a_market_are_known_with_its_state(
    bus: Bus, other: Bus, name: StreamName, make_book: Any, make_received: Any
) -> None:
    """A follower has them from its first update on, whenever it joins; one that follows already hears of changes."""
    first, second = (MarketTerms("ETH", "BTC", tick_size=Decimal(tick)) for tick in ("0.00000001", "0.0000001"))
    published, received, late = make_book(bus, name, snapshot_interval_s=0.0), make_received(), make_received()
    published.writer.market(first)
    await published.writer.open()
    follower = other.follow(name, received)
    await follower.ready()
    published.writer.market(second)
    published.writer.status("stale", "the market sleeps")
    last = published.bid(10.0, 1.0)
    await received.right(follower, last)
    assert received.updates[0].market == first
    assert received.updates[-1].market == second
    # Snapshots go out all the time: the journal after the newest one may hold nothing but what was repeated after it.
    snapshots = published.writer.counters.snapshots
    async with asyncio.timeout(60):
        while published.writer.counters.snapshots < snapshots + 2:
            await asyncio.sleep(0.05)
    await published.writer.drained()
    joined = bus.follow(name, late)
    await joined.ready()
    assert late.updates[0].market == second


async def test_a_gap_in_the_channel_is_filled_from_the_journal(
    server: EmbeddedServer, other: Bus, published: Any, received: Any
) -> None:
    """Messages that the channel lost are applied from the journal, in order, before the next one."""
    await published.writer.open()
    follower = other.follow(published.writer.name, received)
    await follower.ready()
    key = str(published.writer.name)
    async with redis.asyncio.Redis.from_url(server.url) as client:
        # Written to the journal alone: as a channel that drops them would show it.
        epoch, seq = published.writer.last
        for number in range(seq + 1, seq + 4):
            body = b'{"id":"%d-%d","type":"delta","timestamp":null,"trace":{},"data":{"bids":[[%d,1]],"asks":[]}}'
            await client.xadd(key, {"data": body % (epoch, number, number)}, id=f"{epoch}-{number}")
        number += 1
        body = b'{"id":"%d-%d","type":"delta","timestamp":null,"trace":{},"data":{"bids":[[%d,1]],"asks":[]}}'
        await client.xadd(key, {"data": body % (epoch, number, number)}, id=f"{epoch}-{number}")
        await client.publish(key, body % (epoch, number, number))
    await received.until(lambda: follower.counters.recoveries == 1)
    assert [price for price, _ in _levels(follower)] == [5.0, 4.0, 3.0, 2.0]
    assert received.kinds == ["snapshot", "untrusted", "delta", "delta", "delta", "delta", "snapshot"]


async def test_a_new_writer_is_followed(bus: Bus, other: Bus, name: StreamName, make_book: Any, received: Any) -> None:
    """When a new version takes the stream over, a reader moves to its epoch and its book."""
    old, new = make_book(bus, name), make_book(bus, name)
    await old.writer.open()
    old.bid(10.0, 1.0)
    follower = other.follow(name, received)
    await follower.ready()
    new.book.apply([(11.0, 5.0)], [], None)
    await new.writer.open()
    await received.right(follower, new.writer.last)
    assert _levels(follower) == [(11.0, 5.0)]
    assert follower.counters.resyncs == 1


@pytest.mark.parametrize("watched", ["watchTicker", "createOrder"])
async def test_a_reader_leaves_an_epoch_that_redis_has_lost(
    killable: EmbeddedServer,
    bus: Bus,
    other: Bus,
    name: StreamName,
    received: Any,
    monkeypatch: pytest.MonkeyPatch,
    watched: str,
) -> None:
    """Redis is emptied while no writer runs, and the clock of the next writer is behind: its messages are followed."""

    def writer() -> StreamWriter:
        return bus.writer(stream, (lambda as_of: {"asOf": str(as_of)}) if stream.has_snapshots else None)

    stream = name._replace(action=Action(watched))
    before = writer()
    with monkeypatch.context() as patched:
        patched.setattr(numbered_module, "now_ms", lambda: now_ms() + 3_600_000)
        await before.open()
    follower = other.follow(stream, received)
    await follower.ready()
    await before.close()
    async with redis.asyncio.Redis.from_url(killable.url) as client:
        await client.flushall()
    after = writer()
    await after.open()
    await received.until(
        lambda: follower.trusted and follower.last is not None and follower.last.epoch == after.last.epoch
    )
    assert after.last.epoch < before.last.epoch
    assert "untrusted" in received.kinds
    assert follower.counters.resyncs == 1


async def test_a_wrong_book_is_never_called_good(
    server: EmbeddedServer, other: Bus, published: Any, received: Any
) -> None:
    """A checksum that does not match makes a reader start again at the snapshot."""
    await published.writer.open()
    follower = other.follow(published.writer.name, received)
    await follower.ready()
    published.book.apply([(10.0, 1.0)], [], None)
    published.bid(11.0, 1.0)
    await received.until(lambda: "untrusted" in received.kinds)
    assert not follower.trusted
    published.writer.snapshot()
    last = published.bid(12.0, 1.0)
    await received.right(follower, last)
    assert _levels(follower) == [(12.0, 1.0), (11.0, 1.0), (10.0, 1.0)]
    assert follower.counters.flaws >= 1


@pytest.mark.parametrize("forgets", ["nothing", "tail", "all"])
async def test_a_reader_is_right_again_after_redis_died(
    killable: EmbeddedServer, other: Bus, published: Any, received: Any, forget_tail: Any, forget_all: Any, forgets: str
) -> None:
    """Readers recover within 5 s of the return, whatever Redis lost, and no wrong book is trusted."""
    truth: dict[Any, Any] = {}
    steps = itertools.count(1)

    def change() -> Any:
        step = next(steps)
        last = published.bid(float(step * 7 % 50 + 1), float(step * 5 % 3))
        truth[last] = published.book.bids.levels()
        return last

    def check(update: Update) -> None:
        if update.trusted and update.id in truth:
            assert _levels(update) == truth[update.id]
        received(update)

    await published.writer.open()
    follower = other.follow(published.writer.name, check)
    await follower.ready()
    for _ in range(3):
        for _ in range(200):
            change()
            await asyncio.sleep(0)
        await published.writer.drained()
        if forgets == "nothing":
            await killable.kill()
            change()
            await killable.restart()
        else:
            await (forget_tail if forgets == "tail" else forget_all)(killable)
        last = change()
        async with asyncio.timeout(5):
            await received.right(follower, last)
        assert _levels(follower) == published.book.bids.levels()
    assert follower.trusted
    assert published.writer.counters.epochs == 1


async def test_several_followers_share_one_stream(other: Bus, published: Any, make_received: Any) -> None:
    """The second listener gets the state that is there; closing one leaves the other."""
    first, second = make_received(), make_received()
    await published.writer.open()
    one = other.follow(published.writer.name, first)
    await one.ready()
    two = other.follow(published.writer.name, second)
    await second.until(lambda: second.kinds[:1] == ["snapshot"])
    assert one.counters is two.counters
    await one.close()
    last = published.bid(10.0, 1.0)
    await second.right(two, last)
    assert "delta" not in first.kinds
    await two.close()
    await two.close()


async def test_a_listener_that_fails_disturbs_no_other(other: Bus, published: Any, make_received: Any) -> None:
    """Its owner gets the error, once; the other listeners of the stream get what comes."""
    errors: list[Exception] = []

    def fail(update: Update) -> None:
        raise ValueError(update.kind)

    received = make_received()
    await published.writer.open()
    failing = other.follow(published.writer.name, fail, on_failed=errors.append)
    follower = other.follow(published.writer.name, received)
    last = published.bid(10.0, 1.0)
    await received.right(follower, last)
    assert [str(error) for error in errors] == ["snapshot"]
    assert failing.failure is errors[0]
    assert not failing.trusted
    with pytest.raises(ValueError, match="snapshot"):
        await failing.ready()


async def test_a_failure_that_nobody_takes_is_reported(other: Bus, published: Any) -> None:
    """Without `on_failed` the loop's exception handler gets the error."""
    reports: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reports.append(context))

    def fail(update: Update) -> None:
        raise ValueError(update.kind)

    await published.writer.open()
    with pytest.raises(ValueError, match="snapshot"):
        await other.follow(published.writer.name, fail).ready()
    assert len(reports) == 1


async def test_an_unforeseen_error_in_one_stream_disturbs_no_other(
    monkeypatch: pytest.MonkeyPatch, bus: Bus, other: Bus, published: Any, answers: StreamName, received: Any
) -> None:
    """A message that breaks the state of one stream does not end the connection over which all come."""
    failures: list[Exception] = []
    writer = bus.writer(answers, None)
    await writer.open()
    await published.writer.open()
    broken = other.follow(answers, lambda _: None, on_failed=failures.append)
    follower = other.follow(published.writer.name, received)
    await broken.ready()
    await follower.ready()
    monkeypatch.setattr(broken._stream.gap_recovery, "on_message", lambda *_: 1 / 0)
    writer.response({"n": 1})
    await received.right(follower, published.bid(10.0, 1.0))
    last = published.bid(11.0, 1.0)
    await received.right(follower, last)
    assert [type(failure) for failure in failures] == [TaskFailed]
    assert not broken.trusted
    assert "untrusted" not in received.kinds


async def test_following_that_ends_by_itself_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, other: Bus, published: Any, received: Any, make_received: Any
) -> None:
    """Whether an unforeseen error or a cancellation from inside ends it: the owner learns so, and may follow again."""
    await published.writer.open()
    for trouble in (ZeroDivisionError("unforeseen"), asyncio.CancelledError()):
        failures: list[Exception] = []

        def break_down(*_: object, trouble: BaseException = trouble, **__: object) -> None:
            raise trouble

        with monkeypatch.context() as patched:
            patched.setattr(GapRecovery, "took_snapshot", break_down)
            follower = other.follow(published.writer.name, received, on_failed=failures.append)
            async with asyncio.timeout(5):
                with pytest.raises(TaskFailed):
                    await follower.ready()
        assert len(failures) == 1
        again = other.follow(published.writer.name, make_received())
        async with asyncio.timeout(5):
            await again.ready()
        await follower.close()
        await again.close()


async def test_answers_are_followed_from_now_on(bus: Bus, other: Bus, answers: StreamName, received: Any) -> None:
    """A reader of answers needs no snapshot, is ready before the stream exists, and misses none after that."""
    follower = other.follow(answers, received)
    async with asyncio.timeout(5):
        await follower.ready()
    writer = bus.writer(answers, None)
    await writer.open()
    last = writer.response({"requestId": "a"})
    await received.right(follower, last)
    assert [update.data["requestId"] for update in received.updates if update.kind == "response"] == ["a"]


async def test_answers_are_followed_once_a_foreign_entry_is_gone(
    server: EmbeddedServer, bus: Bus, other: Bus, answers: StreamName, received: Any
) -> None:
    """No writer can write after its id until the key is deleted; what it writes then is not below what was read."""
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.xadd(str(answers), {"data": "?"}, id="9999999999999-1")
        follower = other.follow(answers, received)
        await follower.ready()
        await client.delete(str(answers))
    writer = bus.writer(answers, None)
    await writer.open()
    writer.response({"requestId": "1"})
    await received.until(lambda: "response" in received.kinds)


async def test_old_answers_come_from_the_start(bus: Bus, other: Bus, answers: StreamName, make_received: Any) -> None:
    """With `from_start` everything in the journal comes; without, nothing of it."""
    writer = bus.writer(answers, None)
    await writer.open()
    last = writer.response({"requestId": "a"})
    await writer.drained()
    from_start, from_now = make_received(), make_received()
    await from_start.right(other.follow(answers, from_start, from_start=True), last)
    await other.follow(answers, from_now).ready()
    assert "response" in from_start.kinds
    assert "response" not in from_now.kinds


async def test_a_reader_of_answers_learns_what_was_trimmed_while_it_was_away(
    killable: EmbeddedServer, other: Bus, answers: StreamName, received: Any
) -> None:
    """What was trimmed while its connection was cut is missed, and a snapshot says so; what is left comes."""
    key, body = str(answers), '{"id":"1-%d","type":"response","timestamp":null,"trace":{},"data":{"requestId":"%d"}}'
    async with redis.asyncio.Redis.from_url(killable.url) as client:
        await client.xadd(key, {"data": body % (1, 1)}, id="1-1")
        follower = other.follow(answers, received)
        await follower.ready()
        async with client.pipeline(transaction=True) as away:
            away.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            for number in range(2, 8):
                away.xadd(key, {"data": body % (number, number)}, id=f"1-{number}")
            away.xtrim(key, maxlen=2, approximate=False)
            await away.execute()
    await received.right(follower, MessageId(1, 7))
    assert [(update.kind, str(update.id), update.trusted) for update in received.updates] == [
        ("snapshot", "1-1", True),
        ("untrusted", "1-1", False),
        ("snapshot", "1-5", False),
        ("response", "1-6", False),
        ("response", "1-7", False),
        ("snapshot", "1-7", True),
    ]


async def test_answers_survive_the_death_of_redis(
    killable: EmbeddedServer, bus: Bus, other: Bus, answers: StreamName, received: Any, forget_all: Any
) -> None:
    """Each answer comes exactly once and in order, though Redis lost everything in between."""
    follower = other.follow(answers, received)
    await follower.ready()
    writer = bus.writer(answers, None)
    await writer.open()
    for number in range(5):
        last = writer.response({"requestId": str(number)})
    await received.right(follower, last)
    await forget_all(killable)
    for number in range(5, 10):
        last = writer.response({"requestId": str(number)})
    await received.right(follower, last)
    ids = [update.data["requestId"] for update in received.updates if update.kind == "response"]
    assert ids == [str(number) for number in range(10)]


async def test_a_quiet_stream_is_dead(
    monkeypatch: pytest.MonkeyPatch, bus: Bus, other: Bus, name: StreamName, make_book: Any, received: Any, server: Any
) -> None:
    """A stream of which no message comes any more is `dead`, and alive again with the next message."""
    monkeypatch.setattr(follower_module, "DEAD_AFTER_S", 0.2)
    published = make_book(bus, name)
    await published.writer.open()
    follower = other.follow(name, received)
    await follower.ready()
    await received.until(lambda: follower.status == "dead")
    assert received.updates[-1].kind == "status"
    last = published.bid(10.0, 1.0)
    await received.right(follower, last)
    assert follower.status == "live"


async def test_what_is_no_message_changes_nothing(
    server: EmbeddedServer, other: Bus, published: Any, received: Any
) -> None:
    """Rubbish that a person publishes on a stream's channel is counted and passed over."""
    await published.writer.open()
    follower = other.follow(published.writer.name, received)
    await follower.ready()
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.publish(str(published.writer.name), "hello")
    last = published.bid(10.0, 1.0)
    await received.right(follower, last)
    assert follower.counters.malformed == 1


async def test_a_plain_client_needs_nothing_of_ours(server: EmbeddedServer, published: Any) -> None:
    """Snapshot, then the journal beyond its `asOf`: that is all that a book takes."""
    await published.writer.open()
    for amount in range(10):
        published.bid(10.0 + amount, 1.0)
    await published.writer.drained()
    state = BookState()
    async with redis.asyncio.Redis.from_url(server.url) as client:
        ((_, fields),) = await client.xrevrange(published.writer.name.snapshot, count=1)
        as_of = state.reset(decode(fields[b"data"]).data)
        for _, entry in await client.xrange(str(published.writer.name), min=f"({as_of}"):
            message = decode(entry[b"data"])
            if message.type == "delta":
                state.apply(message.data)
    assert state.book.bids.levels() == published.book.bids.levels()


async def test_a_snapshot_of_another_type_ends_the_following_with_the_reason(
    server: EmbeddedServer, other: Bus, name: StreamName, received: Any
) -> None:
    """`ready` raises it; without the limit it would wait for ever."""
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.set(name.snapshot, "no stream")
    failed: list[Exception] = []
    follower = other.follow(name, received, on_failed=failed.append)
    async with asyncio.timeout(60):
        with pytest.raises(TaskFailed, match="WRONGTYPE"):
            await follower.ready()
    assert len(failed) == 1
    await follower.close()


async def test_a_channel_that_is_forbidden_ends_the_following_with_the_reason(
    killable: EmbeddedServer, name: StreamName, received: Any
) -> None:
    """Redis does not say which channel it refused: it is the one that was asked for first."""
    async with redis.asyncio.Redis.from_url(killable.url) as client:
        await client.execute_command("ACL", "SETUSER", "u", "on", ">p", "~*", "+@all", "resetchannels")
    async with Bus.connect(killable.url.replace("redis://", "redis://u:p@")) as bus, asyncio.timeout(60):
        follower = bus.follow(name, received, on_failed=lambda error: None)
        with pytest.raises(TaskFailed, match="NOPERM"):
            await follower.ready()
        await follower.close()


async def test_a_script_that_keeps_redis_busy_ends_nothing(
    killable: EmbeddedServer, bus: Bus, other: Bus, tenant: Tenant, answers: StreamName, received: Any
) -> None:
    """Redis refuses everything meanwhile. What was asked for then is done once the script has ended."""
    await other.follow(answers, lambda _: None).ready()
    await bus.orders.open_ids(tenant, answers.exchange, Symbol("KCS/USDT"))
    async with redis.asyncio.Redis.from_url(killable.url) as client, asyncio.timeout(60):
        await client.config_set("busy-reply-threshold", 10)
        script = asyncio.ensure_future(client.eval("while true do end", 0))
        async with redis.asyncio.Redis.from_url(killable.url) as person:
            while True:
                try:
                    await person.ping()
                except redis.exceptions.ResponseError as error:
                    assert "BUSY" in str(error)
                    break
            follower = other.follow(answers._replace(action=Action("cancelOrder")), received)
            asked = asyncio.ensure_future(bus.orders.open_ids(tenant, answers.exchange, Symbol("KCS/USDT")))
            await asyncio.sleep(0.2)
            await person.script_kill()
        with pytest.raises(redis.exceptions.ResponseError):
            await script
        await follower.ready()
        assert await asked == set()


async def test_a_connection_that_is_never_made_again_fails_its_followers(
    killable: EmbeddedServer,
    other: Bus,
    name: StreamName,
    published: Any,
    received: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An unforeseen error ends it: everybody learns that, and who follows again gets a new one."""
    await published.writer.open()
    failed: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
    follower = other.follow(name, received, on_failed=failed.set_result)
    await follower.ready()
    connect = reconnecting_module.connect

    async def fail_once(address: Any, client: str, *listeners: Any) -> Any:
        if client.endswith(".subscribe"):
            monkeypatch.setattr(reconnecting_module, "connect", connect)
            raise ValueError("unforeseen")
        return await connect(address, client, *listeners)

    monkeypatch.setattr(reconnecting_module, "connect", fail_once)
    async with redis.asyncio.Redis.from_url(killable.url) as client, asyncio.timeout(60):
        await client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        assert "unforeseen" in str(await failed)
        await follower.close()
        again = other.follow(name, received)
        await again.ready()
        await again.close()
