"""Authentication: who sent a request, whether it may pass, and how often."""

from collections.abc import Mapping

from millrace_api.access.budget import Budget
from millrace_api.access.hashing import Hashing
from millrace_api.access.holdings import Holdings
from millrace_api.access.principal import Principal
from millrace_api.access.refusals import Refusals
from millrace_api.access.sessions import CSRF_HEADER, Sessions, cookie_in, is_csrf_of, is_own_origin
from millrace_api.access.trail import Trail
from millrace_api.access.verifier import Verifier
from millrace_api.configs.models import ApiConfig
from millrace_api.problems import ApiError, unavailable
from millrace_serving.rates import RateLimiter, network_of
from millrace_store import DatabaseUnavailable, Store

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Authenticator:
    """Authenticates requests, limits their rate, and checks that browsers act for our own pages."""

    def __init__(self, store: Store, config: ApiConfig) -> None:
        self.trail = Trail(store)
        self.refusals = Refusals(self.trail)
        self.holdings = Holdings(store)
        self.sessions = Sessions()
        self.hashing = Hashing()
        self._verifier = Verifier(store, self.trail, self.hashing)
        self._requests = RateLimiter(config.requests_per_second, config.burst)
        self._failures = RateLimiter(config.failures_per_minute / 60, config.failures_burst)
        self._origins = config.allowed_origins
        self.budget = Budget(config.tenant_limits)

    def set_limits(self, config: ApiConfig) -> None:
        """Apply other limits."""
        self._requests.set_limits(config.requests_per_second, config.burst)
        self._failures.set_limits(config.failures_per_minute / 60, config.failures_burst)
        self._origins = config.allowed_origins
        self.budget.set_limits(config.tenant_limits)

    async def identify(self, headers: Mapping[str, str], address: str) -> Principal:
        """Return the principal of a request from an address.

        Raises:
            ApiError: it has no valid token or session.
        """
        if (authorization := headers.get("authorization")) is not None:
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() != "bearer":
                raise _unauthenticated("the header must be `Authorization: Bearer mr_…`")
            return await self._by_token(token.strip(), address)
        if (cookie := cookie_in(headers)) is not None:
            return await self._by_cookie(cookie)
        raise _unauthenticated("send `Authorization: Bearer mr_…`; `millrace tokens create` creates a token")

    def admit(self, principal: Principal, headers: Mapping[str, str], method: str, *, is_socket: bool = False) -> None:
        """Check that an authenticated request may proceed.

        Raises:
            ApiError: it was forged by another page in the browser, or exceeds the rate limit.
        """
        if principal.csrf is not None:
            self._check_browser(principal, headers, method, is_socket=is_socket)
        if wait_s := self._requests.take(principal.token_id):
            raise too_many(wait_s)
        if wait_s := self.budget.request(principal.tenant):
            raise too_many(wait_s, "of your tenant")

    async def log_in(self, token: str, headers: Mapping[str, str], address: str) -> tuple[str, Principal]:
        """Start a browser session; return the cookie's value and the principal.

        Raises:
            ApiError: the token is invalid or sends too many requests, or the page belongs to another site.
        """
        origin = headers.get("origin")
        if origin is not None and not is_own_origin(origin, headers.get("host"), self._origins):
            raise ApiError(403, f"pages of {origin} may not log in; add the origin to allowedOrigins")
        principal = await self._by_token(token, address)
        self.admit(principal, headers, "POST")
        return self.sessions.begin(principal)

    def end(self, token_id: str) -> None:
        """End everything that a token holds: it was revoked."""
        self._verifier.forget(token_id)
        self.sessions.end_all(token_id)
        self.holdings.end(token_id)

    def may_try(self, address: str) -> None:
        """Check that an address may try a token or a code that is not known yet.

        Raises:
            ApiError: it has tried too many that were wrong.
        """
        if wait_s := self._failures.wait_s(network_of(address)):
            raise too_many(wait_s)

    def failed(self, address: str) -> None:
        """Count an unauthenticated request.

        Raises:
            ApiError: the address has sent too many; this one is not to be audited.
        """
        if wait_s := self._failures.take(network_of(address)):
            raise too_many(wait_s)

    async def _by_token(self, token: str, address: str) -> Principal:
        if not self._verifier.has_verified(token):
            self.may_try(address)
        try:
            principal = await self._verifier.principal(token, address)
        except DatabaseUnavailable as error:
            raise unavailable("the token database") from error
        if principal is None:
            raise _unauthenticated("this token is unknown, revoked or expired; `millrace tokens create` creates one")
        return principal

    async def _by_cookie(self, cookie: str) -> Principal:
        principal = self.sessions.principal(cookie)
        if principal is None or not await self._is_good(principal):
            raise _unauthenticated("session expired: log in again")
        return principal

    async def _is_good(self, principal: Principal) -> bool:
        try:
            return await self._verifier.is_good(principal.token_id)
        except DatabaseUnavailable as error:
            raise unavailable("the token database") from error

    def _check_browser(self, principal: Principal, headers: Mapping[str, str], method: str, *, is_socket: bool) -> None:
        origin = headers.get("origin")
        # A browser sends the page's origin with every WebSocket and every change; pages of other sites may not act.
        if (is_socket or origin is not None) and not is_own_origin(origin, headers.get("host"), self._origins):
            raise ApiError(403, f"pages at {origin} may not use this session; add the origin to allowedOrigins")
        if method not in SAFE and not is_csrf_of(principal, headers.get(CSRF_HEADER.lower())):
            raise ApiError(403, f"sessions must send {CSRF_HEADER} with every change; GET /api/v1/session returns it")


def too_many(wait_s: float, whose: str = "of this token or address") -> ApiError:
    """Return the error for a request that exceeds a rate limit."""
    seconds = max(1, round(wait_s + 0.5))
    return ApiError(429, f"too many requests {whose}: try again in {seconds} s", headers={"Retry-After": str(seconds)})


def revoked() -> ApiError:
    """Return the error for a request whose token ended while it was served."""
    return _unauthenticated("this token was revoked or has expired")


def _unauthenticated(what_to_do: str) -> ApiError:
    return ApiError(401, what_to_do, headers={"WWW-Authenticate": 'Bearer realm="millrace"'})
