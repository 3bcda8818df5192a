"""Browser sessions: a cookie that scripts cannot read, and a CSRF secret that only our own pages know.

Sessions live in this process only: a restart logs browsers out.
"""

import hashlib
import hmac
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from millrace_api.access.principal import Principal
from millrace_api.access.verifier import with_csrf

COOKIE = "millrace_session"
CSRF_HEADER = "X-CSRF-Token"
LIFETIME_S = 12 * 3600
MAX_SESSIONS = 500
"""Sessions of one tenant; a further one ends the tenant's oldest."""


@dataclass(frozen=True, slots=True)
class _Session:
    principal: Principal
    ends_s: float


class Sessions:
    """The browser sessions of this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._by_digest: dict[str, _Session] = {}
        self._of_tenants: defaultdict[str, dict[str, None]] = defaultdict(dict)
        """The digests of each tenant, oldest first."""

    def begin(self, principal: Principal) -> tuple[str, Principal]:
        """Start a session; return the cookie's value and the principal with its CSRF secret."""
        of_tenant = self._of_tenants[principal.tenant]
        while len(of_tenant) >= MAX_SESSIONS:
            self._drop(next(iter(of_tenant)))
        cookie = secrets.token_urlsafe(32)
        known = with_csrf(principal, secrets.token_urlsafe(32))
        digest = _digest(cookie)
        self._by_digest[digest] = _Session(known, self._clock() + LIFETIME_S)
        of_tenant[digest] = None
        return cookie, known

    def principal(self, cookie: str) -> Principal | None:
        """Return the principal of a cookie's session; None if it is unknown or has ended."""
        session = self._by_digest.get(digest := _digest(cookie))
        if session is None:
            return None
        if session.ends_s <= self._clock():
            self._drop(digest)
            return None
        return session.principal

    def end(self, cookie: str) -> None:
        """End a session."""
        self._drop(_digest(cookie))

    def end_all(self, token_id: str) -> None:
        """End every session that was started with a token."""
        for digest in [at for at, session in self._by_digest.items() if session.principal.token_id == token_id]:
            self._drop(digest)

    def _drop(self, digest: str) -> None:
        if (session := self._by_digest.pop(digest, None)) is not None:
            self._of_tenants[session.principal.tenant].pop(digest, None)


def cookie_in(headers: Mapping[str, str]) -> str | None:
    """Return the session's cookie in a request's headers; None if there is none.

    It is never quoted. Python's own reader of cookies takes half a minute for a stranger's long one with backslashes.
    """
    pairs = (pair.partition("=") for pair in headers.get("cookie", "").split(";"))
    return next((value.strip() for name, _, value in pairs if name.strip() == COOKIE), None)


def is_own_origin(origin: str | None, host: str | None, allowed: tuple[str, ...] = ()) -> bool:
    """Tell whether a page at `origin` may use a session: it is our own, or an allowed one."""
    if origin is None:
        return False
    try:
        at = urlsplit(origin).netloc
    except ValueError:
        return False
    return origin in allowed or (host is not None and at.lower() == host.lower())


def is_csrf_of(principal: Principal, given: str | None) -> bool:
    """Tell whether `given` is the session's CSRF secret."""
    return principal.csrf is not None and hmac.compare_digest(principal.csrf.encode(), (given or "").encode())


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode(errors="replace")).hexdigest()
