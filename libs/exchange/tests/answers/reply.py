"""An answer of an exchange, as a test sets it."""

from typing import NamedTuple


class Reply(NamedTuple):
    """One answer over HTTP, byte for byte."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/json"
    headers: str = ""
    """Further header lines, each with its end."""
    announced: int | None = None
    """The length that is announced; that of the body if None."""
    is_held: bool = False
    """Over a socket: whether there is no answer."""
    hangs_up: bool = False
    """Whether the connection ends before any answer."""
