"""Redis: writers, readers that recover, requests, config watch; the embedded server.

    async with Bus.connect("redis://127.0.0.1:6379", name="gatherer-GATHERER") as bus:
        writer = bus.writer(name, take_snapshot)
        await writer.open()
        writer.delta(BookDelta(bids=[(10.0, 3.5)], asks=[]))

Everything here survives any outage of Redis; see docs/protocol.md for what travels and what is promised.
"""

from millrace_bus.bus import Bus
from millrace_bus.errors import (
    BusError,
    CommandRefused,
    Disconnected,
    MessageTooLarge,
    RequestExpired,
    ServerFailed,
    TaskFailed,
    TooManyRequests,
    UnmergeableOrder,
    Unreachable,
    WriterFenced,
)
from millrace_bus.orders.orders import OrderHashes
from millrace_bus.reading.follower import Follower, UpdateListener
from millrace_bus.reading.journal_page import JournalEntry, JournalPage
from millrace_bus.reading.journals import Extent, Journals
from millrace_bus.reading.published import Published
from millrace_bus.reading.updates import FollowerCounters, FollowerStatus, Update, UpdateKind
from millrace_bus.requests.halts import Halts
from millrace_bus.requests.intents import Intents
from millrace_bus.requests.lease import FENCED, Fence, LeaseReply, Leases
from millrace_bus.requests.reader import Arrived, Backlog, RequestReader
from millrace_bus.requests.sender import Requests
from millrace_bus.server.embedded import EmbeddedServer
from millrace_bus.writing.numbered import WriterCounters
from millrace_bus.writing.writer import StreamWriter, WriterState
from millrace_core.halts import HaltNote, HaltScope

__all__ = [
    "FENCED",
    "Arrived",
    "Backlog",
    "Bus",
    "BusError",
    "CommandRefused",
    "Disconnected",
    "EmbeddedServer",
    "Extent",
    "Fence",
    "Follower",
    "FollowerCounters",
    "FollowerStatus",
    "HaltNote",
    "HaltScope",
    "Halts",
    "Intents",
    "JournalEntry",
    "JournalPage",
    "Journals",
    "LeaseReply",
    "Leases",
    "MessageTooLarge",
    "OrderHashes",
    "Published",
    "RequestExpired",
    "RequestReader",
    "Requests",
    "ServerFailed",
    "StreamWriter",
    "TaskFailed",
    "TooManyRequests",
    "UnmergeableOrder",
    "Unreachable",
    "Update",
    "UpdateKind",
    "UpdateListener",
    "WriterCounters",
    "WriterFenced",
    "WriterState",
]
