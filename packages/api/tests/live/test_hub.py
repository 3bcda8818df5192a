"""Live streams as clients get them over a real WebSocket."""

import asyncio
import itertools
from typing import Any

import picows
import pytest

from millrace_api.live import messages
from millrace_core.book import OrderBook
from millrace_core.ids import MessageId
from millrace_core.market import BookSnapshot


async def test_a_client_gets_the_whole_book_first_and_then_each_change(
    api: Any, tenant: Any, book: Any, connect: Any
) -> None:
    """A snapshot as of a message, then every message after it, none left out."""
    socket = await connect(await api.token(tenant, "read"))
    socket.say(op="subscribe", stream=str(book.name))
    await socket.until(lambda: socket.of_type("snapshot"))
    last = [book.bid(9.0, float(amount)) for amount in range(1, 6)][-1]
    await socket.until(lambda: any(each["id"] == str(last) for each in socket.of_type("delta")))
    snapshot, deltas = socket.of_type("snapshot")[0], socket.of_type("delta")
    assert snapshot["data"]["bids"][0] == [10.0, 1.0]
    assert snapshot["stream"] == str(book.name)
    ids = [MessageId.parse(each["id"]) for each in deltas]
    assert ids[0].follows(MessageId.parse(snapshot["data"]["asOf"]))
    assert all(later.follows(earlier) for earlier, later in itertools.pairwise(ids))
    assert deltas[-1]["data"]["bids"] == [[9.0, 5.0]]


@pytest.mark.parametrize("is_followed", [True, False], ids=["from memory", "from the journal"])
async def test_a_client_resumes_after_the_last_message_that_it_has(
    is_followed: bool, api: Any, tenant: Any, book: Any, connect: Any, bus: Any
) -> None:
    """With `since` no snapshot comes but exactly the messages after it, and then live ones."""
    ids = [book.bid(9.0, float(amount)) for amount in range(1, 2_000)]
    token = await api.token(tenant, "read")
    if is_followed:
        other = await connect(token)
        other.say(op="subscribe", stream=str(book.name))
        await other.until(lambda: other.of_type("snapshot"))
        ids += [book.bid(8.0, float(amount)) for amount in range(1, 10)]
        await other.until(lambda: len(other.of_type("delta")) >= 9)
    since = ids[-5] if is_followed else ids[100]
    socket = await connect(token)
    socket.say(op="subscribe", stream=str(book.name), since=str(since))
    await socket.until(lambda: socket.of_type("resumed"))
    ids.append(book.bid(7.0, 1.0))
    await socket.until(lambda: socket.received[-1]["id"] == str(ids[-1]) and socket.received[-1]["type"] == "delta")
    wanted = [str(each) for each in ids if each > since]
    assert [each["id"] for each in socket.of_type("delta")] == wanted
    assert not socket.of_type("snapshot")


async def test_who_was_away_for_too_long_begins_with_the_whole_state(
    api: Any, tenant: Any, book: Any, connect: Any
) -> None:
    """A `since` that the journal does not know leads to a snapshot instead of a gap."""
    socket = await connect(await api.token(tenant, "read"))
    socket.say(op="subscribe", stream=str(book.name), since="1-1")
    await socket.until(lambda: socket.of_type("snapshot"))
    assert not socket.of_type("resumed", "delta")


async def test_public_feeds_are_everybodys_and_other_tenants_streams_are_nobodys(
    api: Any, tenant: Any, other: Any, connect: Any
) -> None:
    """A tenant may follow PUBLIC; what is another's is denied, and the attempt is recorded."""
    socket = await connect(await api.token(tenant, "read"))
    socket.say(op="subscribe", stream=f"stream.{other}.kucoin.watchBalance")
    await socket.until(lambda: socket.of_type("error"))
    socket.say(op="subscribe", stream=f"stream.{tenant}.kucoin.createOrder.KCS/USDT")
    await socket.until(lambda: socket.of_type("live"))
    async with asyncio.timeout(60):
        while not (trail := await api.audit(tenant)):
            await asyncio.sleep(0.01)  # it is recorded beside
    assert [row["target"] for row in trail] == [f"stream.{other}.kucoin.watchBalance"]


