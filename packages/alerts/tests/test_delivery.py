"""Receivers that mean harm: they send us on to another host, or never end their answer."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from millrace_alerts import delivery


@asynccontextmanager
async def receiver(app: web.Application) -> AsyncIterator[str]:
    """Serve a receiver; yield its address without the scheme."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_receiver_leads_to_no_other_address(status: int) -> None:
    """Such as that of a cloud's metadata; not even when the receiver's own address asks for it."""
    reached: list[str] = []

    async def lead(request: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": "/latest/meta-data"})

    async def metadata(request: web.Request) -> web.Response:
        reached.append(request.method)
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", lead)
    app.router.add_route("*", "/latest/meta-data", metadata)
    async with receiver(app) as address:
        refused = await delivery.deliver(f"json://{address}/hook?redirect=yes", "title", "body")
    assert reached == []
    assert refused is not None


async def test_an_answer_without_end_holds_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often the receiver is tried; once the answer has ended it is tried anew."""
    monkeypatch.setattr(delivery, "SEND_LIMIT_S", 0.5)
    may_end = asyncio.Event()

    async def drip(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while not may_end.is_set():
            await answer.write(b".")
            await asyncio.sleep(0.05)  # the answer's own pace, slower than which Apprise would give up
        return answer

    app = web.Application()
    app.router.add_post("/hook", drip)
    async with receiver(app) as address:
        said = [await delivery.deliver(f"json://{address}/hook", "title", "body") for _ in range(3)]
        held = [each for each in threading.enumerate() if each.name == "delivery"]
        assert len(held) == 1, said
        assert said[1:] == ["an earlier message is still without an answer"] * 2
        may_end.set()
        await asyncio.to_thread(held[0].join, 20)
        assert await delivery.deliver(f"json://{address}/hook", "title", "body") is None
