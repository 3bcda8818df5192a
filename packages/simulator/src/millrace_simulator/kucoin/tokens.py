"""Bullets: the tokens with which clients open their streams. Source: KuCoin's specification, `bullet-public`."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from millrace_simulator.venue import Account

PING_INTERVAL_MS = 18_000
PING_TIMEOUT_MS = 10_000
LIFETIME_MS = 24 * 3_600_000
PATH = "/endpoint"
"""Where streams are opened."""


class Tokens:
    """The tokens that were handed out and are not a day old."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._handed_out: dict[str, tuple[int, Account | None]] = {}

    def bullet(self, host: str, account: Account | None = None) -> dict[str, Any]:
        """Return a new token, and the server to use it at; one without an account opens public topics only."""
        now_ms = self._now_ms()
        # They were handed out in order, so the oldest come first.
        while self._handed_out and next(iter(self._handed_out.values()))[0] <= now_ms:
            del self._handed_out[next(iter(self._handed_out))]
        token = secrets.token_urlsafe(96)
        self._handed_out[token] = (now_ms + LIFETIME_MS, account)
        server = {
            "endpoint": f"ws://{host}{PATH}",
            "encrypt": False,
            "protocol": "websocket",
            "pingInterval": PING_INTERVAL_MS,
            "pingTimeout": PING_TIMEOUT_MS,
        }
        return {"token": token, "instanceServers": [server]}

    def account_of(self, token: str) -> Account | None:
        """Return the account that a token was handed out to; None for a public one.

        Raises:
            LookupError: it was never handed out, or has expired.
        """
        until_ms, account = self._handed_out[token]
        if until_ms <= self._now_ms():
            raise LookupError(token)
        return account
