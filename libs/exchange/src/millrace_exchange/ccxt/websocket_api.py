"""Requests over a socket that ccxt paces and remembers as if they were subscriptions."""

import asyncio
import time
from collections import deque
from typing import Any

from millrace_exchange.profile import ExchangeProfile, RateLimit


def prepare_client(profile: ExchangeProfile, url: str, client: Any) -> None:
    """Send requests over an exchange's WebSocket API as fast as it accepts them, and forget them once answered.

    Sockets of subscriptions keep ccxt's ways.
    """
    if profile.request_socket is not None and profile.request_socket in url:
        client.throttle = Window(next(limit for limit in profile.requests.limits if limit.scope == "ip"))
        _forget_answered(client)


class Window:
    """Sliding window: lets a limit's number of requests through at once, each further one as soon as it may go.

    ccxt charges every message to any socket what a subscription costs (5 messages a second on Binance): after 240
    orders within a minute it would silently hold the next back for the rest of it, and it sums up the whole minute for
    each message. An exchange that refuses an order says so at once.
    """

    def __init__(self, limit: RateLimit) -> None:
        self._window_s = limit.window_ms / 1000
        self._let_through: deque[float] = deque(maxlen=limit.weight)

    async def __call__(self, _cost: float | None = None) -> None:
        """Wait until the next request may go out."""
        before, now = self._let_through, time.monotonic()
        goes_at = max(now, before[0] + self._window_s) if len(before) == before.maxlen else now
        before.append(goes_at)
        if goes_at > now:
            await asyncio.sleep(goes_at - now)


def _forget_answered(client: Any) -> None:
    # ccxt keeps each request for as long as the connection lasts, and goes through all of them whenever one is
    # refused. Streams are kept under names, requests under numbers.
    resolve, reject = client.resolve, client.reject

    def forget(message_hash: str | None) -> None:
        if message_hash is not None and message_hash.isdecimal():
            client.subscriptions.pop(message_hash, None)

    def resolve_and_forget(result: Any, message_hash: str) -> Any:
        forget(message_hash)
        return resolve(result, message_hash)

    def reject_and_forget(result: Any, message_hash: str | None = None) -> Any:
        forget(message_hash)
        return reject(result, message_hash)

    client.resolve, client.reject = resolve_and_forget, reject_and_forget
