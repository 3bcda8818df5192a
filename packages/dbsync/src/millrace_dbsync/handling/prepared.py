"""What is committed together: pages of journals, and the rows that were made of them."""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import chain

from millrace_core.clock import now_ms
from millrace_core.continuity import Gap
from millrace_core.ids import MessageId
from millrace_dbsync.handling.handler import HandlingResult, dead_letter, stray_entry
from millrace_dbsync.handling.handlers import handle
from millrace_dbsync.reading.intake import JournalBatch
from millrace_store import Batch


class PreparedBatch:
    """Pages that were read one after the other, as rows that are ready to be committed."""

    def __init__(self) -> None:
        self.sources: list[JournalBatch] = []
        """What was read, so that a batch that the database refuses can be divided."""
        self.rows = Batch()
        self.result = HandlingResult()
        self.count = 0
        """Entries."""
        self.is_dead_letter = False
        """Whether it is a single message that goes to dead letters."""

    @property
    def gaps(self) -> Iterable[Gap]:
        """The gaps before and in the pages."""
        return chain.from_iterable(source.gaps for source in self.sources)

    @property
    def last(self) -> dict[str, MessageId]:
        """The newest entry of each journal."""
        return {name: page.last for source in self.sources for name, page in source.pages.items()}

    async def add(self, source: JournalBatch) -> None:
        """Add what was read, and yield to other tasks on the way."""
        self._take(source)
        for _ in handle(self.rows, source.pages, self.result):
            await asyncio.sleep(0)

    def complete(self) -> None:
        """Add what concerns all messages together; call it once, after the last one was added."""
        self.result.times.put(self.rows)

    @classmethod
    async def of(cls, sources: Sequence[JournalBatch]) -> "PreparedBatch":
        """Return a complete batch of what was read."""
        batch = cls()
        for source in sources:
            await batch.add(source)
        batch.complete()
        return batch

    @classmethod
    def dead_letter(cls, source: JournalBatch, reason: str) -> "PreparedBatch":
        """Return a batch of one message, with that message as a dead letter."""
        batch = cls()
        batch._take(source)
        ((name, (entry,)),) = source.pages.items()
        dead_letter(batch.rows, name, entry, reason, batch.result)
        batch.is_dead_letter = True
        return batch

    def _take(self, source: JournalBatch) -> None:
        self.sources.append(source)
        self.count += source.count
        for gap in source.gaps:
            self.rows.gap(gap.name, gap.epoch, gap.first_seq, gap.last_seq, now_ms(), gap.reason)
        for name, entry in source.strays:
            stray_entry(self.rows, name, entry, self.result)


def divided(sources: Sequence[JournalBatch]) -> list[list[JournalBatch]]:
    """Cut what was read in two without changing the order of any journal; a single message is not divided."""
    middle = len(sources) // 2
    if middle:
        return [list(sources[:middle]), list(sources[middle:])]
    (whole,) = sources
    return [[whole]] if whole.count <= 1 else [[half] for half in _halves(whole)]


def _halves(whole: JournalBatch) -> tuple[JournalBatch, JournalBatch]:
    """Cut pages in two; what is beside them goes with the first half."""
    first, second = JournalBatch(gaps=whole.gaps, strays=whole.strays), JournalBatch()
    room = whole.count // 2
    for name, page in whole.pages.items():
        for part, piece in ((first, page[:room]), (second, page[room:])):
            if piece:
                part.pages[name] = piece
                part.count += len(piece)
        room -= min(room, len(page))
    return first, second
