"""Waiting for the responses of requests."""

from contextlib import AsyncExitStack
from typing import Any

import pytest

from millrace_api.trading import responses
from millrace_api.trading.responses import PendingResponses
from millrace_bus import Bus
from millrace_core.names import StreamName


async def test_closing_ends_what_becomes_idle_meanwhile(redis: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one stream closes, another reaches the end of its time: both end, and closing does not fail."""
    monkeypatch.setattr(responses, "LINGER_S", 0)
    async with Bus.connect(redis.url) as bus:
        pending = PendingResponses(bus)
        async with AsyncExitStack() as requests:
            for symbol in ("A/B", "C/D", "E/F"):
                name = StreamName.parse(f"stream.Ann.binance.createOrder.{symbol}")
                await requests.enter_async_context(pending.awaiting(name, "1" * 32))
        await pending.close()
