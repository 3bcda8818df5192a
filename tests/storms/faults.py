"""The faults of a line, by a seed: which frame is lost, when a socket breaks, what is answered too late."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import aiohttp
from aiohttp import web
from tests.storms.dialects import Dialect, Stream
from tests.support.line import Line, Socket

Follows = Callable[[Stream, int], None]
"""Told that the frame of a book that ends at an update came after a hole."""
Falls = Callable[[Stream, float], None]
"""Told that a stream has brought nothing since a time, though its socket lives."""


@dataclass(frozen=True)
class Weather:
    """How often things go wrong, on average."""

    frame_fault_s: float
    """Between two faults of one stream."""
    socket_fault_s: float
    """Between two faults of all sockets."""


STORM = Weather(frame_fault_s=2.0, socket_fault_s=20.0)
STEADY = Weather(frame_fault_s=30.0, socket_fault_s=240.0)
_FRAME_FAULTS = ("drop", "drop", "burst", "duplicate", "swap", "stale", "late")
_OF_BOOKS = frozenset({"stale", "late"})
_SOCKET_FAULTS = ("reset", "close", "dead", "stall", "mute")
MUTE_S = 7.0
_STALL_S = (0.5, 2.5)
_BUSY_PER_S = 5.0
_KNOWN_AFTER_S = 20.0
"""How long a stream must have brought frames until its usual silence is known."""


class _Progress:
    """One stream over one line."""

    def __init__(self, due_s: float, began_s: float) -> None:
        self.due_s = due_s
        """When its next fault is due."""
        self.began_s = began_s
        self.frames = 0
        self.last_s = 0.0
        self.lost = 0
        """How many of the next frames are lost."""
        self.kept: str | None = None
        """A frame that goes after the next."""
        self.has_hole = False


class StormyLine(Line):
    """A line whose faults come by a seed. `settle` ends them for a while."""

    def __init__(self, target: str, dialect: Dialect, weather: Weather, seed: int) -> None:
        super().__init__(target)
        self.frames = 0
        """How many frames with data the exchange has sent."""
        self.faults: Counter[str] = Counter()
        """How many faults there were of each kind."""
        self.on_hole: Follows = lambda _stream, _last: None
        self.on_silence: Falls = lambda _stream, _since_s: None
        self.is_calm = True
        self._dialect, self._weather = dialect, weather
        self._random = Random(seed)
        self._streams: dict[Stream, _Progress] = {}
        self._carried: dict[Socket, set[Stream]] = {}
        self._mute_until_s: dict[Socket, float] = {}
        self._answers: dict[str, web.Response] = {}
        self._due_answers: list[str] = []
        """Faults of the next answers that hold a book: `stale` or `late`."""
        self._clock = asyncio.get_running_loop().time

    def passed(self, socket: Socket, text: str) -> Sequence[str]:
        """Return what arrives in place of a text from the exchange."""
        stream = self._dialect.stream_of(text)
        if stream is None:
            return [text]
        now_s = self._clock()
        self.frames += 1
        self._carried.setdefault(socket, set()).add(stream)
        progress = self._progress(stream, now_s)
        if socket.is_dead or self._mute_until_s.get(socket, 0.0) > now_s:
            progress.has_hole = True
            return []
        texts = self._treated(stream, progress, text, now_s)
        if texts:
            progress.frames += 1
            progress.last_s = now_s
            if progress.has_hole:
                progress.has_hole = False
                self._report_hole(stream, texts[0])
        return texts

    async def answered(self, request: web.Request, session: aiohttp.ClientSession) -> web.Response:
        """Return the answer to a request; that of a book may be an old one, or come late."""
        response = await super().answered(request, session)
        if self._dialect.snapshot_path not in request.path:
            return response
        former, self._answers[request.path_qs] = self._answers.get(request.path_qs), response
        fault = self._due_answers.pop() if self._due_answers else None
        if fault == "late":
            await asyncio.sleep(self._random.uniform(0.2, 1.0))
        elif fault == "stale" and former is not None:
            return web.Response(status=former.status, headers=former.headers, body=former.body)
        return response

    def ended(self, socket: Socket) -> None:
        """Note that a socket has ended."""
        super().ended(socket)
        self._mute_until_s.pop(socket, None)
        for stream in self._carried.pop(socket, ()):
            self._streams[stream].kept = None

    async def break_sockets(self) -> None:
        """Break sockets, one now and then, until cancelled."""
        while True:
            await asyncio.sleep(self._random.expovariate(1 / self._weather.socket_fault_s))
            carrying = [socket for socket in self.open if self._carried.get(socket)]
            if not self.is_calm and carrying:
                self._break(self._random.choice(carrying))

    def _progress(self, stream: Stream, now_s: float) -> _Progress:
        if stream not in self._streams:
            self._streams[stream] = _Progress(self._next_due_s(now_s), now_s)
        return self._streams[stream]

    def _next_due_s(self, now_s: float) -> float:
        return now_s + self._random.expovariate(1 / self._weather.frame_fault_s)

    def _treated(self, stream: Stream, progress: _Progress, text: str, now_s: float) -> list[str]:
        kept, progress.kept = progress.kept, None
        if progress.lost:
            progress.lost -= 1
            progress.has_hole = True
            return []
        if kept is not None:
            return [text, kept]
        if now_s < progress.due_s or self.is_calm:
            return [text]
        progress.due_s = self._next_due_s(now_s)
        return self._fault(stream, progress, text)

    def _fault(self, stream: Stream, progress: _Progress, text: str) -> list[str]:
        fault = self._random.choice(_FRAME_FAULTS)
        if fault in _OF_BOOKS and stream.kind != "book":
            fault = "drop"
        self.faults[f"{stream.kind} {fault}"] += 1
        if fault == "duplicate":
            return [text, text]
        progress.has_hole = True
        if fault == "swap":
            progress.kept = text
        elif fault == "burst":
            progress.lost = self._random.randint(1, 10)
        elif fault in _OF_BOOKS:
            self._due_answers.append(fault)
        return []

    def _report_hole(self, stream: Stream, text: str) -> None:
        if stream.kind == "book" and (span := self._dialect.span_of(text)) is not None:
            self.on_hole(stream, span[1])

    def _break(self, socket: Socket) -> None:
        fault = self._random.choice(_SOCKET_FAULTS)
        self.faults[f"socket {fault}"] += 1
        now_s = self._clock()
        if fault == "reset":
            socket.reset()
        elif fault == "close":
            socket.close()
        elif fault == "stall":
            self._mute_until_s[socket] = now_s + self._random.uniform(*_STALL_S)
        else:
            if fault == "dead":
                socket.is_dead = True
            else:
                self._mute_until_s[socket] = now_s + MUTE_S
            self._report_silence(socket)

    def _report_silence(self, socket: Socket) -> None:
        for stream in self._carried[socket]:
            progress = self._streams[stream]
            received_s = progress.last_s - progress.began_s
            if received_s > _KNOWN_AFTER_S and progress.frames > _BUSY_PER_S * received_s:
                self.on_silence(stream, progress.last_s)
