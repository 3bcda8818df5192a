"""Waiting for the responses of requests."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from millrace_api.trading import responses
from millrace_api.trading.responses import PendingResponses
from millrace_bus import Bus
from millrace_core.messages import Response
from millrace_core.names import StreamName, Symbol


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


async def test_a_request_that_nobody_waits_for_any_more_is_forgotten(redis: Any) -> None:
    """On a busy market somebody always waits; two who wait for one request get the same answer."""
    async with Bus.connect(redis.url) as bus:
        pending, name = PendingResponses(bus), StreamName.parse("stream.Ann.binance.createOrder.A/B")
        async with pending.awaiting(name, "1" * 32):
            for number in range(3):
                async with (
                    pending.awaiting(name, f"{number:032}") as one,
                    pending.awaiting(name, f"{number:032}") as two,
                ):
                    assert one is two
            assert list(pending._waiting) == [(name.tenant, "1" * 32)]
        assert not pending._waiting
        await pending.close()


async def test_markets_that_nobody_asks_for_any_more_are_few(redis: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenant may name any number of them; the newest stay, and those of others."""
    monkeypatch.setattr(responses, "MOST_IDLE", 4)
    async with Bus.connect(redis.url) as bus:
        pending = PendingResponses(bus)
        names = [StreamName.parse(f"stream.{of}.binance.createOrder.A/B") for of in ("Ann", *["Bob"] * 5)]
        names = [name._replace(symbol=Symbol(f"A{number}/B")) for number, name in enumerate(names)]
        for name in names:
            async with pending.awaiting(name, "1" * 32):
                pass
        shared = {place for name in names for place in name.answer_places[1:]}
        assert [name for name in pending._watches if name not in shared] == [names[0], *names[-2:]]


async def test_an_answer_is_received_wherever_it_may_come(redis: Any) -> None:
    """A symbol that the exchange does not list, and an exchange without an account, make no stream of their own."""
    name = StreamName.parse("stream.Ann.binance.createOrder.X/Y")
    async with Bus.connect(redis.url) as bus:
        pending = PendingResponses(bus)
        for number, place in enumerate(name.answer_places):
            writer = bus.writer(place, None)
            await writer.open()
            async with pending.awaiting(name, f"{number:032}") as due, asyncio.timeout(20):
                writer.response(Response(f"{number:032}", "rejected"))
                assert (await due).status == "rejected"
            await writer.close("the test is over")
        await pending.close()
        await pending.close()
