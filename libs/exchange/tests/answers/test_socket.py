"""What becomes of requests when their socket does not keep its promises."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from libs.exchange.tests.answers.conftest import BY_SOCKET, Account
from libs.exchange.tests.answers.reply import Reply
from libs.exchange.tests.answers.server import ScriptedServer
from libs.exchange.tests.answers.test_faulty_answers import create, open_orders
from libs.exchange.tests.answers.test_identity import ORDER
from picows import WSMsgType

from millrace_exchange import Acknowledgement, ExchangeError, OutcomeUnknown, Retryable, guarded

DONE = Reply(json.dumps(ORDER).encode())
HELD = Reply(is_held=True)


async def answered(request: Any) -> Any:
    try:
        return await request
    except ExchangeError as error:
        return error


async def under_way(server: ScriptedServer, *requests: Any) -> "list[asyncio.Task[Any]]":
    """Send requests that are not answered; return once the exchange has them."""
    expected, all_there = len(server.requests) + len(requests), asyncio.Event()

    def hold(_: bytes) -> Reply:
        if len(server.requests) == expected:
            all_there.set()
        return HELD

    server.answer = hold
    tasks = [asyncio.create_task(answered(request)) for request in requests]
    async with asyncio.timeout(10):
        await all_there.wait()
    server.answer = lambda _: server.reply
    return tasks


def say(server: ScriptedServer, **frame: Any) -> None:
    """Send a frame that no request asked for."""
    server.sockets[-1].send(WSMsgType.TEXT, json.dumps(frame).encode())


@pytest.fixture
async def ours(account: Callable[[str], Account]) -> Account:
    """An account whose socket is open."""
    opened = account(BY_SOCKET)
    await opened.fresh()
    return opened


async def test_what_is_under_way_when_the_socket_is_cut_is_unknown(server: ScriptedServer, ours: Account) -> None:
    """Each of several orders may have been placed; a question may be asked again."""
    tasks = await under_way(server, create(ours), create(ours), open_orders(ours))
    server.sockets[-1].disconnect(graceful=False)
    kinds = [type(outcome) for outcome in await asyncio.gather(*tasks)]
    assert kinds == [OutcomeUnknown, OutcomeUnknown, Retryable]


async def test_requests_go_over_http_until_the_socket_is_open_again(server: ScriptedServer, ours: Account) -> None:
    """No order waits for a connection."""
    server.sockets[-1].disconnect(graceful=False)
    server.reply = DONE
    await server.sockets[-1].wait_disconnected()
    await asyncio.sleep(0)
    first = await create(ours)
    await ours.fresh()
    second = await create(ours)
    assert isinstance(first, Acknowledgement)
    assert isinstance(second, Acknowledgement)
    assert len(server.sockets) == 2
    assert server.requests[-1].startswith(b"POST /api/v3/order?")


@pytest.mark.parametrize(
    "frame",
    [
        {"id": 77, "status": 200, "result": ORDER},
        {"id": 0, "status": 200, "result": ORDER},
        {"id": "1", "status": 200, "result": ORDER},
        {"id": None, "status": 400, "error": {"code": -1135, "msg": "Invalid JSON Request"}},
        {"status": 200, "result": ORDER},
        {"id": 1, "result": ORDER},
        {"id": 1, "status": "200", "result": ORDER},
        {},
    ],
)
async def test_a_frame_that_answers_no_request_makes_all_unknown(
    frame: dict[str, Any], server: ScriptedServer, ours: Account
) -> None:
    """It may be the answer to any of them, spoiled on its way."""
    tasks = await under_way(server, create(ours), create(ours))
    say(server, **frame)
    assert [type(outcome) for outcome in await asyncio.gather(*tasks)] == [OutcomeUnknown, OutcomeUnknown]


async def test_an_answer_that_comes_twice_is_taken_once(server: ScriptedServer, ours: Account) -> None:
    """The second is no answer to what is under way by then."""
    server.reply = DONE
    await create(ours)
    (task,) = await under_way(server, create(ours))
    say(server, id=1, status=200, result=ORDER | {"orderId": 7})
    say(server, id=2, status=200, result=ORDER)
    assert (await task).orders[0].id == str(ORDER["orderId"])


async def test_an_answer_to_a_request_that_was_given_up_is_nobodys(server: ScriptedServer, ours: Account) -> None:
    """It comes late; the socket stays."""
    (task,) = await under_way(server, create(ours))
    task.cancel()
    await asyncio.wait({task})
    say(server, id=1, status=200, result=ORDER)
    server.reply = DONE
    assert isinstance(await create(ours), Acknowledgement)
    assert len(server.sockets) == 1


async def test_a_socket_that_ends_soon_is_replaced_and_what_is_under_way_is_answered(
    server: ScriptedServer, ours: Account
) -> None:
    """Binance announces the end; the next request goes over another socket."""
    (task,) = await under_way(server, create(ours))
    say(server, event={"e": "serverShutdown", "E": 1_700_000_000_000})
    async with asyncio.timeout(10):
        while len(server.sockets) < 2:
            await asyncio.sleep(0)
    server.reply = DONE
    assert isinstance(await create(ours), Acknowledgement)
    server.sockets[0].send(WSMsgType.TEXT, json.dumps({"id": 1, "status": 200, "result": ORDER}).encode())
    assert isinstance(await task, Acknowledgement)
    await server.sockets[0].wait_disconnected()


async def test_nothing_leaves_that_its_sender_does_not_want_sent_any_more(
    server: ScriptedServer, ours: Account
) -> None:
    """Its sender is asked once more when the request is signed."""

    class Unwanted(Exception):
        pass

    class Guard:
        def is_sure(self) -> bool:
            raise Unwanted

        async def assure(self) -> None:
            """Let it begin."""

    with guarded(Guard()), pytest.raises(Unwanted):
        await create(ours)
    assert server.requests == []


async def test_a_socket_that_was_replaced_is_closed_with_the_account(server: ScriptedServer, ours: Account) -> None:
    """It stood open for the sake of an answer, which is given up."""
    (task,) = await under_way(server, create(ours))
    say(server, event={"e": "serverShutdown", "E": 1_700_000_000_000})
    async with asyncio.timeout(10):
        while ours._line is None or not ours._line._retiring:
            await asyncio.sleep(0)
        await ours.close()
        await server.sockets[0].wait_disconnected()
    assert isinstance(await task, OutcomeUnknown)
