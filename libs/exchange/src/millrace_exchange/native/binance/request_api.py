"""Binance's WebSocket API: which of its methods stands for which endpoint, and how a request is written and signed.

Source: web-socket-api.md, "Request format", "Request security", "Session authentication". Parameters and results are
those of the endpoints. A key of the kind Ed25519 signs once a connection, every other key each request.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec

from millrace_exchange.native.failures import LogonRefused

METHODS: Final[Mapping[tuple[str, str], str]] = {
    ("POST", "order"): "order.place",
    ("DELETE", "order"): "order.cancel",
    ("POST", "order/cancelReplace"): "order.cancelReplace",
    ("PUT", "order/amend/keepPriority"): "order.amend.keepPriority",
    ("DELETE", "openOrders"): "openOrders.cancelAll",
    ("GET", "order"): "order.status",
    ("GET", "openOrders"): "openOrders.status",
    ("GET", "myTrades"): "myTrades",
    ("GET", "account"): "account.status",
}
"""Orders, and what settles an order whose outcome is unknown."""
_QUIET: Final = ("order.place", "order.cancel")
"""Methods whose answers need not tell what is left of the limits: each order would report that to all processes."""
_LIMITS: Final = "returnRateLimits"
_API: Final = ["private"]
_PRIVATE_KEY: Final = "PRIVATE KEY"
_LONGEST_ED25519: Final = 120
"""Characters of a PEM file with a key of that kind; ccxt tells it from RSA by the same number."""
_encode: Final = msgspec.json.Encoder().encode


class BinanceRequests:
    """Writes one account's requests."""

    def __init__(self, ccxt: Any) -> None:
        self._ccxt = ccxt
        secret = str(ccxt.secret or "")
        self.has_sessions = _PRIVATE_KEY in secret and len(secret) <= _LONGEST_ED25519
        """Whether a connection is authenticated once, so that no request carries a signature."""

    @property
    def url(self) -> str:
        """Return where to connect."""
        return f"{self._ccxt.urls['api']['ws']['ws-api']['spot']}?{_LIMITS}=false"

    def name_of(self, api: Any, method: str, path: str) -> str | None:
        """Return the method that stands for an endpoint of the spot account, or None."""
        return METHODS.get((method, path)) if api == _API else None

    def written(self, number: int, name: str, params: Mapping[str, Any]) -> bytes:
        """Return a request, signed with the exchange's present time."""
        params = dict(params) if name in _QUIET else {**params, _LIMITS: True}
        params = self._timed(params) if self.has_sessions else self._ccxt.sign_params(params)
        return _encode({"id": number, "method": name, "params": params})

    def logon(self, number: int) -> bytes:
        """Return the request that authenticates a connection."""
        return _encode({"id": number, "method": "session.logon", "params": self._ccxt.sign_params({})})

    def check_logon(self, answer: Mapping[str, Any]) -> None:
        """Return if a connection is authenticated.

        Raises:
            LogonRefused: it is not.
        """
        if answer["status"] != HTTPStatus.OK:
            raise LogonRefused(answer.get("error"))

    def _timed(self, params: Mapping[str, Any]) -> dict[str, Any]:
        timed = {**params, "timestamp": self._ccxt.nonce()}
        if (window := self._ccxt.options.get("recvWindow")) is not None:
            timed.setdefault("recvWindow", window)
        return timed
