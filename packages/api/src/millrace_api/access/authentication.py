"""Authentication: who sent a request, whether it may pass, and how often."""

from collections.abc import Mapping

from millrace_api.access.audit import Audit
from millrace_api.access.principal import Principal
from millrace_api.access.rate_limit import RateLimiter
from millrace_api.access.sessions import COOKIE, CSRF_HEADER, Sessions, is_csrf_of, is_own_origin
from millrace_api.access.verifier import Verifier
from millrace_api.config import ApiConfig
from millrace_api.problems import ApiError, unavailable
from millrace_store import DatabaseUnavailable, Store

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Authenticator:
    """Verifies who asks and how often."""

    def __init__(self, store: Store, config: ApiConfig) -> None:
        self.verifier = Verifier(store)
        self.sessions = Sessions()
        self.audit = Audit(store)
        self._asking = RateLimiter(config.requests_per_second, config.burst)
        self._failing = RateLimiter(config.failures_per_minute / 60, config.failures_burst)
        self._origins = config.allowed_origins

    def set_limits(self, config: ApiConfig) -> None:
        """Put other limits in force."""
        self._asking.set_limits(config.requests_per_second, config.burst)
        self._failing.set_limits(config.failures_per_minute / 60, config.failures_burst)
        self._origins = config.allowed_origins

    async def identify(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> Principal:
        """Return who asks.

        Raises:
            ApiError: nobody whom we know.
        """
        if (authorization := headers.get("authorization")) is not None:
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() != "bearer":
                raise _nobody("the header is `Authorization: Bearer mr_…`")
            return await self._by_token(token.strip())
        if (cookie := cookies.get(COOKIE)) is not None:
            return await self._by_cookie(cookie)
        raise _nobody("send `Authorization: Bearer mr_…`; `millrace tokens create` makes a token")

    def admit(self, principal: Principal, headers: Mapping[str, str], method: str, *, is_socket: bool = False) -> None:
        """Let somebody whom we know pass.

        Raises:
            ApiError: the request was forged by another page of the browser's, or is one too many.
        """
        if principal.csrf is not None:
            self._check_browser(principal, headers, method, is_socket=is_socket)
        if wait_s := self._asking.take(principal.token_id):
            raise too_many(wait_s)

    async def log_in(self, token: str, headers: Mapping[str, str]) -> tuple[str, Principal]:
        """Begin a browser's session with a token; give the cookie's value and who it is.

        Raises:
            ApiError: the token is nobody's, or the page is not ours.
        """
        origin = headers.get("origin")
        if origin is not None and not is_own_origin(origin, headers.get("host"), self._origins):
            raise ApiError(403, f"pages at {origin} may not log in here")
        return self.sessions.begin(await self._by_token(token))

    async def still_good(self, token_id: str) -> bool:
        """Tell whether a token that passed is in force still; so it is taken to be while the database is away."""
        try:
            return await self.verifier.is_good(token_id)
        except DatabaseUnavailable:
            return True

    async def denied(self, principal: Principal, address: str, stream: str) -> None:
        """Record that somebody wanted another tenant's stream."""
        await self.audit.record(
            action="subscribe",
            outcome="denied",
            tenant=principal.tenant,
            actor=principal.token_id,
            target=stream,
            address=address,
        )

    def failed(self, address: str) -> None:
        """Count a failure of somebody unknown.

        Raises:
            ApiError: they were too many; this one is not worth recording.
        """
        if wait_s := self._failing.take(address):
            raise too_many(wait_s)

    async def _by_token(self, token: str) -> Principal:
        try:
            principal = await self.verifier.principal(token)
        except DatabaseUnavailable as error:
            raise unavailable("the database, where tokens are looked up,") from error
        if principal is None:
            raise _nobody("this token is not known, was revoked or has expired; `millrace tokens create` makes one")
        return principal

    async def _by_cookie(self, cookie: str) -> Principal:
        principal = self.sessions.principal(cookie)
        if principal is None or not await self._is_good(principal):
            raise _nobody("this session has ended: log in again")
        return principal

    async def _is_good(self, principal: Principal) -> bool:
        try:
            return await self.verifier.is_good(principal.token_id)
        except DatabaseUnavailable as error:
            raise unavailable("the database, where tokens are looked up,") from error

    def _check_browser(self, principal: Principal, headers: Mapping[str, str], method: str, *, is_socket: bool) -> None:
        origin = headers.get("origin")
        # A browser names the page's origin with every WebSocket and every change; other sites' must not act for it.
        if (is_socket or origin is not None) and not is_own_origin(origin, headers.get("host"), self._origins):
            raise ApiError(403, f"pages at {origin} may not act for this session")
        if method not in SAFE and not is_csrf_of(principal, headers.get(CSRF_HEADER.lower())):
            raise ApiError(403, f"a session sends {CSRF_HEADER} with every change; GET /api/v1/session tells it")


def too_many(wait_s: float) -> ApiError:
    """Return the refusal for one request too many."""
    seconds = max(1, round(wait_s + 0.5))
    return ApiError(429, f"too many requests: ask again in {seconds} s", headers={"Retry-After": str(seconds)})


def _nobody(what_to_do: str) -> ApiError:
    return ApiError(401, what_to_do, headers={"WWW-Authenticate": 'Bearer realm="millrace"'})
