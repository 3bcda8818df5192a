"""A recording in memory, for many backtests over it: what each of them would decode is decoded once."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from millrace_backtest.playback import ArrivedMessage, arrived
from millrace_backtest.recording.files import Recorded, Recording
from millrace_backtest.recording.lines import GapRecorded, RecordedMessage
from millrace_core.errors import InvalidMessage, InvalidName
from millrace_core.market import BookDelta, TradesDelta
from millrace_core.messages import Message, decode
from millrace_core.names import Action, StreamName, is_snapshot
from millrace_core.states import BookState, TradesState


class HeldMessage(RecordedMessage, frozen=True):
    """A message of a stream that is decoded already.

    The data of books and trades is decoded, too. That of others is not: strategies get hold of it, and may change it.
    """

    arrived: ArrivedMessage


class HeldRecording(Recording):
    """A file that is read once, when it is made.

    What the process holds by then is kept from the garbage collector, which would look through it again and again.

    Raises:
        RecordingUnreadable: the file is no recording.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        action_of, prices = cache(_action), dict[float, float]()
        with _kept_from_collector():
            self._held = [_held(each, action_of(each.name), prices) for each in super().read(lambda _name: True)]

    def read(
        self, wants: Callable[[str], bool], on_progress: Callable[[int], None] = lambda _lines: None
    ) -> Iterator[Recorded]:
        """Return messages and gaps as they are read of a file."""
        unwanted = {name for name in self.names if not wants(name)}
        self.passed_over = 0
        return self._wanted(unwanted) if unwanted else iter(self._held)

    def _wanted(self, unwanted: set[str]) -> Iterator[Recorded]:
        for each in self._held:
            if each.name not in unwanted or isinstance(each.what, GapRecorded):
                yield each
            else:
                self.passed_over += 1


@contextmanager
def _kept_from_collector() -> Iterator[None]:
    """Have the garbage collector look neither now nor later through what is made in this block, or was before."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


def _action(name: str) -> Action | None:
    """Return the action of a stream; None of snapshots, and of what is no stream."""
    try:
        return None if is_snapshot(name) else StreamName.parse(name).action
    except InvalidName:
        return None


def _held(recorded: Recorded, action: Action | None, prices: dict[float, float]) -> Recorded:
    """Return a message decoded, as far as it can be; anything else as it is."""
    what = recorded.what
    if action is None or isinstance(what, GapRecorded):
        return recorded
    try:
        message = decode(what.body)
        decoded = arrived(message, recorded.at_ns, _delta(message, action, prices))
    except (InvalidMessage, InvalidName):
        return recorded
    return recorded._replace(what=HeldMessage(what.stream, what.at, what.id, what.body, decoded))


def _delta(message: Message, action: Action, prices: dict[float, float]) -> BookDelta | TradesDelta | None:
    """Return the data of a book or of trades. Equal prices become one object: less memory, and faster to look up."""
    if message.type != "delta":
        return None
    if action == "watchTrades":
        return TradesState.delta_of(message.data)
    if action != "watchOrderBook":
        return None
    delta = BookState.delta_of(message.data)
    bids, asks = (
        [(prices.setdefault(price, price), amount) for price, amount in side] for side in (delta.bids, delta.asks)
    )
    return BookDelta(bids, asks, delta.nonce, delta.checksum)
