"""Markets are followed: what is listed later can be traded, and what is no more cannot."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any, Final

import pytest
from aiohttp import web

from millrace_core.config.common import Credentials
from millrace_core.requests import CancelAllPayload, CancelPayload, CreatePayload, EditPayload
from millrace_exchange import Exchange, Rejected, open_exchange
from millrace_exchange.ccxt import market_listing
from millrace_exchange.ccxt.changes import OF_TERMS
from millrace_exchange.ccxt.exchange import CcxtExchange
from millrace_exchange.errors import ExchangeError, Fatal
from millrace_exchange.ports import MarketFeed

CONTRACT: Final = {
    "symbol": "XBTUSDTM",
    "type": "FFWCSX",
    "baseCurrency": "XBT",
    "quoteCurrency": "USDT",
    "settleCurrency": "USDT",
    "multiplier": 0.001,
    "lotSize": 1,
    "tickSize": 0.1,
    "isInverse": False,
    "nextFundingRateTime": 1,
    "status": "Open",
}


class Listing:
    """An exchange in KuCoin's form that lists markets."""

    def __init__(self) -> None:
        self.markets = {"KCS-USDT": "0.001"}
        """The tick of each."""
        self.asked = self.faulty = 0
        """How often it was asked, and how many of its next answers list no market."""
        self.failed: Callable[[], None] | None = None
        """Called with each answer, which then is a failure."""
        self.has_contracts = False
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        """List the markets; everything else is empty."""
        if request.path.endswith("/contracts/active"):
            return web.json_response({"code": "200000", "data": [CONTRACT] if self.has_contracts else []})
        if not request.path.endswith("/symbols"):
            return web.json_response({"code": "200000", "data": []})
        self.asked += 1
        if self.failed is not None:
            self.failed()
            return web.json_response({"code": "500000"}, status=503)
        if self.faulty:
            self.faulty -= 1
            return web.json_response({"code": "200000", "data": []})
        return web.json_response({"code": "200000", "data": [_market(*each) for each in self.markets.items()]})


def _market(market_id: str, tick: str) -> dict[str, object]:
    base, quote = market_id.split("-")
    steps = {"baseIncrement": "0.0001", "quoteIncrement": "0.0001", "priceIncrement": tick, "baseMinSize": "0.1"}
    return {"symbol": market_id, "baseCurrency": base, "quoteCurrency": quote, "enableTrading": True, **steps}


@pytest.fixture
async def listing() -> AsyncIterator[Listing]:
    """An exchange with one market."""
    listing = Listing()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", listing.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    listing.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield listing
    await runner.cleanup()


@pytest.fixture
async def exchange(listing: Listing) -> AsyncIterator[Exchange]:
    """The exchange, its markets loaded."""
    opened = await open_exchange("kucoin", Credentials(urls={"base": listing.url}))
    await opened.prepare()
    yield opened
    await opened.close()


def order(symbol: str) -> CreatePayload:
    """An order in a market."""
    return CreatePayload(symbol=symbol, side="buy", type="market", amount_base=1)  # type: ignore[arg-type]


