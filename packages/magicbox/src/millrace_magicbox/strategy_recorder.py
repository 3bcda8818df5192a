"""Keeps one strategy's state, positions, plots and log lines in Redis, at `strategy.{<tenant>}.<name>`.

State is written at once, everything else once a second, one write after the other. Of what changes while Redis is away,
the newest is written when it is back.
"""

import asyncio
from collections import deque
from contextlib import suppress
from math import isfinite
from typing import Any, Final, NoReturn

import msgspec
import structlog
from structlog.typing import EventDict, WrappedLogger

from millrace_bus import Bus, CommandRefused
from millrace_core.clock import now_ms
from millrace_core.json_problems import UNREADABLE
from millrace_core.names import Tenant
from millrace_magicbox.plots import PlotLine
from millrace_service import UnitHealthReporter
from millrace_service.redaction import clean_text
from millrace_strategy import MAX_PLOTS, SavedStrategy, StrategyPositions

WRITE_EVERY_S: Final = 1.0
LAST_WRITE_LIMIT_S: Final = 0.5
"""How long the last write may take when the strategy ends."""
KEPT_LINES: Final = 50
MAX_LINE: Final = 300
MAX_LOG: Final = 19_000
"""Bytes; the API shows 20,000 of a field."""
MAX_NAME: Final = 64
STATE, POSITIONS, LOG, PLOT = "state", "positions", "log", "plot."
_UNSHOWN: Final = frozenset({"event", "unit", "strategy"})
"""Fields of a log line that its reader knows already, or that stand first."""


class LogLine(msgspec.Struct, frozen=True):
    """A line that the strategy logged."""

    at: int
    """ms"""
    level: str
    text: str


class StrategyRecorder:
    """Implements `millrace_strategy.Recorder` for a live strategy."""

    def __init__(self, bus: Bus, tenant: Tenant, name: str, health: UnitHealthReporter) -> None:
        self._bus, self._tenant, self._name, self._health = bus, tenant, name, health
        self._unwritten: dict[str, bytes] = {}
        self._positions: StrategyPositions | None = None
        self._plots: dict[str, PlotLine] = {}
        self._changed_plots: set[str] = set()
        self._lines: deque[LogLine] = deque(maxlen=KEPT_LINES)
        self._has_new_lines = False
        self._due = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None

    async def load(self) -> SavedStrategy:
        """Return what earlier runs left, and go on from it. Waits for Redis."""
        fields = await self._bus.strategy_records.get(self._tenant, self._name)
        with suppress(*UNREADABLE):
            self._lines.extend(msgspec.json.decode(fields.get(LOG, b"[]"), type=list[LogLine]))
        for field, text in fields.items():
            if field.startswith(PLOT) and len(self._plots) < MAX_PLOTS:
                with suppress(*UNREADABLE):
                    points = msgspec.json.decode(text, type=list[tuple[int, float]])
                    self._plots[field.removeprefix(PLOT)] = PlotLine(points)
        return SavedStrategy(fields.get(STATE), fields.get(POSITIONS))

    def follow(self, positions: StrategyPositions) -> None:
        """Take positions from here when they have changed."""
        self._positions = positions

    def keep_state(self, document: bytes) -> None:
        """Keep this state from now on."""
        self._unwritten[STATE] = document
        self._due.set()

    def positions_changed(self) -> None:
        """Have positions written within a second."""
        self._unwritten[POSITIONS] = b""

    def plot(self, name: str, at_ms: int, value: float) -> None:
        """Keep a value. What is not finite, and names beyond the first 16, are dropped and counted."""
        # Half a surrogate pair could not be written, nor what is written with it.
        name = name.encode(errors="replace").decode()[:MAX_NAME]
        if not isfinite(value) or (name not in self._plots and len(self._plots) >= MAX_PLOTS):
            self._health.count("droppedPlots")
            return
        self._plots.setdefault(name, PlotLine()).add(at_ms, value)
        self._changed_plots.add(name)

    def logger(self, log: Any) -> Any:
        """Return a logger like this one, whose lines are kept too."""
        processors = [self._take_line, *structlog.get_config()["processors"]]
        context = structlog.get_context(log)
        return structlog.wrap_logger(structlog.get_config()["logger_factory"](), processors=processors).bind(**context)

    async def run(self) -> NoReturn:
        """Write what changes until cancelled. What Redis refuses is an error of the unit, and is tried again."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(WRITE_EVERY_S):
                    await self._due.wait()
            self._due.clear()
            await self._write()

    async def close(self) -> None:
        """Write what is left, if Redis takes it at once; later would be after the writes of the next run."""
        try:
            async with asyncio.timeout(LAST_WRITE_LIMIT_S):
                await self._write()
        except TimeoutError:
            if self._writing is not None:
                self._writing.cancel()

    async def _write(self) -> None:
        # A write that was begun is not cancelled: Redis might carry it out after a later one.
        if self._writing is not None:
            await asyncio.shield(self._writing)
        if fields := self._changes():
            self._writing = asyncio.create_task(self._put(fields), name=f"record of {self._name}")
            await asyncio.shield(self._writing)

    async def _put(self, fields: dict[str, bytes]) -> None:
        try:
            await self._bus.strategy_records.put(self._tenant, self._name, fields)
        except CommandRefused as error:
            self._health.error(error)
            self._unwritten = {**fields, **self._unwritten}

    def _changes(self) -> dict[str, bytes]:
        fields, self._unwritten = self._unwritten, {}
        if POSITIONS in fields and self._positions is not None:
            fields[POSITIONS] = self._positions.saved()
        for name in self._changed_plots:
            fields[f"{PLOT}{name}"] = msgspec.json.encode(self._plots[name].points)
        self._changed_plots.clear()
        if self._has_new_lines:
            fields[LOG] = _within(MAX_LOG, list(self._lines))
            self._has_new_lines = False
        return fields

    def _take_line(self, _logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        parts = [str(event.get("event", "")), *(f"{k}={v}" for k, v in event.items() if k not in _UNSHOWN)]
        self._lines.append(LogLine(now_ms(), method, clean_text("  ".join(parts))[:MAX_LINE]))
        self._has_new_lines = True
        return event


def _within(limit: int, lines: list[LogLine]) -> bytes:
    """Return the newest lines as JSON of so many bytes at most."""
    while len(encoded := msgspec.json.encode(lines)) > limit:
        del lines[0]
    return encoded
