"""Scripts that Redis runs: several steps that nobody else sees half done.

A server forgets scripts when it restarts, so each connection loads a script before it first calls it. One that is
missing all the same (`SCRIPT FLUSH`) ends the connection; the next one loads it again.
"""

from collections.abc import Iterable
from hashlib import sha1
from typing import Final, NamedTuple

from millrace_bus.connection.connection import CommandPart, pack

MISSING: Final = "NOSCRIPT"
"""Code of Redis's answer when it does not know a script."""


class Script(NamedTuple):
    """A script's text, and the digest by which it is called."""

    text: str
    sha: str

    @classmethod
    def of(cls, text: str) -> "Script":
        """Return a script."""
        return cls(text, sha1(text.encode(), usedforsecurity=False).hexdigest())

    def command(self, keys: Iterable[str], *arguments: CommandPart) -> tuple[CommandPart, ...]:
        """Return the command that runs it."""
        names = tuple(keys)
        return ("EVALSHA", self.sha, len(names), *names, *arguments)

    def load(self) -> bytes:
        """Return the bytes of the command that makes it known."""
        return pack("SCRIPT", "LOAD", self.text)
