"""Questions that pages share, to a real server that counts them."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from aiohttp import web

from millrace_console.accounts import Account
from millrace_console.api import Api, ApiRefused
from millrace_console.polling import Poll, Polls

ANN, BOB = (Account(name, "x", "read", is_operator=False, token=f"of {name}") for name in ("Ann", "Bob"))


class _Server:
    """Answers with whose question it was; `/held` when it is let go, and never to a token that is revoked."""

    def __init__(self) -> None:
        self.api: Api
        self.asked: list[str] = []
        self.is_asked, self.lets_go, self.has_left = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one question."""
        whose = request.headers["Authorization"]
        self.asked.append(f"{whose} {request.path_qs}")
        self.is_asked.set()
        if request.path.endswith("/refused"):
            return web.json_response({"detail": "revoked"}, status=401)
        if request.path.endswith("/held"):
            try:
                await self.lets_go.wait()
            except asyncio.CancelledError:
                self.has_left.set()
                raise
        return web.json_response({"whose": whose})


@pytest_asyncio.fixture
async def server() -> AsyncIterator[_Server]:
    """A server, and the client of it that the console has."""
    served, app = _Server(), web.Application()
    app.router.add_get("/{path:.*}", served.answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    served.api = Api(f"http://127.0.0.1:{runner.addresses[0][1]}")
    yield served
    await served.api.close()
    await runner.cleanup()


async def test_what_is_asked_with_one_token_is_asked_once(server: _Server) -> None:
    """The answer is one object; another token's is its own, and so is that to other parameters."""
    poll = Poll(server.api, 60.0)
    asked = {"by": ["source", "symbol"], "descending": True, "until": None}
    answers = await asyncio.gather(*(poll.get(whose, "/pnl", **asked) for whose in (ANN, ANN, BOB)))
    assert answers[0] is answers[1] is await poll.get(ANN, "/pnl", **asked)
    assert [each["whose"] for each in answers] == ["Bearer of Ann", "Bearer of Ann", "Bearer of Bob"]
    await poll.get(ANN, "/pnl")
    path = "/api/v1/pnl"
    assert sorted(server.asked) == [
        f"Bearer of Ann {path}",
        f"Bearer of Ann {path}?by=source&by=symbol&descending=true",
        f"Bearer of Bob {path}?by=source&by=symbol&descending=true",
    ]


async def test_after_a_change_and_in_the_next_poll_it_is_asked_anew(server: _Server) -> None:
    """An answer is never older than the interval in which it was asked for."""
    polls = Polls(server.api)
    poll = polls.present(60.0)
    assert polls.present(60.0) is poll and polls.present(30.0) is not poll
    first = await poll.get(ANN, "/halts")
    poll.forget()
    assert await poll.get(ANN, "/halts") is not first
    short = polls.present(0.001)
    await short.get(ANN, "/halts")
    while short.left_s:
        pass
    assert polls.present(0.001) is not short
    assert len(server.asked) == 3


async def test_a_refusal_is_everybodys(server: _Server) -> None:
    """So all pages of a revoked token end."""
    poll = Poll(server.api, 60.0)
    refusals: list[Any] = await asyncio.gather(*(poll.get(ANN, "/refused") for _ in range(3)), return_exceptions=True)
    assert [each.status for each in refusals if isinstance(each, ApiRefused)] == [401] * 3
    assert len(server.asked) == 1


async def test_a_question_ends_with_the_last_who_waits(server: _Server) -> None:
    """One of two leaves, and the other is answered; both leave, and the API hears it; who comes then asks anew."""
    poll = Poll(server.api, 60.0)
    leaving, staying = (asyncio.create_task(poll.get(ANN, "/held")) for _ in range(2))
    await server.is_asked.wait()
    leaving.cancel()
    await asyncio.wait({leaving})
    staying.cancel()
    await asyncio.wait_for(server.has_left.wait(), 20)
    asking = [asyncio.create_task(poll.get(ANN, "/held")) for _ in range(2)]
    server.is_asked.clear()
    await server.is_asked.wait()
    asking[0].cancel()
    server.lets_go.set()
    assert await asking[1] == {"whose": "Bearer of Ann"}
    assert len(server.asked) == 2


async def test_answers_go_with_the_last_page(server: _Server) -> None:
    """Nothing holds them when nobody asks any more."""
    polls = Polls(server.api)
    poll = polls.present(0.01)
    await poll.get(ANN, "/halts")
    left = asyncio.Event()
    weakref.finalize(poll, left.set)
    del poll
    async with asyncio.timeout(20):
        while not left.is_set():
            gc.collect()
            await asyncio.sleep(0.01)  # the garbage collector has no event