async def test_an_unknown_symbol_is_looked_for_once_a_minute(
    exchange: Exchange, listing: Listing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A market that was listed since is then found; one that does not exist is named with those that are near."""
    asked = listing.asked
    for _ in range(3):
        with pytest.raises(Rejected, match=r"kucoin has no market KSC/USDT; did you mean KCS/USDT\?"):
            await exchange.execution.create_order(order("KSC/USDT"), "1")
    assert listing.asked == asked
    listing.markets["NEW-USDT"] = "0.1"
    monkeypatch.setattr(market_listing, "LOOK_AGAIN_S", 0.0)
    with pytest.raises(Rejected, match="ABC/USDT"):
        await exchange.execution.create_order(order("ABC/USDT"), "1")
    assert (listing.asked, "NEW/USDT" in exchange.rules.symbols) == (asked + 1, True)


@pytest.mark.parametrize(
    "ask",
    [
        lambda feed: feed.fetch_order_book("KSC/USDT"),
        lambda feed: feed.fetch_trades("KSC/USDT"),
        lambda feed: feed.fetch_candles("KSC/USDT", "1m", 1),
    ],
    ids=["book", "trades", "candles"],
)
async def test_a_question_about_an_unknown_symbol_names_those_that_are_near(
    exchange: Exchange, ask: Callable[[MarketFeed], Awaitable[object]]
) -> None:
    """Whatever is asked first of a stream's market, its detail says what was probably meant."""
    with pytest.raises(Rejected, match=r"kucoin has no market KSC/USDT; did you mean KCS/USDT\?"):
        await ask(exchange.market)


async def test_markets_are_loaded_again_on_a_timer(listing: Listing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Delistings and changed ticks are known after an hour at most; a failure keeps the former ones."""
    monkeypatch.setattr(market_listing, "RELOAD_S", 0.01)
    exchange = await open_exchange("kucoin", Credentials(urls={"base": listing.url}))
    await exchange.prepare()
    listing.markets = {"NEW-USDT": "0.1"}
    asked = listing.asked
    async with asyncio.timeout(60):
        while listing.asked < asked + 3 or exchange.rules.symbols != {"NEW/USDT"}:
            await asyncio.sleep(0.01)
    await exchange.close()


@pytest.mark.parametrize(
    "ask",
    [
        lambda execution: execution.fetch_order("NEW/USDT", client_order_id="a"),
        lambda execution: execution.fetch_open_orders("NEW/USDT"),
        lambda execution: execution.fetch_closed_orders("NEW/USDT", 0),
        lambda execution: execution.fetch_my_trades("NEW/USDT"),
        lambda execution: execution.cancel_order(CancelPayload(symbol="NEW/USDT", order_id="1")),
        lambda execution: execution.cancel_all_orders(CancelAllPayload(symbol="NEW/USDT")),
        lambda execution: execution.edit_order(
            EditPayload(symbol="NEW/USDT", order_id="1", amount_base=Decimal(1)), "a"
        ),
    ],
)
async def test_a_list_that_came_without_a_market_is_not_believed_by_what_concerns_its_orders(
    exchange: Exchange, listing: Listing, monkeypatch: pytest.MonkeyPatch, ask: Callable[[Any], Awaitable[object]]
) -> None:
    """What became of an order would not be known for an hour. Without a key it is found out no further."""
    listing.markets["NEW-USDT"] = "0.1"
    monkeypatch.setattr(market_listing, "LOOK_AGAIN_S", 0.0)
    with pytest.raises(Fatal, match="apiKey"):
        await ask(exchange.execution)
    assert "NEW/USDT" in exchange.rules.symbols


async def test_an_answer_that_holds_no_time_is_a_failure_of_the_exchange(exchange: Exchange) -> None:
    """It is asked again; what asked goes on."""
    assert isinstance(exchange, CcxtExchange)
    with pytest.raises(ExchangeError):
        await exchange.caller.time()


async def test_markets_that_could_not_be_loaded_are_asked_for_again_soon(
    listing: Listing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A maintenance at the wrong moment leaves former ticks for a minute, not for another hour."""
    monkeypatch.setattr(market_listing, "RELOAD_S", 0.01)
    monkeypatch.setattr(market_listing, "LOOK_AGAIN_S", 0.01)
    exchange = await open_exchange("kucoin", Credentials(urls={"base": listing.url}))
    await exchange.prepare()
    failed = asyncio.Event()

    def fail() -> None:
        monkeypatch.setattr(market_listing, "RELOAD_S", 3_600.0)
        failed.set()

    listing.failed = fail
    async with asyncio.timeout(60):
        await failed.wait()
        listing.markets, listing.failed = {"NEW-USDT": "0.1"}, None
        while exchange.rules.symbols != {"NEW/USDT"}:
            await asyncio.sleep(0.01)
    await exchange.close()


async def test_an_answer_that_lacks_markets_is_believed_once_it_comes_twice(
    listing: Listing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A single one would end every stream and refuse every order of the exchange; one without any never does."""
    for name in ("RELOAD_S", "LOOK_AGAIN_S"):
        monkeypatch.setattr(market_listing, name, 0.01)
    listing.markets = dict.fromkeys(("KCS-USDT", "A-USDT", "B-USDT"), "0.001")
    exchange = await open_exchange("kucoin", Credentials(urls={"base": listing.url}))
    await exchange.prepare()
    listed = exchange.rules.symbols
    listing.faulty = 3
    async with asyncio.timeout(60):
        while listing.faulty:
            await asyncio.sleep(0.01)
        await exchange.reloaded()
    assert exchange.rules.symbols == listed
    listing.markets = {"KCS-USDT": "0.001"}
    asked = listing.asked
    async with asyncio.timeout(60):
        while exchange.rules.symbols == listed:
            await asyncio.sleep(0.01)
    assert exchange.rules.symbols == {"KCS/USDT"}
    assert listing.asked >= asked + 2
    await exchange.close()


async def test_a_kind_of_markets_is_missing_once_two_answers_agree(listing: Listing) -> None:
    """Each kind is asked for by itself, and ccxt takes a broken answer for one without markets."""
    listing.has_contracts, listing.faulty = True, 1
    options = {"fetchMarkets": {"types": ["spot", "swap"]}}
    exchange = await open_exchange("kucoin", Credentials(urls={"base": listing.url}, options=options))
    await exchange.prepare()
    assert exchange.rules.symbols == {"BTC/USDT:USDT"}
    await exchange.market.fetch_trades("KCS/USDT")  # known at once
    listed, asked = exchange.rules.symbols, listing.asked
    assert listed == {"BTC/USDT:USDT", "KCS/USDT"}
    assert isinstance(exchange, CcxtExchange)
    listing.faulty = 2
    with pytest.raises(ExchangeError, match="misses a kind"):
        await exchange.caller.call("loadMarkets", exchange.caller.ccxt.load_markets, True)
    assert exchange.rules.symbols == listed
    await exchange.caller.call("loadMarkets", exchange.caller.ccxt.load_markets, True)
    assert (exchange.rules.symbols, listing.asked) == ({"BTC/USDT:USDT"}, asked + 2)
    await exchange.close()


async def test_a_kind_that_an_exchange_does_not_have_is_asked_for_once_more_only(
    exchange: Exchange, listing: Listing
) -> None:
    """Then the symbol is a mistake, as any other."""
    asked = listing.asked
    for _ in range(3):
        with pytest.raises(Rejected, match="no market KCS/USDT:USDT"):
            await exchange.market.fetch_trades("KCS/USDT:USDT")
    assert listing.asked == asked + 1


@pytest.mark.parametrize(
    ("refusal", "is_of_terms"),
    [
        ('{"code":-1013,"msg":"Filter failure: PRICE_FILTER"}', True),
        ('{"code":-1013,"msg":"Filter failure: LOT_SIZE"}', True),
        ('{"code":-1013,"msg":"Filter failure: NOTIONAL"}', True),
        ('{"code":-1111,"msg":"Precision is over the maximum defined for this asset."}', True),
        ('{"code":"600100","msg":"Price increment invalid."}', True),
        ('{"code":"400100","msg":"Order size below the minimum requirement."}', True),
        ('{"retCode":170134,"retMsg":"Order price has too many decimals."}', True),
        ('{"sCode":"51121","sMsg":"Order quantity must be a multiple of the lot size."}', True),
        ('{"error":["EOrder:Tick size check failed"]}', True),
        ('{"err-code":"order-orderamount-precision-error"}', True),
        ('{"code":-1013,"msg":"Filter failure: PERCENT_PRICE_BY_SIDE"}', False),
        ('{"code":-2010,"msg":"Order would immediately match and take."}', False),
        ('{"code":-2010,"msg":"Account has insufficient balance for requested action."}', False),
        ('{"code":"200004","msg":"Balance insufficient!"}', False),
    ],
)
def test_a_refusal_of_a_markets_terms_is_recognised(refusal: str, is_of_terms: bool) -> None:
    """As exchanges document them; others, such as of an order that would not be post-only, load no markets."""
    assert bool(OF_TERMS.search(refusal)) == is_of_terms
