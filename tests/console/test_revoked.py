"""A token that is revoked while pages, a socket and an event stream are open in its name."""

import asyncio
import re
import time

import httpx
import picows
import pytest
from playwright.async_api import Browser, expect
from tests.console.conftest import Console, signed_in
from tests.console.test_configuration import operator
from tests.support.promptness import prompt

from millrace_cli import tokens
from millrace_core.names import tenant

TENANT = "StrankaXY"
ENDED_S = prompt(5.0)
"""Within this time all that a revoked token held has ended."""


@pytest.mark.parametrize("by", ["the API", "the command line"])
async def test_a_revoked_token_ends_everything_that_it_opened(console: Console, browser: Browser, by: str) -> None:
    """What pages show is gone within 5 s, so are a socket and an event stream, and the cookie is worth nothing."""
    async with operator(console) as client:
        made = (await client.post(f"tokens?tenant={TENANT}", json={"name": f"lost by {by}", "role": "read"})).json()
        async with signed_in(browser, console.url, made["token"]) as page, asyncio.TaskGroup() as group:
            await page.goto("/market")
            await expect(page.get_by_role("main")).to_contain_text("KCS/USDT", timeout=30_000)
            cookies = await page.context.cookies()
            held = [await socket(console, made["token"]), await event_stream(console, made["token"], group)]
            revoked_s = time.monotonic()
            if by == "the API":
                await client.delete(f"tokens/{made['id']}?tenant={TENANT}")
            else:
                await tokens.revoke(console.database_url, tenant(TENANT), made["id"])
            await expect(page).to_have_url(re.compile("/sign-in"), timeout=ENDED_S * 1_000)
            async with asyncio.timeout(max(0.1, ENDED_S - (time.monotonic() - revoked_s))):
                await asyncio.gather(*(each.wait() for each in held))
            assert "KCS/USDT" not in await page.get_by_role("main").inner_text()
            await page.context.add_cookies(cookies)
            await page.goto("/orders")
            await expect(page).to_have_url(re.compile("/sign-in"), timeout=10_000)


async def socket(console: Console, token: str) -> asyncio.Event:
    """Open a socket; return the event of its end."""
    ended, opened = asyncio.Event(), asyncio.Event()

    class Listener(picows.WSListener):
        def on_ws_connected(self, transport: picows.WSTransport) -> None:
            opened.set()

        def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
            if frame.msg_type == picows.WSMsgType.CLOSE:
                transport.disconnect()

        def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
            ended.set()

    url = f"{console.api_url.replace('http', 'ws', 1)}/live"
    await picows.ws_connect(Listener, url, extra_headers={"Authorization": f"Bearer {token}"})
    await opened.wait()
    return ended


async def event_stream(console: Console, token: str, group: asyncio.TaskGroup) -> asyncio.Event:
    """Follow the agents; return the event of the stream's end."""
    ended, opened = asyncio.Event(), asyncio.Event()

    async def follow() -> None:
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            httpx.AsyncClient(base_url=console.api_url, headers=headers, timeout=60) as client,
            client.stream("GET", "agents/events") as answer,
        ):
            try:
                async for _ in answer.aiter_bytes():
                    opened.set()
            except httpx.RemoteProtocolError:
                ended.set()

    group.create_task(follow())
    await opened.wait()
    return ended
