"""Hundreds of reconnects leave nothing behind in the gatherer's process."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from packages.gatherer.tests.endurance.conftest import UNLIMITED, Watch, account, configure, venue
from packages.gatherer.tests.endurance.relay import Relay, relay_to

from millrace_bus import Bus
from millrace_simulator.listings import DialectName

log = logging.getLogger(__name__)

RECONNECTS: Final = int(os.environ.get("MILLRACE_TEST_RECONNECTS", "6"))
WARM: Final = max(3, RECONNECTS // 10)
WARM_TRADES: Final = 1_100 if RECONNECTS > 20 else 0
"""Trades after which caches are full: ccxt keeps 1,000 of a symbol."""
SYMBOLS: Final = {"binance": ("ETH/BTC", "BTC/USDT"), "kucoin": ("ETH/BTC", "KCS/USDT")}
PUBLIC: Final = ("watchOrderBook", "watchTrades", "watchTicker")
PRIVATE: Final = ("watchOrders", "watchBalance")
GROWTH: Final = 1.05 if RECONNECTS > 20 else 1.2
"""A few reconnects show gross leaks alone: caches still fill."""
SPARE: Final = 4
"""Connections for requests come and go."""
PAGE_KB: Final = os.sysconf("SC_PAGE_SIZE") // 1024


def resident_kb(pid: int) -> int:
    """Resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_KB


def sockets(pid: int) -> int:
    """Number of a process's open sockets."""
    return sum(str(entry.readlink()).startswith("socket:") for entry in Path(f"/proc/{pid}/fd").iterdir())


async def reconnect(relay: Relay, watches: list[Watch]) -> None:
    """Cut everything, and wait until every stream has broken and is live again."""
    broken = [watch.breaks + 1 for watch in watches]
    relay.cut()
    for watch, breaks in zip(watches, broken, strict=True):
        await watch.until(lambda w, breaks=breaks: w.breaks >= breaks and w.is_live, limit_s=60)


@pytest.mark.timeout(3_600 if RECONNECTS > 20 else 120)
@pytest.mark.parametrize(("dialect", "adapter"), [("binance", "native"), ("binance", "ccxt"), ("kucoin", "ccxt")])
async def test_reconnects_leave_nothing_behind(
    bus: Bus, start: Callable[..., Any], watch: Callable[..., Watch], dialect: DialectName, adapter: str
) -> None:
    """Memory grows by 5 % at most, and as many sockets are open as before."""
    async with venue(dialect) as server, relay_to(server.url) as relay:
        plan = {"assetPairs": SYMBOLS[dialect], "dataPoints": [*PUBLIC, *PRIVATE]}
        await configure(bus, dialect, account(relay.url, adapter=adapter), plan)
        gatherer = await start(UNLIMITED)
        streams = [(action, symbol) for action in (*PUBLIC, "watchOrders") for symbol in SYMBOLS[dialect]]
        watches = [watch(dialect, *stream) for stream in (*streams, ("watchBalance", None))]
        for each in watches:
            await each.until(lambda w: w.is_live)
        await watches[streams.index(("watchTrades", SYMBOLS[dialect][0]))].until(
            lambda w: w.deltas >= WARM_TRADES, limit_s=900
        )
        used: dict[int, tuple[int, int]] = {}
        for done in range(1, RECONNECTS + 1):
            await reconnect(relay, watches)
            for each in watches:
                each.books.clear()
            if done % WARM == 0:
                log.info("%d of %d reconnects", done, RECONNECTS)
                used[done] = resident_kb(gatherer.pid), sockets(gatherer.pid)
        warm, last = used[WARM], used[max(used)]
        assert last[0] <= warm[0] * GROWTH, used
        assert last[1] <= warm[1] + SPARE, used
