"""JSON of messages, good at first and then spoilt by a seed."""

import json
from copy import deepcopy
from random import Random
from typing import Any, Final

EPOCH: Final = 1_760_000_000_000
_TRADE: Final = {"id": "1", "timestamp": EPOCH, "symbol": "K", "side": "buy", "price": 1.5, "amount": 2.0, "order": "7"}
_ORDER: Final = {
    "id": "7",
    "symbol": "K/USDT",
    "filled": 1,
    "amount": 2,
    "price": 1.5,
    "status": "open",
    "timestamp": EPOCH,
}
DATA: Final[dict[str, Any]] = {
    "watchTrades": {"trades": [_TRADE]},
    "watchMyTrades": {"trades": [_TRADE | {"fee": {"cost": 0.1, "currency": "KCS"}}]},
    "watchOrderBook": {"bids": [[10.0, 1.0]], "asks": [[11.0, 2.0]], "nonce": 5, "checksum": 1, "asOf": f"{EPOCH}-0"},
    "watchTicker": {"last": 10.5, "bid": 10.0, "asOf": f"{EPOCH}-0"},
    "watchOHLCV": {"timeframe": "1m", "candles": [[EPOCH, 1, 2, 0.5, 1.5, 9]]},
    "watchOrders": {"orders": [_ORDER], "asOf": f"{EPOCH}-0"},
    "watchBalance": {"KCS": {"free": 1, "used": 0, "total": 1}, "asOf": f"{EPOCH}-0"},
    "watchPositions": {"positions": [{"symbol": "K/USDT:USDT", "side": "long", "contracts": 1}]},
    "watchLiquidations": {"liquidations": [{"price": 1}]},
    "createOrder": {"requestId": "0" * 32, "status": "failed", "order": _ORDER, "error": {"kind": "A", "message": "b"}},
    "requests": {
        "action": "createOrder",
        "exchangeId": "binance",
        "requestedAt": EPOCH,
        "payload": {"symbol": "K/USDT"},
    },
}
"""Data of a good message, by action."""
_DEEP: Final = json.loads("[" * 90 + "]" * 90)
_VALUES: Final[tuple[Any, ...]] = (
    *(None, True, "", "\0", "\ud800", "\ufffd\u202e", "x" * 5_000, "1e400", "NaN", [], {}, [[]], {"": {}}, _DEEP),
    *(0, -1, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63), 2**64, 10**40, -0.0, 1e-320, 1e308, -1e308),
)
_TEXTS: Final = (b"1e400", b"1e-999999", b"1E+999999", b"NaN", b"-Infinity", b"[" * 5_000, b'"\\ud800"', b"9" * 400)


def message(random: Random, action: str, entry_id: str, kind: str) -> bytes:
    """Return a message in the journal of an action; most are spoilt in one or two places."""
    data = deepcopy(DATA[action])
    if action == "requests":
        return _spoilt(random, data)
    trace = {"published": (EPOCH + random.randrange(1_000)) * 1_000_000, "received": EPOCH * 1_000_000}
    return _spoilt(random, {"id": entry_id, "type": kind, "timestamp": EPOCH, "trace": trace, "data": data})


def _spoilt(random: Random, value: Any) -> bytes:
    for _ in range(random.choice((0, 1, 1, 2))):
        _replace(random, value)
    text = json.dumps(value, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")
    return _damaged(random, text) if random.random() < 0.3 else text


def _replace(random: Random, value: Any) -> None:
    """Put a hostile value in place of a random one, at any depth."""
    while True:
        key = random.choice(list(value)) if isinstance(value, dict) else random.randrange(len(value))
        inner = value[key]
        if not isinstance(inner, dict | list) or not inner or random.random() < 0.2:
            value[key] = deepcopy(random.choice(_VALUES))
            return
        value = inner


def _damaged(random: Random, text: bytes) -> bytes:
    at = random.randrange(len(text) + 1)
    match random.randrange(6):
        case 0:
            return text[:at]
        case 1:
            return text[:at] + random.randbytes(3) + text[at:]
        case 2:
            return text.replace(b"1.5", random.choice(_TEXTS))
        case 3:
            return b"\xef\xbb\xbf" + text
        case 4:
            return text.decode("utf-8", "replace").encode("utf-16")
        case _:
            return text + text