async def test_what_is_no_command_is_answered_by_what_would_be_one(api: Any, tenant: Any, connect: Any) -> None:
    """A mistake ends nothing: it is answered, and the next command is carried out."""
    socket = await connect(await api.token(tenant, "read"))
    for text in (b"\xff", b"{}", b'{"op":"subscribe","stream":"nonsense"}', b"[" * 3_000):
        socket.transport.send(picows.WSMsgType.TEXT, text)
    socket.say(op="subscribe", stream=f"stream.snapshot.{tenant}.kucoin.watchTicker.KCS/USDT")
    socket.say(op="unsubscribe", stream=f"stream.{tenant}.kucoin.watchTicker.KCS/USDT")
    await socket.until(lambda: socket.of_type("unsubscribed"))
    assert len(socket.of_type("error")) == 5


async def test_nobody_connects_without_a_token(api: Any, tenant: Any, connect: Any) -> None:
    """The handshake itself is refused, in words, and recorded."""
    with pytest.raises(picows.WSHandshakeError) as refused:
        await connect("mr_0123456789ab_guessed")
    assert refused.value.response is not None
    assert refused.value.response.status == 401
    assert (await api.audit("-"))[-1]["outcome"] == "denied"


async def test_a_revoked_token_ends_its_live_clients(api: Any, tenant: Any, connect: Any) -> None:
    """Its live clients are disconnected."""
    token = await api.token(tenant, "read")
    socket = await connect(token)
    await api.store.access.revoke_token(tenant, token.split("_")[1], 1)
    await socket.until(lambda: socket.closed)
    assert socket.closed == (1008, "this token was revoked or has expired")


