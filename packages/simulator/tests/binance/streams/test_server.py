"""The paths that open market streams, and the requests on them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest

from millrace_simulator.binance.streams import ConnectionRules

if TYPE_CHECKING:
    from .conftest import Stand

TRADES, DEPTH, TICKER = "btcusdt@trade", "btcusdt@depth@100ms", "btcusdt@ticker"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"/ws/{TRADES}", [TRADES]),
        (f"/ws/{TRADES}/{DEPTH}", [TRADES, DEPTH]),
        ("/ws", []),
        ("/ws/", []),
        ("/ws/0", []),
        ("/ws/stream", []),
        (f"/stream?streams={TRADES}/{DEPTH}", [TRADES, DEPTH]),
        ("/stream", []),
        ("/stream/", []),
        ("/stream/3", []),
    ],
)
async def test_a_path_opens_the_streams_that_it_names(stand: Stand, path: str, expected: list[str]) -> None:
    """Streams in the path or query are sent from the start; what is no stream name is tolerated."""
    client = await stand.connect(path)
    assert await client.request("LIST_SUBSCRIPTIONS") == {"result": expected, "id": 1}


async def test_what_is_subscribed_is_sent_and_what_is_left_is_not(stand: Stand) -> None:
    """Subscribing twice delivers once; leaving a stream that was never joined is harmless."""
    client = await stand.connect("/ws")
    for _ in range(2):
        assert await client.request("SUBSCRIBE", DEPTH, request_id=0) == {"result": None, "id": 0}
    stand.pass_time(100)
    assert [event["e"] for event in await client.events()] == ["depthUpdate"]
    assert await client.request("UNSUBSCRIBE", DEPTH, "never@joined", request_id="x") == {"result": None, "id": "x"}
    stand.pass_time(100)
    assert await client.events() == []


async def test_combined_connections_wrap_events_but_not_answers(stand: Stand) -> None:
    """On /stream every event comes as `{stream, data}`."""
    client = await stand.connect(f"/stream?streams={DEPTH}")
    assert await client.request("GET_PROPERTY", "combined") == {"result": True, "id": 1}
    stand.pass_time(100)
    (event,) = await client.events()
    assert event["stream"] == DEPTH
    assert event["data"]["s"] == "BTCUSDT"


async def test_wrapping_can_be_switched(stand: Stand) -> None:
    """SET_PROPERTY makes a raw connection a combined one and back."""
    client = await stand.connect(f"/ws/{DEPTH}")
    for combined in (True, False):
        assert await client.request("SET_PROPERTY", "combined", combined) == {"result": None, "id": 1}
        stand.pass_time(100)
        (event,) = await client.events()
        assert ("stream" in event) is combined


async def test_a_bad_request_is_refused_and_the_connection_lives_on(stand: Stand) -> None:
    """The refusal names what is wrong; the streams go on."""
    client = await stand.connect(f"/ws/{DEPTH}")
    await client.socket.send_str("{")
    assert (await client.socket.receive_json())["error"]["code"] == 3
    assert (await client.request("SUBSCRIBE", 7))["error"] == {"code": 2, "msg": "Invalid request: invalid stream"}
    stand.pass_time(100)
    assert len(await client.events()) == 1


@pytest.mark.parametrize("unknown", ["nosuch@trade", "btcusdt@nothing", "BTCUSDT@trade", "btcusdt"])
async def test_a_stream_that_does_not_exist_is_refused(stand: Stand, unknown: str) -> None:
    """Nothing of the request is subscribed, and an address that names such a stream is closed."""
    client = await stand.connect("/ws")
    refused = await client.request("SUBSCRIBE", TRADES, unknown)
    assert refused == {"error": {"code": 2, "msg": "Invalid request: invalid stream"}, "id": 1}
    assert (await client.request("LIST_SUBSCRIPTIONS"))["result"] == []
    if "@" in unknown:
        client = await stand.connect(f"/stream?streams={TRADES}/{unknown}")
        message = await client.socket.receive()
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1008)
        assert message.extra == '{"code":-1,"msg":"Illegal format ws or stream"}'


async def test_microseconds_are_sent_to_who_asks_for_them(stand: Stand) -> None:
    """`timeUnit=MICROSECOND` in the address changes all times."""
    client = await stand.connect(f"/ws/{DEPTH}?timeUnit=MICROSECOND")
    stand.pass_time(100)
    (event,) = await client.events()
    assert event["E"] == stand.clock.now_us()


async def test_a_client_that_leaves_is_forgotten(stand: Stand) -> None:
    """Events go on to the others when one of the listeners is gone."""
    leaving, staying = await stand.connect(f"/ws/{DEPTH}"), await stand.connect(f"/ws/{DEPTH}")
    await leaving.socket.close()
    stand.pass_time(100)
    assert len(await staying.events()) == 1


class TestFewStreams:
    """With a bound of two streams a connection."""

    @pytest.fixture
    def rules(self) -> ConnectionRules:
        """Return rules with a low bound."""
        return ConnectionRules(max_streams=2)

    async def test_a_connection_listens_to_no_more_streams_than_it_may(self, stand: Stand) -> None:
        """A request beyond the bound changes nothing; an address beyond it opens nothing."""
        client = await stand.connect(f"/ws/{TRADES}")
        assert (await client.request("SUBSCRIBE", DEPTH, TICKER))["error"]["code"] == 2
        assert (await client.request("LIST_SUBSCRIPTIONS"))["result"] == [TRADES]
        assert (await client.request("SUBSCRIBE", TRADES, DEPTH))["result"] is None
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await stand.connect(f"/ws/{TRADES}/{DEPTH}/{TICKER}")


async def test_at_the_end_every_client_is_notified_and_closed(stand: Stand) -> None:
    """Each client receives `serverShutdown`, then its connection is closed in order with 1001."""
    clients = [await stand.connect(path) for path in ("/ws", "/stream")]
    ending = asyncio.create_task(stand.shut_down())
    for client in clients:
        assert await client.socket.receive_json() == {"e": "serverShutdown", "E": stand.clock.now_us() // 1000}
        message = await client.socket.receive()
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)
    await ending
