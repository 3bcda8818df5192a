import asyncio
from typing import Any

import pytest

from millrace_bus import Bus
from millrace_core.ids import MessageId
from millrace_core.messages import RequestError, Response
from millrace_core.names import StreamName, Tenant, trader_actions
from millrace_core.requests import Halt
from millrace_dbsync.reading.intake import Intake, JournalBatch

TENANT = Tenant("Ann")


async def test_every_message_is_stored_once(dbsync: Any, feed: Any) -> None:
    """The rows are the journals' messages, one for one, those from before its start and those from after."""
    feed.write(200)
    await feed.drained()
    await dbsync.start()
    await dbsync.reached(feed.trades.name, feed.trades.last)
    for _ in range(5):
        feed.write(50)
        await asyncio.sleep(0.05)
    await dbsync.all_stored(feed.trades, feed.book)
    snapshots = f"stream.snapshot.{str(feed.book_name).removeprefix('stream.')}"
    assert await dbsync.stored(snapshots, "snapshots") == [MessageId(feed.book.last.epoch, 1)]
    assert await dbsync.gaps() == []


async def test_a_new_stream_is_found_within_about_a_second(dbsync: Any, bus: Bus, feed: Any, make_feed: Any) -> None:
    """A stream that matches a pattern is stored soon after it appears, from its first message on."""
    await dbsync.start()
    await dbsync.reached(feed.trades.name, feed.trades.last)
    later = make_feed(bus, "ETH/USDT")
    await later.open()
    last = later.write(5)
    await dbsync.reached(later.trades.name, last, within_s=3)
    await dbsync.all_stored(later.trades, later.book)
    assert await dbsync.gaps() == []
    await later.close()


async def test_only_what_the_configuration_names_is_stored(dbsync: Any, feed: Any) -> None:
    """Streams that no pattern matches leave no row."""
    last = feed.write(5)
    await dbsync.start("stream.Ann.binance.watchTrades.*")
    await dbsync.reached(feed.trades.name, last)
    assert await dbsync.position(str(feed.book.name)) is None


async def test_an_asset_that_matches_nothing_is_named(dbsync: Any, feed: Any) -> None:
    """In the unit's detail, with streams that are near; what the others match is stored all the same."""
    last = feed.write(5)
    wrong = str(feed.book.name).replace("/", "")
    await dbsync.start("stream.Ann.binance.watchTrades.*", wrong)
    await dbsync.reached(feed.trades.name, last)
    async with asyncio.timeout(60):
        while (unit := await dbsync.unit()) is None or unit.detail is None:
            await asyncio.sleep(0.02)
    assert (unit.state, unit.detail) == ("live", f"{wrong} matches no stream; did you mean {feed.book.name}?")


async def test_what_came_while_it_was_away_is_stored_when_it_is_back(dbsync: Any, feed: Any) -> None:
    """It resumes where it was: nothing twice, nothing left out."""
    await dbsync.start()
    last = feed.write(20)
    await dbsync.reached(feed.trades.name, last)
    await dbsync.stop()
    feed.write(30)
    await feed.drained()
    await dbsync.start()
    await dbsync.all_stored(feed.trades, feed.book)
    assert await dbsync.gaps() == []


async def test_a_gap_in_a_journal_is_one_row_with_the_exact_count(dbsync: Any, bus: Bus, feed: Any) -> None:
    """Entries removed from the journal become gaps with their exact ids and count, and an alarm."""
    await dbsync.start()
    await dbsync.reached(feed.trades.name, feed.write(20))
    await dbsync.stop()
    start, name = feed.trades.last, str(feed.trades.name)
    feed.write(40)
    await feed.drained()
    lost = [MessageId(start.epoch, start.seq + n) for n in (5, 6, 7, 20)]
    await bus._publishing.call("XDEL", name, *map(str, lost))
    await dbsync.start()
    await dbsync.reached(name, feed.trades.last)
    gaps = [gap[:5] for gap in await dbsync.gaps()]
    assert gaps == [
        (name, start.epoch, start.seq + 5, start.seq + 7, 3),
        (name, start.epoch, start.seq + 20, start.seq + 20, 1),
    ]
    assert set(await dbsync.journal(name)) == set(await dbsync.stored(name))
    unit = await dbsync.unit_with("gaps")
    assert (unit.counters["gaps"], unit.counters["lost"]) == (2, 4)


async def test_what_was_trimmed_before_it_was_read_is_counted(dbsync: Any, bus: Bus, feed: Any) -> None:
    """A journal that was cut beyond where it was stored lacks exactly what was cut."""
    await dbsync.start()
    await dbsync.reached(feed.trades.name, feed.write(20))
    await dbsync.stop()
    start, name = feed.trades.last, str(feed.trades.name)
    feed.write(100)
    await feed.drained()
    await bus._publishing.call("XTRIM", name, "MINID", "=", f"{start.epoch}-{start.seq + 61}")
    await dbsync.start()
    await dbsync.reached(name, feed.trades.last)
    (gap,) = await dbsync.gaps()
    assert gap[:5] == (name, start.epoch, start.seq + 1, start.seq + 60, 60)
    assert "trimmed" in gap[5]


