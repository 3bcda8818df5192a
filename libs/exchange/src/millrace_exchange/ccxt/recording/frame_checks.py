"""Checks every frame of one connection before ccxt applies it."""

from collections.abc import Mapping
from typing import Any

from millrace_exchange.ccxt.recording.book_recorder import BookRecorder
from millrace_exchange.ccxt.recording.frame_numbers import sequence_check
from millrace_exchange.profile import BookRules


class FrameChecks:
    """The checks of one connection: the numbers of its frames, and checksums that they hold."""

    def __init__(self, rules: BookRules, books: BookRecorder, client: Any) -> None:
        self._books = books
        self._client = client
        self._numbers = sequence_check(rules)
        if self._numbers is not None:
            books.checks.add(self._numbers)

    @classmethod
    def install(cls, ccxt: Any, client: Any) -> None:
        """Check the frames of a new connection of a recorded exchange."""
        books: BookRecorder = ccxt.recorder.books
        checks = client.frame_checks = cls(ccxt.profile.book, books, client)
        if checks._numbers is None and books.checksum is None:
            return
        take = client.on_message_callback

        def take_checked(source: Any, frame: Any) -> None:
            # Before ccxt applies it: listeners must not take the book that it makes of it for right.
            if not checks.begin(frame):
                try:
                    take(source, frame)
                finally:
                    books.end_frame()

        client.on_message_callback = take_checked
        checks._say_hello()

    def begin(self, frame: Any) -> bool:
        """Check a frame; return whether that was all there is to do with it."""
        if self._numbers is not None and isinstance(frame, Mapping):
            self._numbers.correct(frame)
            for chain in self._numbers.broken_chains(frame):
                self._books.broken(chain, self._client)
        checksum = self._books.checksum
        if checksum is None or (claim := checksum.claim(frame, self._client.subscriptions)) is None:
            return False
        self._books.claim(claim, self._client)
        return checksum.follows

    def _say_hello(self) -> None:
        checksum, send = self._books.checksum, self._client.send
        if checksum is None or checksum.hello is None:
            return

        async def send_after_hello(message: Any) -> Any:
            self._client.send = send
            await send(dict(checksum.hello or {}))
            return await send(message)

        self._client.send = send_after_hello
