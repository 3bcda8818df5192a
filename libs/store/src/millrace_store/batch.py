"""What one transaction writes: messages, and with them how far their streams are stored."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from millrace_core.heartbeat import Heartbeat
from millrace_core.ids import MessageId
from millrace_core.latency import Histogram
from millrace_core.market import Balances, Candle, Trade
from millrace_core.messages import Response, Status
from millrace_core.names import AgentId
from millrace_core.orders import Order
from millrace_core.trace import Trace


class Place(NamedTuple):
    """Which message, and when: its identity in the database."""

    name: str
    """The Redis name on which it travelled: a stream's, a stream's snapshots', or a tenant's traderActions."""
    id: MessageId
    at_ms: int
    """When it was published, by its trace; a request's own time."""
    event_ms: int | None = None
    """The exchange's own time, where it gave one."""


class Batch:
    """Rows that are committed together; each method adds one message.

    A message is stored once: one at or below its stream's stored position is skipped, whoever stored it. So the
    messages of one stream must be added in order, and a batch that failed may be given again whole. Adding moves the
    stream's position to the message by itself.
    """

    def book_delta(self, place: Place, data: bytes, nonce: int | None) -> None:
        """Add what changed in an order book, as it travelled."""
        raise NotImplementedError

    def snapshot(
        self, place: Place, as_of: MessageId, data: bytes, *, nonce: int | None = None, checksum: int | None = None
    ) -> None:
        """Add a snapshot of any stream as it travelled; `place.name` is the snapshot's name."""
        raise NotImplementedError

    def trades(self, place: Place, trades: Sequence[Trade]) -> None:
        """Add trades of the market: one row each."""
        raise NotImplementedError

    def own_trades(self, place: Place, trades: Sequence[Trade]) -> None:
        """Add the tenant's own trades: one row each; one that came before under another message is kept once."""
        raise NotImplementedError

    def candles(self, place: Place, timeframe: str, candles: Sequence[Candle]) -> None:
        """Add candles as the exchange gave them; of two for one interval the newer message's stays."""
        raise NotImplementedError

    def ticker(self, place: Place, data: bytes) -> None:
        """Add the fields of a ticker that changed, as they travelled."""
        raise NotImplementedError

    def orders(self, place: Place, orders: Sequence[Order]) -> None:
        """Add what a message said of orders: an event each, joined into the current order."""
        raise NotImplementedError

    def balances(self, place: Place, balances: Balances) -> None:
        """Add the balances that changed."""
        raise NotImplementedError

    def event(self, place: Place, data: bytes) -> None:
        """Add a message of a stream without a table of its own (positions, funding rates), as it travelled."""
        raise NotImplementedError

    def status(self, place: Place, status: Status) -> None:
        """Add what a writer said of its stream."""
        raise NotImplementedError

    def request(self, place: Place, request: Mapping[str, object]) -> None:
        """Add a request to trade: its JSON object, of whatever form; what it names of the protocol is indexed."""
        raise NotImplementedError

    def response(self, place: Place, response: Response, trace: Trace) -> None:
        """Add an executor's answer; its orders are joined into the current ones, and one not done has failed."""
        raise NotImplementedError

    def dead_letter(self, place: Place, reason: str, raw: bytes) -> None:
        """Add a message that cannot be understood: it counts as stored."""
        raise NotImplementedError

    def gap(self, name: str, epoch: int, first_seq: int, last_seq: int, found_ms: int, reason: str) -> None:
        """Add a hole: these messages, both ends included, can never be stored. The same hole is kept once."""
        raise NotImplementedError

    def latency(self, name: str, hop: str, minute_ms: int, histogram: Histogram) -> None:
        """Add durations of one hop within one minute to what is stored of them.

        They are left out when any message of this stream in the batch turns out to have been stored before.
        """
        raise NotImplementedError

    def agent(self, heartbeat: Heartbeat) -> None:
        """Add what an agent said of itself at `heartbeat.sent_at`; the same moment is kept once."""
        raise NotImplementedError

    def config(self, agent: AgentId, revision: str, at_ms: int, text: str, author: str | None = None) -> None:
        """Add a configuration that an agent has from now on; the one that it has already is not added again."""
        raise NotImplementedError

    def position(self, name: str, at: MessageId) -> None:
        """Say how far a stream is dealt with, where that is further than its last message in this batch."""
        raise NotImplementedError
