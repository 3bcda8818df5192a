"""Address and credentials of a Redis server, parsed from a URL."""

import ssl
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from millrace_core.errors import InvalidName

_DEFAULT_PORT: Final = 6379
CA_FILE: Final = "ssl_ca_certs"
"""The parameter of a URL that names a CA file, as in redis-py."""


class Address(NamedTuple):
    """Address and credentials of a Redis server."""

    host: str
    port: int
    db: int = 0
    user: str | None = None
    password: str | None = None
    tls: bool = False
    ca_file: str | None = None
    """File with the certificates of the authorities to trust; None for the system's."""

    def __str__(self) -> str:
        """Return a readable form without the password."""
        scheme = "rediss" if self.tls else "redis"
        return f"{scheme}://{self.host}:{self.port}/{self.db}"

    def tls_context(self) -> ssl.SSLContext | None:
        """Return the TLS settings for `rediss`: certificates and host names are checked."""
        return ssl.create_default_context(cafile=self.ca_file) if self.tls else None

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Read `redis://` or `rediss://[[user]:password@]host[:port][/db]`, the latter with `?ssl_ca_certs=file`.

        Raises:
            InvalidName: it has another form, or the file does not exist. The text in the error holds no password.
        """
        parts = urlsplit(url)
        wanted = "redis:// or rediss://[[user]:password@]host[:port][/db], the latter with ?ssl_ca_certs=<file>"
        db = parts.path.strip("/") or "0"
        shown = url.rpartition("@")[2]
        try:
            port = parts.port or _DEFAULT_PORT
        except ValueError as error:
            raise InvalidName(shown, wanted) from error
        if parts.scheme not in ("redis", "rediss") or not parts.hostname or not db.isdecimal():
            raise InvalidName(shown, wanted)
        parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
        ca_file = parameters.pop(CA_FILE, None)
        if parameters or (ca_file is not None and parts.scheme != "rediss"):
            raise InvalidName(shown, wanted)
        if ca_file is not None and not Path(ca_file).is_file():
            raise InvalidName(shown, f"an address whose CA file exists: there is no file {ca_file!r}")
        return cls(
            host=parts.hostname,
            port=port,
            db=int(db),
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            tls=parts.scheme == "rediss",
            ca_file=ca_file,
        )
