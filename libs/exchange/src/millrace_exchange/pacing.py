"""How fast ccxt may write to a socket, where its own pace is that of another kind of socket."""

from typing import Any, Final

_WEIGHT: Final = 0.2
"""What one of Binance's 6,000 weights a minute costs in ccxt's own unit, of which it allows itself 1,200."""


def pace(url: str, client: Any) -> None:
    """Let requests over Binance's WebSocket API cost what Binance counts: a weight of 1 each.

    ccxt charges every message to any socket what a subscription costs, whose limit is 5 messages a second: after
    240 orders within a minute it would silently hold the next back for the rest of it. Binance limits orders by
    weight and by number (100 in 10 s), and says so when it refuses one, which an order held back never hears.
    Source: Binance's WebSocket API, "Rate limits".
    """
    if "/ws-api/" not in url:
        return
    throttle = client.throttle
    client.throttle = lambda _cost=None: throttle(_WEIGHT)
