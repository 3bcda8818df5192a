"""The ccxt adapter on KuCoin spot, as the simulator speaks it."""

from collections.abc import AsyncIterator

import pytest

from millrace_core.config.common import Credentials
from millrace_exchange import Exchange, open_exchange
from millrace_simulator.config import default_config
from millrace_simulator.server import Server, serve


@pytest.fixture
async def kucoin() -> AsyncIterator[Server]:
    """An exchange that speaks KuCoin's protocol."""
    async with await serve(default_config("kucoin"), drive_market=False) as server:
        yield server


@pytest.fixture
async def public(kucoin: Server) -> AsyncIterator[Exchange]:
    """It as anybody sees it."""
    exchange = await open_exchange("kucoin", Credentials(adapter="ccxt", urls={"base": kucoin.url}))
    await exchange.prepare()
    yield exchange
    await exchange.close()


async def test_fetched_trades_have_the_ids_of_streamed_ones(public: Exchange, kucoin: Server) -> None:
    """Without ids every trade that is asked for again would count as a new one."""
    market = kucoin.market
    market.step(market.now_us + 60_000_000)
    made = kucoin.venue.instruments["KCS-USDT"].tape.since(0)
    fetched = await public.market.fetch_trades("KCS/USDT")
    assert [trade.id for trade in fetched] == [str(trade.trade_id) for trade in made[-len(fetched) :]]
    assert len(fetched) > 10
