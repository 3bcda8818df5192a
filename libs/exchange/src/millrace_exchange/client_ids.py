"""Our id of an order on an exchange, derived from the request so that every attempt carries the same one."""

import string

from millrace_core.ids import RequestId

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase


def client_order_id(exchange_id: str, request_id: RequestId) -> str:
    """Return the client order id of a request, in the form that the exchange allows; the same at every call.

    32 hex digits fit everywhere (Binance and Bybit allow 36 characters, KuCoin 40, OKX 32 alphanumeric ones,
    Kraken takes 32 hex digits, HitBTC 32) but on Gate, which allows 28 after its prefix `t-`: there it is the
    same 128 bits as 22 digits in base 62. ccxt adds no prefix to what has it already.
    """
    if exchange_id in _GATE:
        return "t-" + _base62(int(request_id, 16))
    return request_id


def client_order_id_params(exchange_id: str, client_id: str) -> dict[str, str]:
    """Return ccxt's parameters that carry our id of an order."""
    if exchange_id in _SNAKE_CASE:
        return {"clientOrderId": client_id, "client_order_id": client_id}
    return {"clientOrderId": client_id}


_SNAKE_CASE = frozenset({"coinbase", "hitbtc"})
"""Where ccxt does not translate the unified parameter."""
_GATE = frozenset({"gate", "gateio"})


def _base62(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, len(_BASE62))
        digits = _BASE62[digit] + digits
    return digits.rjust(22, _BASE62[0])
