"""Requests over a socket that are answered, and of which ccxt should know no more."""

from typing import Any


def forget_answered(url: str, client: Any) -> None:
    """Have ccxt forget each request over Binance's WebSocket API once it is answered.

    It keeps them for as long as the connection lasts, and goes through all of them whenever one is refused.
    Streams are kept under names, requests under numbers.
    """
    if "/ws-api/" not in url:
        return
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
