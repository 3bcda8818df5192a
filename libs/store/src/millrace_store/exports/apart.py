"""Exports in a process of their own, which costs the others neither time nor memory, and ends with its reader.

Run as a program, it reads the question from its input and writes the file to its output.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from typing import Final

import msgspec

from millrace_store.errors import DatabaseUnavailable
from millrace_store.exports.export import Format
from millrace_store.exports.histories import ExportKind
from millrace_store.queries.pages import Scope

_BYTES_A_PIECE: Final = 262_144
_NICENESS: Final = 10


class Question(msgspec.Struct, frozen=True):
    """What to export."""

    url: str
    """The address of the database; it may hold a password, so it is no argument of the process."""
    kind: ExportKind
    scope: Scope
    form: Format


async def stream_apart(question: Question) -> AsyncIterator[bytes]:
    """Return the bytes of the file piece by piece; closing the iterator early ends the process.

    Raises:
        DatabaseUnavailable: the process failed; what came before is not the whole file.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a process without pipes")
        process.stdin.write(msgspec.json.encode(question) + b"\n")
        while piece := await process.stdout.read(_BYTES_A_PIECE):
            yield piece
        if code := await process.wait():
            raise DatabaseUnavailable(f"an export ended with code {code}; its process has told why")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _write(question: Question) -> None:
    from millrace_store.store import Store

    async with Store.open(question.url, migrate=False) as store:
        async for piece in store.exports.stream(question.kind, question.scope, question.form):
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()


def main() -> None:
    """Export what the input asks for. If the reader leaves, so does this process."""
    os.nice(_NICENESS)
    question = msgspec.json.decode(sys.stdin.buffer.readline(), type=Question)
    try:
        asyncio.run(_write(question))
    except BrokenPipeError:
        os._exit(0)


if __name__ == "__main__":
    main()
