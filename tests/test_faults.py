"""Parts of the platform are killed while it runs; every reader recovers, and never trusts a wrong book.

`MILLRACE_TEST_FAULTS=50` kills each part that often.
"""

import asyncio
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.platform import Platform, running, until
from tests.support.promptness import prompt

from millrace_bus import Bus, Follower, Update
from millrace_core.market import Level
from millrace_core.names import StreamName
from millrace_core.states import BookState

KILLS = int(os.environ.get("MILLRACE_TEST_FAULTS", "3"))
RIGHT_AGAIN_S = prompt(5.0)
BOOKS = [
    StreamName.parse(f"stream.{name}")
    for name in (
        "PUBLIC.binance.watchOrderBook.BTC/USDT",
        "PUBLIC.binance.watchOrderBook.ETH/BTC",
        "StrankaXY.binance.watchOrderBook.KCS/USDT",
    )
]
BUSY = {"eventsPerSecond": 300, "record": True, "limits": {"enforce": False}}


class Witness:
    """A reader that keeps every trusted book, to be compared with the exchange's history."""

    def __init__(self, bus: Bus, name: StreamName) -> None:
        self.name = name
        self.seen: deque[tuple[int, list[Level], list[Level]]] = deque()
        self.checked = 0
        self.follower: Follower = bus.follow(name, self._saw)

    def _saw(self, update: Update) -> None:
        state = update.state
        if update.trusted and update.kind in ("delta", "snapshot") and isinstance(state, BookState):
            self.seen.append((state.book.nonce or 0, state.book.bids.levels(), state.book.asks.levels()))

    async def check(self, platform: Platform) -> None:
        """Hold what was trusted since the last check against the exchange's own books of those moments."""
        symbol = str(self.name.symbol).replace("/", "")
        # Around a recovery every book is checked, in a quiet run one in ten.
        seen, self.seen = list(self.seen), deque()
        for index, (nonce, bids, asks) in enumerate(seen):
            if index > 20 and index % 10 and index < len(seen) - 20:
                continue
            theirs = await platform.get("/simulator/book", symbol=symbol, updateId=nonce)
            assert bids == [(float(p), float(q)) for p, q in theirs["bids"]], f"{self.name} bids at {nonce}"
            assert asks == [(float(p), float(q)) for p, q in theirs["asks"]], f"{self.name} asks at {nonce}"
            self.checked += 1


async def right_again(platform: Platform, witnesses: list[Witness], since: float, what: str) -> None:
    """Wait until every reader trusts a live book newer than the fault, and hold all that was trusted to account."""
    for witness in witnesses:
        witness.seen.clear()
    for witness in witnesses:
        remaining = since + RIGHT_AGAIN_S - time.monotonic()

        async def is_right(witness: Witness = witness) -> bool:
            return bool(witness.follower.trusted and witness.follower.status == "live" and witness.seen)

        await until(is_right, f"{witness.name} right after {what}", timeout=remaining, platform=platform)


async def gatherer_dies(platform: Platform) -> None:
    """Kill the gatherer; it returns when it says that it works."""
    await platform.kill("gatherer")
    await platform.start_service("gatherer")
    pid = platform.processes["gatherer"].pid

    async def is_back() -> bool:
        heartbeat = await platform.heartbeat("gatherer")
        return heartbeat is not None and heartbeat["pid"] == pid and heartbeat["state"] == "running"

    await until(is_back, "the gatherer is back", platform=platform)


async def valkey_dies(platform: Platform) -> None:
    """Kill Valkey, and start it again on what it had written."""
    await platform.server.kill()
    await platform.server.restart()


@pytest.mark.system
@pytest.mark.timeout(240)
async def test_readers_recover_and_never_trust_a_wrong_book(tmp_path: Path) -> None:
    """The gatherer, then Valkey, killed again and again with -9: each time every reader is right within 5 s."""
    async with running(tmp_path, ("gatherer",), simulator=BUSY) as platform, Bus.connect(platform.server.url) as bus:
        witnesses = [Witness(bus, name) for name in BOOKS]
        async with asyncio.timeout(60):
            for witness in witnesses:
                await witness.follower.ready()
        for fault in (gatherer_dies, valkey_dies):
            await disturb(platform, witnesses, fault)


async def disturb(platform: Platform, witnesses: list[Witness], fault: Callable[[Platform], Awaitable[None]]) -> None:
    """Let a fault happen some times while readers follow three busy books."""
    checked = [witness.checked for witness in witnesses]
    for _ in range(KILLS):
        await fault(platform)
        returned = time.monotonic()
        for witness in witnesses:
            await witness.check(platform)
        await right_again(platform, witnesses, returned, fault.__name__)
    for witness, before in zip(witnesses, checked, strict=True):
        await witness.check(platform)
        assert witness.checked - before > KILLS, f"{witness.name}: hardly anything was checked"


@pytest.mark.system
@pytest.mark.timeout(240)
async def test_a_killed_magicbox_trades_on_and_leaves_no_order_behind(tmp_path: Path) -> None:
    """Killed again and again with -9: its strategy trades again, and never has more than one open order."""
    async with running(tmp_path, simulator=BUSY) as platform:
        requests = "StrankaXY.traderActions"
        await until(lambda: platform.redis.exists(requests), "the strategy trades", platform=platform)
        for _ in range(KILLS):
            await platform.kill("magicbox")
            before = await platform.redis.xlen(requests)
            await platform.start_service("magicbox")
            pid = platform.processes["magicbox"].pid

            async def is_back(pid: int = pid) -> bool:
                heartbeat = await platform.heartbeat("magicbox")
                return heartbeat is not None and heartbeat["pid"] == pid and heartbeat["state"] == "running"

            async def trades(before: int = before) -> bool:
                return bool(await platform.redis.xlen(requests) > before)

            await until(is_back, "magicbox is back", platform=platform)
            await until(trades, "the strategy trades again", timeout=RIGHT_AGAIN_S, platform=platform)
            await assert_one_open_order_at_most(platform)


async def assert_one_open_order_at_most(platform: Platform) -> None:
    """Ask the exchange, not our own records."""
    open_orders: list[dict[str, Any]] = await platform.get_signed("/api/v3/openOrders")
    assert len(open_orders) <= 1, open_orders
