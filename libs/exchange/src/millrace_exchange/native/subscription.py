"""One listener of one stream, whichever connection carries it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from millrace_core.clock import now_ns
from millrace_exchange.errors import ExchangeError
from millrace_exchange.native.dialect import Event, Topic

Take = Callable[[Any, int], None]
"""Takes an event, or a list of those that came together, and when the (first) frame was read (ns, wall clock)."""
Failure = Callable[[Exception], ExchangeError]
"""Returns an action's error for the reason that a connection gives."""
OnMissed = Callable[[str], None]
"""Called with the reason when an event of the stream is missing for certain."""
_T = TypeVar("_T")


class Unhandled(Exception):
    """A listener raised an error."""

    def __init__(self) -> None:
        super().__init__("a message could not be handled, see the log")


class Carrier(Protocol):
    """A connection, as a subscription sees it."""

    def is_confirmed(self, stream: str) -> bool:
        """Tell whether the exchange sends a stream over it."""

    def remove(self, subscription: "Subscription") -> None:
        """Bring it nothing more."""


class Subscription:
    """Passes a stream's events on, each once and in order, also while the stream moves to another connection.

    While it moves, the events of the connection that it leaves are passed on and those of the one that it moves to are
    held. It may leave once the event that the held ones begin with has come over both.
    """

    def __init__(
        self,
        topic: Topic,
        take: Take,
        failure: Failure,
        source: Carrier,
        *,
        in_batches: bool = False,
        on_missed: OnMissed | None = None,
    ) -> None:
        """`on_missed` asks the exchange for what an event said that cannot be read; without it the stream breaks."""
        self.topic = topic
        self.active = asyncio.Event()
        """Set once the exchange has confirmed it, on whichever connection."""
        self.broken: asyncio.Future[ExchangeError] = asyncio.get_running_loop().create_future()
        """Resolved with the reason when nothing more will come."""
        self.source = source
        """The connection whose events are passed on."""
        self.successor: Carrier | None = None
        """The connection that it moves to; None while it stays."""
        self.caught_up = asyncio.Event()
        """Set when it may move to its successor, or need not any more."""
        self.received_ns = now_ns()
        """When the last event that was passed on was read, or its stream began."""
        self._take = take
        self._accept: Take = self._collect if in_batches else self._take_guarded
        self._batch: list[Event] = []
        self._failure, self._on_missed = failure, on_missed
        self._last: Event | None = None
        self._held: list[tuple[Event, int]] = []
        self._overlap: list[Event] = []
        """What was passed on since it began to move."""
        self._is_moving = False
        """Whether what was held is still to be passed on, before what the source brings."""

    def confirmed(self) -> None:
        """Learn that the exchange sends its stream."""
        self.received_ns = now_ns()
        self.active.set()

    def received(self, carrier: Carrier, event: Event, received_ns: int) -> None:
        """Take an event from a connection."""
        if carrier is self.source and not self._is_moving:
            self._pass_on(event, received_ns)
            if self.successor is not None:
                self._overlap.append(event)
        elif carrier is self.source or carrier is self.successor:
            self._held.append((event, received_ns))
        if self.successor is not None and self._has_reached_held():
            self.caught_up.set()

    def move_to(self, successor: Carrier) -> None:
        """Begin to hold what another connection brings."""
        self.successor = successor
        self._overlap = []
        self.caught_up.clear()

    def stay(self) -> None:
        """Forget the other connection."""
        self.successor = None
        self._held = []
        self.caught_up.set()

    @property
    def is_ahead(self) -> bool:
        """Tell whether the connection that it moves to brought what the one that it leaves has not."""
        return bool(self._held) and not self.caught_up.is_set()

    def move(self) -> None:
        """Continue with the other connection, if there is one; what was held is passed on in the next turn."""
        if self.successor is not None:
            self.source, self.successor = self.successor, None
            self._is_moving = True
            asyncio.get_running_loop().call_soon(self._pass_on_held)

    def lost(self, carrier: Carrier, error: Exception) -> None:
        """Learn that a connection ended: continue with the other one where the exchange sends the stream over it."""
        if carrier is self.successor:
            self.stay()
        elif carrier is self.source and self.successor and self.successor.is_confirmed(self.topic.stream):
            self.move()
        elif carrier is self.source:
            self.fail(error)

    def leave(self) -> None:
        """Take nothing more from any connection."""
        self._accept = self._take = _ignore
        self.caught_up.set()
        self.source.remove(self)
        if self.successor is not None:
            self.successor.remove(self)

    @property
    def survives_loss(self) -> bool:
        """Tell whether it goes on after an event that cannot be read."""
        return self._on_missed is not None

    def missed(self, error: Exception) -> None:
        """Learn that an event came which cannot be read."""
        if self._on_missed is None:
            self.fail(error)
        elif not self.broken.done():
            self._on_missed(str(error))

    def fail(self, error: Exception) -> None:
        """Break the subscription with a reason, which everyone who waits for it receives."""
        self._accept = self._take = _ignore
        if not self.broken.done():
            self.broken.set_result(self._failure(error))

    async def unless_broken(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Return the result of some work.

        Raises:
            ExchangeError: the subscription broke before the work was done.
        """
        task = asyncio.create_task(work)
        try:
            either: set[asyncio.Future[Any]] = {task, self.broken}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if self.broken.done():
                raise self.broken.result()
            return task.result()
        finally:
            task.cancel()
            await asyncio.wait({task})

    def _has_reached_held(self) -> bool:
        if not self._held or self._last is None:
            return False
        return bool(self._last.position >= self._held[0][0].position)

    def _pass_on_held(self) -> None:
        """Pass on those of the held events that have not come yet."""
        self._is_moving = False
        held, self._held = self._held, []
        last, overlap = self._last, self._overlap
        # Events of one place may have come in part before the other connection was left.
        same = [] if last is None else [event for event in overlap if event.position == last.position]
        self._overlap = []
        for event, received_ns in held:
            if self._last is None or event.position > self._last.position:
                same = []
            elif event.position < self._last.position or event in same:
                continue
            same.append(event)
            self._pass_on(event, received_ns)

    def _pass_on(self, event: Event, received_ns: int) -> None:
        self._last = event
        self.received_ns = received_ns
        self._accept(event, received_ns)

    def _collect(self, event: Event, received_ns: int) -> None:
        """Keep an event until the end of this turn of the event loop."""
        self._batch.append(event)
        if len(self._batch) == 1:
            asyncio.get_running_loop().call_soon(self._take_batch, received_ns)

    def _take_batch(self, received_ns: int) -> None:
        batch, self._batch = self._batch, []
        self._take_guarded(batch, received_ns)

    def _take_guarded(self, taken: Any, received_ns: int) -> None:
        is_done = False
        try:
            self._take(taken, received_ns)
            is_done = True
        finally:
            if not is_done:
                self.missed(Unhandled())


def _ignore(_event: Any, _received_ns: int) -> None:
    pass
