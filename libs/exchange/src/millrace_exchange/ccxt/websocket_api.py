"""Requests over a socket that ccxt paces and remembers as if they were subscriptions."""

from typing import Any

from millrace_exchange.profile import ExchangeProfile


def prepare_client(profile: ExchangeProfile, url: str, client: Any) -> bool:
    """Forget the requests over an exchange's WebSocket API once they are answered, and do not pace them.

    Their pace is the gate's: ccxt charges every message to any socket what a subscription costs (5 messages a second on
    Binance), so after 240 orders within a minute it would silently hold the next back for the rest of it. Sockets of
    subscriptions keep ccxt's ways. Returns whether the socket is one for requests.
    """
    if profile.request_socket is None or profile.request_socket not in url:
        return False
    client.throttle = _no_pace
    _forget_answered(client)
    return True


async def _no_pace(_cost: float | None = None) -> None:
    """Let a message pass."""


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