async def test_a_client_learns_that_nobody_writes_its_stream(
    api: Any, tenant: Any, book: Any, connect: Any, bus: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what exists that is near; streams of answers have none until something is asked. It then comes as usual."""
    monkeypatch.setattr("millrace_api.live.hub.SILENT_S", 0.05)
    socket = await connect(await api.token(tenant, "read"))
    wrong = book.name._replace(symbol="KCSUSDT")
    answers = book.name._replace(action="createOrder")
    for name in (answers, wrong):
        socket.say(op="subscribe", stream=str(name))
    await socket.until(lambda: socket.of_type("waiting"))
    assert socket.of_type("waiting") == [
        {"type": "waiting", "stream": str(wrong), "detail": f"it has no writer; did you mean {book.name}?"}
    ]
    writer = bus.writer(wrong, lambda as_of: BookSnapshot([], [], str(as_of), OrderBook().checksum()))
    await writer.open()
    await socket.until(lambda: socket.of_type("snapshot"))
    await writer.close()


async def test_a_client_that_leaves_a_silent_stream_gets_no_note(
    api: Any, tenant: Any, book: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is left behind that waits for the stream."""
    monkeypatch.setattr("millrace_api.live.hub.SILENT_S", 0.2)
    socket = await connect(await api.token(tenant, "read"))
    tasks = len(api.services.hub._tasks)
    for symbol in ("A/B", "C/D"):
        socket.say(op="subscribe", stream=str(book.name._replace(symbol=symbol)))
    socket.say(op="unsubscribe", stream=str(book.name._replace(symbol="A/B")))
    await socket.until(lambda: socket.of_type("waiting"))
    assert [each["stream"] for each in socket.of_type("waiting")] == [str(book.name._replace(symbol="C/D"))]
    await asyncio.sleep(0)
    assert len(api.services.hub._tasks) == tasks


async def test_many_silent_streams_are_explained_from_one_list(
    api: Any, tenant: Any, book: Any, connect: Any, bus: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that subscribes to many wrong names makes Redis list the streams once, not once for each."""
    monkeypatch.setattr("millrace_api.live.hub.SILENT_S", 0.05)
    lists: list[Any] = []
    hub_bus = api.services.hub._bus
    stream_names = hub_bus.stream_names

    async def counted(tenants: Any) -> Any:
        lists.append(tenants)
        return await stream_names(tenants)

    monkeypatch.setattr(hub_bus, "stream_names", counted)
    socket = await connect(await api.token(tenant, "read"))
    for number in range(50):
        socket.say(op="subscribe", stream=str(book.name._replace(symbol=f"A{number}/B")))
    await socket.until(lambda: len(socket.of_type("waiting")) == 50)
    assert len(lists) < 10


async def test_all_who_wait_for_a_silent_stream_cost_one_look(
    api: Any, tenant: Any, book: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many sockets that follow the same streams without a writer share one search for each."""
    monkeypatch.setattr("millrace_api.live.hub.SILENT_S", 0.05)
    searched: list[Any] = []

    def counted(wanted: Any, existing: Any) -> Any:
        searched.append(wanted)
        return []

    monkeypatch.setattr("millrace_api.live.near.near_streams", counted)
    token = await api.token(tenant, "read")
    sockets = [await connect(token) for _ in range(4)]
    for socket in sockets:
        for number in range(10):
            socket.say(op="subscribe", stream=str(book.name._replace(symbol=f"A{number}/B")))
    for socket in sockets:
        await socket.until(lambda socket=socket: len(socket.of_type("waiting")) == 10)
    assert len(searched) == len(set(searched)) == 10


async def test_a_tenant_follows_so_many_streams(api: Any, tenant: Any, book: Any, connect: Any) -> None:
    """Over all of its sockets; one that is given up makes room for another."""
    limits = api.services.config.tenant_limits.model_copy(update={"subscriptions": 2})
    api.services.configure(api.services.config.model_copy(update={"tenant_limits": limits}))
    token = await api.token(tenant, "read")
    first, second = await connect(token), await connect(token)
    names = [str(book.name._replace(action="createOrder", symbol=f"A{number}/B")) for number in range(3)]
    first.say(op="subscribe", stream=names[0])
    first.say(op="subscribe", stream=names[1])
    await first.until(lambda: len(first.of_type("live")) == 2)
    second.say(op="subscribe", stream=names[2])
    await second.until(lambda: second.of_type("error"))
    first.say(op="unsubscribe", stream=names[0])
    await first.until(lambda: first.of_type("unsubscribed"))
    second.say(op="subscribe", stream=names[2])
    await second.until(lambda: second.of_type("live"))


async def test_a_state_is_encoded_once_for_all_who_begin(
    api: Any, tenant: Any, book: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy stream too, however often they begin; each gets the state and every message after it."""
    encoded, encode = [], messages.snapshot
    monkeypatch.setattr("millrace_api.live.topic.FRESH_S", 60.0)
    monkeypatch.setattr(messages, "snapshot", lambda *of: encoded.append(of) or encode(*of))
    token = await api.token(tenant, "read")
    sockets = [await connect(token) for _ in range(3)]
    for amount, socket in enumerate(sockets * 5, 1):
        socket.say(op="unsubscribe", stream=str(book.name))
        await socket.until(lambda socket=socket: socket.of_type("unsubscribed"))
        del socket.received[:]
        socket.say(op="subscribe", stream=str(book.name))
        last = str(book.bid(9.0, float(amount)))
        await socket.until(lambda socket=socket, last=last: socket.received and socket.received[-1].get("id") == last)
        ids = [MessageId.parse(each["id"]) for each in socket.received if each["type"] in ("snapshot", "delta")]
        assert socket.received[0]["type"] == "snapshot"
        assert all(later.follows(earlier) for earlier, later in itertools.pairwise(ids))
    assert len(encoded) == 1
