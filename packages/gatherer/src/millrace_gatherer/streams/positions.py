"""An account's positions as the exchange reports them: its stream, reconciled with its answers to queries."""

from typing import ClassVar, cast

import msgspec

from millrace_bus import Bus, Published
from millrace_core.actions import POSITIONS, StreamAction
from millrace_core.clock import now_ns
from millrace_core.contract_states import ExchangePositionsState
from millrace_core.market import ExchangePosition, ExchangePositionsDelta, ExchangePositionsSnapshot
from millrace_exchange import EventTimes, Exchange
from millrace_gatherer.streams.following import RECONCILE_S, reconcile
from millrace_gatherer.streams.position_book import PositionBook
from millrace_gatherer.streams.questions import account_timer
from millrace_gatherer.streams.readable import Readable
from millrace_gatherer.streams.stream import Stream
from millrace_gatherer.units import StreamUnitConfig
from millrace_service import UnitHealthReporter
from millrace_service.tasks import run_all


class PositionsStream(Stream):
    """The positions of one account."""

    action: ClassVar[StreamAction] = POSITIONS
    resumes = True
    # All that is held at first is a delta too: the history of positions needs no snapshot.
    begins_empty = True

    def __init__(self, unit: StreamUnitConfig, exchange: Exchange, bus: Bus, health: UnitHealthReporter) -> None:
        self._book = PositionBook()
        self._readable = Readable(msgspec.json.Decoder(ExchangePosition), health)
        self._changed_meanwhile: set[str] = set()
        """Symbols whose positions messages changed since the exchange was last asked."""
        super().__init__(unit, exchange, bus, health)
        self._questions = account_timer(exchange, None, self.wake)

    async def follow(self) -> None:
        """Follow the stream, if the exchange has one, and ask for all positions on a timer."""
        poll_s = self.exchange.poll_interval_s(POSITIONS)
        asking = reconcile(self._reconcile, self.health, poll_s or RECONCILE_S, self._questions)
        # Where there is none, the answers are all there is, and the only ones to say what is held no more.
        await (run_all(self.exchange.account.positions(self), asking) if poll_s is None else asking)

    def take_snapshot(self, as_of: str) -> ExchangePositionsSnapshot:
        """Return the open positions."""
        return ExchangePositionsSnapshot(positions=self._book.open, as_of=as_of)

    def resume(self, published: Published) -> None:
        """Restore the published positions; then ask for the present ones."""
        self._book = PositionBook(cast(ExchangePositionsState, published.state).open.values())

    def positions_changed(self, positions: list[ExchangePosition], event: EventTimes) -> None:
        """Publish what a message changes."""
        self.on_message()
        self._questions.received()
        readable = self._readable.only(positions)
        self._changed_meanwhile |= {position.symbol for position in readable}
        self._publish(self._book.reported(readable), event, is_live=True)

    async def _reconcile(self) -> None:
        await self.known.wait()
        self._changed_meanwhile.clear()
        positions = self._readable.only(await self.exchange.account.fetch_positions())
        # What a message changed meanwhile the answer may have from before it.
        changes = self._book.answered(positions, self._changed_meanwhile)
        self._publish(changes, EventTimes(None, now_ns()), is_live=False)
        self.live()

    def _publish(self, changes: list[ExchangePosition], event: EventTimes, *, is_live: bool) -> None:
        if changes:
            self.publish(ExchangePositionsDelta(positions=changes), event, is_live=is_live)
