"""A question that hangs is given up before long, and an exchange that is slow is waited for."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from millrace_core.config.common import Credentials
from millrace_exchange import Exchange, Retryable, open_exchange
from millrace_exchange.ccxt.patience import Patience
from millrace_exchange.ccxt.recording.sending import Sending, stamp
from millrace_simulator.config import default_config
from millrace_simulator.faults import FaultKind, FaultRule
from millrace_simulator.listings import DialectName
from millrace_simulator.server import Server, serve

SYMBOL = "KCS/USDT"
KEYS = {"api_key": "demo-key", "secret": "demo-secret"}


@pytest.fixture(params=[("binance", "native"), ("binance", "ccxt"), ("kucoin", "native")])
async def account(request: Any) -> AsyncIterator[tuple[Exchange, Server]]:
    """An account over a WebSocket or HTTP, and its exchange."""
    dialect: DialectName
    dialect, adapter = request.param
    async with await serve(default_config(dialect), drive_market=False) as server:
        keys = KEYS | ({"password": "demo-passphrase"} if dialect == "kucoin" else {})
        exchange = await open_exchange(dialect, Credentials(**keys, urls={"base": server.url}, adapter=adapter))
        await exchange.prepare()
        yield exchange, server
        await exchange.close()


async def test_a_question_that_hangs_may_be_asked_again_before_long(account: tuple[Exchange, Server]) -> None:
    """Orders are awaited three times as long: nobody knows whether they were carried out."""
    exchange, server = account
    await exchange.account.fetch_my_trades(SYMBOL)
    exchange.caller.patience = Patience(0.2)  # type: ignore[attr-defined]
    server.faults.set(FaultRule(kinds=(FaultKind.HANGING,)))
    for ask in (exchange.account.fetch_my_trades(SYMBOL), exchange.account.fetch_open_orders(SYMBOL)):
        async with asyncio.timeout(10):
            with pytest.raises(Retryable):
                await ask
    server.faults.set(None)
    assert await exchange.account.fetch_my_trades(SYMBOL) == []


@pytest.mark.parametrize("by_post", [False, True])
async def test_a_slow_exchange_is_waited_for(by_post: bool) -> None:
    """After answers that did not come in time the limit grows; then it is as the last answer took.

    Kraken, Bitfinex and Hyperliquid take their questions by POST.
    """
    patience, loop, allowed_s = Patience(1.0), asyncio.get_running_loop(), list[float]()

    async def ask(*, answers: bool) -> None:
        sending, began_s = Sending(), loop.time()
        async with asyncio.timeout(100) as limit:
            with sending.of("fetchBalance"), patience.limiting("fetchBalance", limit, sending):
                stamp(changes=by_post)
                allowed_s.append((limit.when() or 0.0) - began_s)
                await asyncio.sleep(0)
                if not answers:
                    raise asyncio.CancelledError

    for _ in range(3):
        with pytest.raises(asyncio.CancelledError):
            await ask(answers=False)
    await ask(answers=True)
    await ask(answers=True)
    assert allowed_s == pytest.approx([1, 2, 4, 8, 1], abs=0.5)
