"""How fast ccxt may write to a socket, where its own pace is that of another kind of socket."""

import asyncio
import time
from collections import deque
from typing import Any, Final

_MOST: Final = 6_000
"""Requests over Binance's WebSocket API within the window: each has a weight of 1."""
_WINDOW_S: Final = 60.0


def pace(url: str, client: Any) -> None:
    """Let requests over Binance's WebSocket API go out as fast as Binance takes them, and at no cost.

    ccxt charges every message to any socket what a subscription costs, whose limit is 5 messages a second: after
    240 orders within a minute it would silently hold the next back for the rest of it. And it sums up the whole
    minute for each message. Binance limits orders by weight and by number (100 in 10 s), and says so when it refuses
    one, which an order held back never hears. Source: Binance's WebSocket API, "Rate limits".
    """
    if "/ws-api/" in url:
        client.throttle = _Window()


class _Window:
    """Lets so many through in any window of time; each of the others at the first moment when it may."""

    def __init__(self) -> None:
        self._let_through: deque[float] = deque(maxlen=_MOST)

    async def __call__(self, _cost: float | None = None) -> None:
        before, now = self._let_through, time.monotonic()
        goes_at = max(now, before[0] + _WINDOW_S) if len(before) == _MOST else now
        before.append(goes_at)
        if goes_at > now:
            await asyncio.sleep(goes_at - now)