async def test_a_new_epoch_is_no_gap(dbsync: Any, bus: Bus, feed: Any, make_feed: Any) -> None:
    """A restarted writer lost nothing, whether dbsync ran or not."""
    await dbsync.start()
    await dbsync.reached(feed.trades.name, feed.write(20))
    second = make_feed(bus)
    await second.open()
    await dbsync.reached(second.trades.name, second.write(5))
    await dbsync.stop()
    third = make_feed(bus)
    await third.open()
    await third.drained()
    third.write(5)
    await third.drained()
    await dbsync.start()
    await dbsync.reached(third.trades.name, third.trades.last)
    name = str(feed.trades.name)
    assert await dbsync.stored(name) == await dbsync.journal(name)
    assert len({entry.epoch for entry in await dbsync.stored(name)}) == 3
    assert await dbsync.gaps() == []
    await second.close()
    await third.close()


async def test_a_redis_that_lost_everything_leaves_a_doubt_and_no_number(
    dbsync: Any, bus: Bus, feed: Any, make_feed: Any
) -> None:
    """After the journals are gone, the new epoch is stored, and of the old one's end no number is made up."""
    await dbsync.start()
    old = feed.write(20)
    await dbsync.reached(feed.trades.name, old)
    await dbsync.reached(feed.book.name, feed.book.last)
    await feed.close()
    await bus._publishing.call("FLUSHALL")
    await dbsync.configure()
    again, name = make_feed(bus), str(feed.trades.name)
    await again.open()
    new = again.write(5)
    assert new.epoch > old.epoch
    await dbsync.reached(name, new)
    (gap,) = [gap for gap in await dbsync.gaps() if gap[0] == name]
    assert (gap[1], gap[4]) == (old.epoch, 0)
    assert "not known" in gap[5]
    assert set(await dbsync.journal(name)) <= set(await dbsync.stored(name))
    await again.close()


async def test_poison_goes_to_dead_letters_and_the_rest_goes_on(dbsync: Any, bus: Bus, feed: Any) -> None:
    """An unreadable message is kept with the reason; those around it are stored."""
    name = "stream.Ann.kucoin.watchTrades.KCS/USDT"
    huge = b'{"id":"1-3","type":"status","timestamp":%d,"trace":{},"data":{"status":"live"}}' % 2**70
    good = b'{"id":"1-4","type":"status","timestamp":1,"trace":{},"data":{"status":"live","reason":"a\\u0000b"}}'
    for number, body in enumerate((b"{", b'{"id":"\xff"}', huge, good), 1):
        await bus._publishing.call("XADD", name, f"1-{number}", "data", body)
    await bus.register_journals(Tenant("Ann"), name)
    last = feed.write(10)
    await dbsync.start()
    await dbsync.reached(name, MessageId(1, 4))
    await dbsync.reached(feed.trades.name, last)
    assert set(await dbsync.stored(name)) == {MessageId(1, number) for number in (1, 2, 3, 4)}
    assert set(await dbsync.stored(name, "dead_letters")) >= {MessageId(1, 1), MessageId(1, 2)}
    assert MessageId(1, 4) in await dbsync.stored(name, "statuses")
    unit = await dbsync.unit_with("deadLetters")
    assert unit.counters["deadLetters"] >= 2


async def test_requests_and_answers_are_stored_and_failures_have_their_reason(dbsync: Any, bus: Bus) -> None:
    """What was asked, what was answered, and of what was not done why."""
    request_id = await bus.requests.send(TENANT, Halt())
    answers = bus.writer(StreamName.parse("stream.Ann.binance.createOrder.KCS/USDT"), None)
    await answers.open()
    error = RequestError("RiskRefused", "above the limit of 100 USDT")
    answers.response(Response(request_id, "rejected", error=error))
    last = answers.response(Response("b" * 32, "done"))
    await dbsync.start()
    await dbsync.reached(answers.name, last)
    async with bus.journals() as journals:
        extent = (await journals.extents([trader_actions(TENANT)]))[trader_actions(TENANT)]
    await dbsync.reached(trader_actions(TENANT), extent.newest)
    requests = await dbsync.rows.fetch("SELECT request_id FROM requests")
    assert requests == [(request_id,)]
    failed = await dbsync.rows.fetch("SELECT request_id, status, kind, reason FROM failed_executions")
    assert failed == [(request_id, "rejected", "RiskRefused", "above the limit of 100 USDT")]
    await answers.close()


async def test_latencies_are_counted_once(dbsync: Any, feed: Any) -> None:
    """Each message with a trace counts once in each of its hops."""
    feed.write(30)
    await feed.drained()
    await dbsync.start()
    await dbsync.reached(feed.trades.name, feed.trades.last)
    counted = await dbsync.rows.fetch(
        "SELECT hop, SUM(count) FROM latencies l JOIN streams s ON s.id = l.stream_id "
        "WHERE s.action = 'watchTrades' AND s.face = 'deltas' GROUP BY hop ORDER BY hop"
    )
    assert [(hop, int(count)) for hop, count in counted] == [("exchange→received", 30), ("received→published", 30)]


async def test_reading_that_is_cancelled_from_inside_is_a_failure(
    dbsync: Any, feed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that ends unexpectedly fails its unit, which is restarted and stores everything."""
    read, is_cancelled = Intake.next, False

    async def cancelled_once(intake: Intake) -> JournalBatch:
        nonlocal is_cancelled
        if not is_cancelled:
            is_cancelled = True
            raise asyncio.CancelledError
        return await read(intake)

    monkeypatch.setattr(Intake, "next", cancelled_once)
    await dbsync.start()
    last = feed.write(20)
    unit = await dbsync.unit_with("failures")
    assert unit.counters["failures"] == 1
    await dbsync.reached(feed.trades.name, last)
    await dbsync.all_stored(feed.trades, feed.book)
