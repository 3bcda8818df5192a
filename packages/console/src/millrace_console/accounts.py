"""Who is signed in: the tokens of one browser, sealed in a cookie that only this console can read.

A browser may hold several tokens, so that a client with several tenants sees them together or apart. The cookie holds
all of it, so a restart of the console signs nobody out.
"""

import base64
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
from cryptography.fernet import Fernet, InvalidToken

from millrace_core.json_problems import UNREADABLE

COOKIE = "millrace_console"
LIFETIME_S = 30 * 86_400
MAX_ACCOUNTS = 12
"""A cookie holds 4 kB."""
KEY_FILE = "console.key"


class Account(msgspec.Struct, frozen=True, array_like=True):
    """One token and what it may do, as the API said at sign-in."""

    tenant: str
    name: str
    """The token's name."""
    role: str
    is_operator: bool
    token: str

    def may(self, role: str) -> bool:
        """Tell whether the token has a role; each includes those before it."""
        roles = ("read", "trade", "admin")
        return roles.index(self.role) >= roles.index(role)


class Seal:
    """Seals accounts into a cookie's value, and opens it."""

    def __init__(self, key: bytes) -> None:
        self._fernet = Fernet(key)

    @classmethod
    def of_folder(cls, folder: Path) -> "Seal":
        """Return the seal whose key lies in a folder; a first one makes the key, readable by its owner alone."""
        file = folder / KEY_FILE
        folder.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return cls(file.read_bytes())
        key = base64.urlsafe_b64encode(os.urandom(32))
        with os.fdopen(handle, "wb") as stream:
            stream.write(key)
        return cls(key)

    def close(self, accounts: Sequence[Account]) -> str:
        """Return the cookie's value for these accounts."""
        return self._fernet.encrypt(msgspec.msgpack.encode(list(accounts))).decode()

    def open(self, cookie: str | None) -> tuple[Account, ...]:
        """Return the accounts of a cookie; none if it is absent, too old or another console's."""
        if not cookie:
            return ()
        try:
            packed = self._fernet.decrypt(cookie.encode(), ttl=LIFETIME_S)
            return tuple(msgspec.msgpack.decode(packed, type=list[Account]))
        except (InvalidToken, *UNREADABLE):
            return ()


def joined(accounts: Sequence[Account], new: Sequence[Account]) -> tuple[Account, ...]:
    """Return the accounts with new ones added; a new token of a tenant replaces the tenant's former one."""
    known = {account.tenant: account for account in (*accounts, *new)}
    return tuple(list(known.values())[-MAX_ACCOUNTS:])
