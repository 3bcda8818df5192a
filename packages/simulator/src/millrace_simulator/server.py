"""The simulator as a server: one venue and its market behind one port.

    async with await serve(config) as server:
        ...  # http://127.0.0.1:{server.port}

Everything runs on one event loop; what the dialect serves and the control plane share the port, path by path.
"""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from types import TracebackType
from typing import Any

from aiohttp import web

from millrace_simulator.config import SimulatorConfig
from millrace_simulator.control import PREFIX, add_control_routes
from millrace_simulator.dialects import DIALECTS, ORDER_IDS
from millrace_simulator.faults import FAULTS, Faults, Interference, faulty_answers
from millrace_simulator.faults.refusals import possible_in
from millrace_simulator.journal import Journal, JournalError
from millrace_simulator.market import Market, run
from millrace_simulator.venue import Clock, Venue, WallClock

DEFAULT_HOST = "127.0.0.1"
SHUTDOWN_TIMEOUT_S = 0.5
"""How long requests under way may take once the server stops."""
BACKLOG = 1024


class Server:
    """A running simulator; close it, or use it as an async context manager."""

    def __init__(
        self,
        runner: web.AppRunner,
        exchange: Any,
        market: Market,
        faults: Faults,
        host: str,
        port: int,
        journal: Journal | None = None,
    ) -> None:
        self._runner = runner
        self._journal = journal
        self.exchange = exchange
        """The dialect's own: rate limits, for example."""
        self.faults = faults
        self.venue = market.venue
        self.market = market
        self.host = host
        self.port = port
        self.driver: asyncio.Task[None] | None = None
        """Steps the market along the wall clock; None when the caller steps it."""

    @property
    def url(self) -> str:
        """Return where clients reach the REST paths: http://host:port."""
        return f"http://{self.host}:{self.port}"

    async def close(self) -> None:
        """Stop the market, say good-bye to every connection and free the port."""
        if self.driver is not None:
            self.driver.cancel()
            await asyncio.wait([self.driver])
        self.faults.set(None)
        await self._runner.cleanup()
        if self._journal is not None:
            self._journal.close()

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def serve(
    config: SimulatorConfig,
    host: str = DEFAULT_HOST,
    port: int = 0,
    *,
    clock: Clock | None = None,
    drive_market: bool = True,
    journal: Path | None = None,
) -> Server:
    """Start a simulator and return it once it serves; port 0 picks a free one, the default clock is the wall clock.

    With `drive_market` False the books are filled and then stand still until `server.market.step` is called.

    With `journal` it goes on where the one before it that had this file ended.

    Raises:
        OSError: the port is taken, or the journal cannot be written.
        JournalError: the journal cannot be read.
    """
    listening = socket.create_server((host, port), backlog=BACKLOG)
    try:
        # After the port was taken: one that already runs there may have the same journal.
        venue, written = _open_venue(config, clock or WallClock(), journal)
    except (JournalError, OSError):
        listening.close()
        raise
    market = Market(venue, seed=config.seed, events_per_second=config.events_per_second, book_levels=config.book_levels)
    market.open()
    faults = Faults(possible_in(config.dialect), Interference(market, ORDER_IDS[config.dialect]))
    app = web.Application(middlewares=[faulty_answers(faults, config.dialect, exempt=PREFIX)])
    app[FAULTS] = faults
    exchange = DIALECTS[config.dialect](app, venue, config)
    add_control_routes(app, market, config, faults)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT_S)
    await runner.setup()
    await web.SockSite(runner, listening, backlog=BACKLOG).start()
    server = Server(runner, exchange, market, faults, host, listening.getsockname()[1], written)
    if drive_market:
        server.driver = asyncio.create_task(run(market), name="market")
    return server


def _open_venue(config: SimulatorConfig, clock: Clock, path: Path | None) -> tuple[Venue, Journal | None]:
    """Return the venue, and its journal if there is a file for one: it goes on where that ends."""
    journal, past = (None, None) if path is None else Journal.open(path, clock.now_us())
    venue = Venue(config.symbols, config.accounts, clock=clock, seed=config.seed, record=config.record, past=past)
    if journal is not None:
        venue.listen(journal)
    return venue, journal
