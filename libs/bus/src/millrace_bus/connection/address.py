"""Address and credentials of a Redis server, parsed from a URL."""

import ssl
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from millrace_core.errors import InvalidName

_DEFAULT_PORT = 6379


class Address(NamedTuple):
    """Address and credentials of a Redis server."""

    host: str
    port: int
    db: int = 0
    user: str | None = None
    password: str | None = None
    tls: bool = False

    def __str__(self) -> str:
        """Return a readable form without the password."""
        scheme = "rediss" if self.tls else "redis"
        return f"{scheme}://{self.host}:{self.port}/{self.db}"

    def tls_context(self) -> ssl.SSLContext | None:
        """Return the TLS settings for `rediss`: the system's authorities, host names checked."""
        return ssl.create_default_context() if self.tls else None

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Read `redis://` or `rediss://[[user]:password@]host[:port][/db]`.

        Raises:
            InvalidName: it has another form. The text in the error holds no password.
        """
        parts = urlsplit(url)
        wanted = "redis:// or rediss://[[user]:password@]host[:port][/db]"
        db = parts.path.strip("/") or "0"
        shown = url.rpartition("@")[2]
        try:
            port = parts.port or _DEFAULT_PORT
        except ValueError as error:
            raise InvalidName(shown, wanted) from error
        if parts.scheme not in ("redis", "rediss") or not parts.hostname or not db.isdecimal():
            raise InvalidName(shown, wanted)
        return cls(
            host=parts.hostname,
            port=port,
            db=int(db),
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            tls=parts.scheme == "rediss",
        )
