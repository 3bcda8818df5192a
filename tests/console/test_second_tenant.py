"""A second tenant in the console: of the first it sees nothing, whatever its addresses say."""

import asyncio
import os
import re
from urllib.parse import urlencode

import httpx
from playwright.async_api import Browser, Page, expect
from tests.console.conftest import Console, signed_in
from tests.console.test_configuration import operator

from millrace_console.pages import PAGES
from millrace_core.names import PUBLIC

FIRST = "StrankaXY"
SOURCE = "PingPong"
"""The first tenant's strategy, which stands beside its orders, trades and profits; no address here names it."""
HISTORIES = ("orders", "requests", "answers", "own-trades", "balances", "equity", "pnl", "positions")
_TELLING = re.compile(r'"([0-9a-f]{16,}|\d+\.?\d*(?<=[\d.]{11}))"')
"""Ids and amounts so long that no public number equals them by chance."""


async def test_every_page_with_the_first_tenants_names_shows_nothing_of_it(
    console: Console, browser: Browser, page: Page
) -> None:
    """Neither what is shown nor what the page hears; its own address, which it may show, is left out."""
    for path in ("/orders", "/portfolio", "/strategies"):
        await page.goto(f"{path}?tenant={FIRST}")
        await expect(page.get_by_role("main").get_by_text(SOURCE).first).to_be_visible(timeout=30_000)
    async with operator(console) as client:
        made = await client.post("tokens?tenant=Neighbour", json={"name": "neighbour", "role": "admin"})
        assert made.is_success, made.text
        token = str(made.json()["token"])
    order, canaries = await first_tenants_own(console)
    few = asyncio.Semaphore(4)
    async with signed_in(browser, console.url, token) as other:

        async def leaks_at(address: str) -> list[str]:
            async with few:
                seen = await shown_and_received(await other.context.new_page(), address)
            return [f"{address}: {each}" for each in {*canaries, *console.tokens.values(), token} if each in seen]

        assert [leak for leaks in await asyncio.gather(*map(leaks_at, addresses(order))) for leak in leaks] == []


async def shown_and_received(page: Page, address: str) -> str:
    """Open a page until it has asked for everything; return what it shows, and every frame that it received."""
    received: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: received.append(str(frame))))
    await page.goto(address)
    await expect(page.get_by_role("main")).to_be_visible(timeout=20_000)
    await settled(page)
    seen = "\n".join([await page.content(), *received])
    await page.close()
    return seen


async def first_tenants_own(console: Console) -> tuple[dict[str, str], set[str]]:
    """Return an order as addresses name it, and all else that only the first tenant's tokens may see."""
    headers = {"Authorization": f"Bearer {console.tokens[FIRST]}"}
    async with httpx.AsyncClient(base_url=console.api_url, headers=headers, timeout=30) as client, asyncio.timeout(90):
        canaries: set[str] = set()
        while len(canaries) <= 10:
            await asyncio.sleep(0.5)  # the API has no event for what is stored
            canaries = set(_TELLING.findall("".join([(await client.get(path)).text for path in HISTORIES])))
        newest = (await client.get("orders")).json()["items"][0]
    order = {name: str(newest[name]) for name in ("requestId", "symbol")} | {"id": newest["order"]["id"]}
    return order, canaries - set(order.values()) | {"demo-secret", SOURCE}


def addresses(order: dict[str, str]) -> list[str]:
    """Return every page's address with the first tenant's names in its parameters, and with that of shared feeds."""
    market = f"{FIRST}.binance.{order['symbol']}"
    names = {"tenant": FIRST, "market": market, "symbol": market}
    keys = (f"stream.{FIRST}.binance.watchOrders", f"{FIRST}.traderActions", "stream.config.EXECUTOR")
    special = {
        "/orders": [{"order": order["id"], "at": market}, {"request": order["requestId"], "at": FIRST}],
        "/configuration": [{"agent": "MAGICBOX"}, {"agent": "EXECUTOR"}],
        "/strategies": [{"agent": "MAGICBOX"}],
        "/redis": [{"name": each} for each in keys],
    }
    paths = [page.link.path for page in PAGES]
    own = [f"{path}?{urlencode(names | each)}" for path in paths for each in special.get(path, [{}])]
    shared = [f"{path}?{urlencode({'tenant': PUBLIC})}" for path in paths]
    return [*own, *(shared if os.environ.get("MILLRACE_TEST_CANARIES") == "all" else shared[::4])]


async def settled(page: Page) -> None:
    """Wait until a page has been heard of twice after it was built, by when it has asked the API for everything."""
    await page.evaluate("""() => new Promise(done => {
        let times = 0; const heard = window.millrace.heard;
        window.millrace.heard = () => { heard(); if (++times === 2) done(); };
    })""")
