"""How each dialect words the answers that it gives on purpose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from millrace_simulator.faults.rule import FaultKind
from millrace_simulator.listings import DialectName

Refusal = tuple[int, Mapping[str, Any]]
"""A status, and an error."""

REFUSALS: Final[Mapping[DialectName, Mapping[FaultKind, Refusal]]] = {
    "binance": {
        FaultKind.LIMITED: (
            429,
            {"code": -1003, "msg": "Too much request weight used; please use WebSocket Streams."},
        ),
        FaultKind.BANNED: (418, {"code": -1003, "msg": "Way too much request weight used; IP banned."}),
        FaultKind.OVERLOADED: (503, {"code": -1008, "msg": "Server is currently overloaded with other requests."}),
        FaultKind.REVOKED: (401, {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}),
        FaultKind.FAILED: (503, {"code": -1007, "msg": "Timeout waiting for response from backend server."}),
    },
    "kucoin": {
        FaultKind.LIMITED: (429, {"code": "429000", "msg": "Too many requests in a short period of time."}),
        FaultKind.OVERLOADED: (503, {"code": "230005", "msg": "System busy."}),
        FaultKind.REVOKED: (401, {"code": "400003", "msg": "KC-API-KEY not exists"}),
        FaultKind.FAILED: (500, {"code": "500000", "msg": "Internal Server Error"}),
    },
}


def pause_headers(dialect: DialectName, kind: FaultKind, pause_s: int) -> dict[str, str]:
    """Return how a refusal says for how long the exchange wants to be left alone, where it says so.

    Binance: `Retry-After`, s. KuCoin: `gw-ratelimit-reset`, ms, of a limit alone.
    """
    if kind is FaultKind.REVOKED:
        return {}
    if dialect == "binance":
        return {"Retry-After": str(pause_s)}
    return {"gw-ratelimit-reset": str(pause_s * 1000)} if kind is FaultKind.LIMITED else {}


def possible_in(dialect: DialectName) -> list[FaultKind]:
    """Return the faults of a dialect."""
    worded = {FaultKind.LIMITED, FaultKind.BANNED, FaultKind.OVERLOADED, FaultKind.FAILED}
    return [kind for kind in FaultKind if kind not in worded or kind in REFUSALS[dialect]]
