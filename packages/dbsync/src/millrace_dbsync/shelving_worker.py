"""`python -m millrace_dbsync.shelving_worker`: decodes pages from standard input to batches on standard output."""

import signal
import sys
from typing import BinaryIO

from millrace_dbsync.interpreter import suit_bulk
from millrace_dbsync.shelved import Shelved
from millrace_dbsync.shelves import Shelves
from millrace_dbsync.shelving_wire import SIZE_BYTES, packed_shelved, pages_of
from millrace_store import Batch


def main(questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer until there are no more questions, which is also when dbsync has died."""
    shelves = Shelves()
    while size := questions.read(SIZE_BYTES):
        batch, shelved = Batch(), Shelved()
        for name, page in pages_of(questions.read(int.from_bytes(size, "big"))).items():
            for _ in shelves.put(batch, name, page, shelved):
                pass
        shelved.times.put(batch)
        answer = packed_shelved(batch, shelved)
        answers.write(len(answer).to_bytes(SIZE_BYTES, "big"))
        answers.write(answer)
        answers.flush()


if __name__ == "__main__":
    # Ctrl-C at a terminal reaches every process of it, and dbsync still has use for this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    suit_bulk()
    main(sys.stdin.buffer, sys.stdout.buffer)
