"""`python -m millrace_dbsync.shelving_worker THERE BACK …`: makes batches of pages.

The arguments are descriptors of files that dbsync opened, two for each question that it may ask at a time. On standard
input come the words that it put something there; on standard output go those that something was put back.
"""

import signal
import sys
from collections.abc import Sequence
from typing import BinaryIO

from millrace_dbsync.interpreter import suit_bulk
from millrace_dbsync.passing import WORD_BYTES, Passage, word, word_of
from millrace_dbsync.shelved import Shelved
from millrace_dbsync.shelves import Shelves
from millrace_dbsync.shelving_wire import packed_shelved, pages_of
from millrace_store import Batch


def main(slots: Sequence[tuple[Passage, Passage]], asked: BinaryIO, answered: BinaryIO) -> None:
    """Answer until there are no more questions, which is also when dbsync has died."""
    shelves = Shelves()
    while text := asked.read(WORD_BYTES):
        slot, size = word_of(text)
        there, back = slots[slot]
        batch, shelved = Batch(), Shelved()
        for _ in shelves.put(batch, pages_of(there.take(size)), shelved):
            pass
        answered.write(word(slot, back.put(packed_shelved(batch, shelved))))
        answered.flush()


if __name__ == "__main__":
    # Ctrl-C at a terminal reaches every process of it, and dbsync still has use for this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    suit_bulk()
    passages = [Passage(int(descriptor)) for descriptor in sys.argv[1:]]
    main(list(zip(passages[::2], passages[1::2], strict=True)), sys.stdin.buffer, sys.stdout.buffer)
