"""An account of any exchange with a profile, at a server that says whatever a test wants."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from ccxt.base.decimal_to_precision import TICK_SIZE
from libs.exchange.tests.answers.server import ScriptedServer

from millrace_core.backoff import BackoffPolicy
from millrace_core.config.common import Credentials
from millrace_core.orders import Order
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.execution import CcxtExecutionClient
from millrace_exchange.ccxt.loading import load_exchange
from millrace_exchange.ccxt.order_queries import FetchedOrder
from millrace_exchange.ccxt.recording.recorded_exchange import recorded
from millrace_exchange.ccxt.settings import constructor_settings, overridden_urls
from millrace_exchange.native.binance.execution import BinanceExecutionClient
from millrace_exchange.native.binance.request_line import RequestLine
from millrace_exchange.profile import ExchangeProfile
from millrace_exchange.profiles import profile_of
from millrace_exchange.request_gate import RequestGate

OPTIONS = {
    "hf": True,
    "uta": False,
    "unifiedAccount": False,
    "enableUnifiedAccount": True,
    "enableUnifiedMargin": False,
}
"""What ccxt would ask the exchange first: KuCoin's kind of account, Gate's and Bybit's unified accounts."""


BY_SOCKET = "binance by socket"
"""Binance over its WebSocket API."""
BINANCE = ("binance", BY_SOCKET)
AT_ONCE = BackoffPolicy(first_s=0.0, limit_s=0.0)


class Account(CcxtExecutionClient):
    """An account whose one order is known: 4 of 10 are filled, or none."""

    def __init__(self, caller: CcxtCaller, symbol: str, our_id: str, line: RequestLine | None = None) -> None:
        super().__init__(caller)
        self._line = caller.ccxt.carrier = line
        self.symbol = symbol
        self.our_id = our_id
        self.knows = True
        """Whether the order is known without asking."""
        self.order = Order(
            id="70000001",
            symbol=symbol,
            side="buy",
            type="limit",
            amount=Decimal(10),
            filled=Decimal(0),
            price=Decimal(20),
            status="open",
        )

    async def fetch_record(self, symbol: str, **ids: Any) -> FetchedOrder | None:
        """Return the order without asking, or ask."""
        return FetchedOrder(self.order) if self.knows else await super().fetch_record(symbol, **ids)

    async def fresh(self) -> None:
        """Forget limits, pauses and doubts about the clock, and connect again."""
        self._caller.clock.is_doubted = False
        self._caller.gate = self._caller.ccxt.gate = RequestGate(self._caller.profile)
        if self._line is not None:
            await self._line.open()
            async with asyncio.timeout(10):
                while self._line.name_of(["private"], "POST", "order") is None:
                    await asyncio.sleep(0)  # Nothing tells when it has connected again.

    async def close(self) -> None:
        """Close its connections."""
        if self._line is not None:
            await self._line.close()
        await self.ccxt.close()

    def lists(self, symbol: str) -> None:
        """Have the exchange list a further market, which may be of another kind."""
        self.ccxt.set_markets([*self.ccxt.markets.values(), market_of(self.ccxt, symbol)])

    def market(self, symbol: str, market_id: str) -> Any:
        """Return a further market."""
        return {**market_of(self.ccxt, symbol), "id": market_id}

    @property
    def profile(self) -> ExchangeProfile:
        """What is its own way."""
        return self._caller.profile

    @property
    def ccxt(self) -> Any:
        """The exchange as ccxt has it."""
        return self._caller.ccxt


class SocketAccount(Account, BinanceExecutionClient):
    """The same on Binance, natively."""


def account_at(place: str, server: ScriptedServer) -> Account:
    """Return an account of an exchange with one market, at a server; `place` is the exchange's id, or `BY_SOCKET`."""
    exchange = place.partition(" ")[0]
    # Over a socket nothing is answered but frames of its protocol.
    profile = replace(profile_of(exchange), order_transport="rest")
    secret = base64.b64encode(b"1" * 32).decode()
    keys = Credentials(api_key="key", secret=secret, password="pass")
    gate = RequestGate(profile)
    ccxt = recorded(load_exchange(exchange))(constructor_settings(keys, profile), profile, gate)
    ccxt.enableRateLimit = False
    ccxt.timeout_on_exit = 0  # it would wait for the ends of TLS connections
    ccxt.urls = overridden_urls(ccxt.urls, {"base": server.url})
    ccxt.options |= OPTIONS
    ccxt.walletAddress, ccxt.privateKey = "0x" + "0" * 40, "0x" + "1" * 64
    ccxt.accounts = [{"id": "1", "type": "spot"}]
    symbol = "BTC/USDT:USDT" if exchange in ("binanceusdm", "kucoinfutures", "hyperliquid") else "BTC/USDT"
    ccxt.set_markets([market_of(ccxt, symbol)])
    caller = CcxtCaller(ccxt, profile, gate, has_keys=True, another=pytest.fail)
    our_id = profile.client_order_ids.of("00112233445566778899aabbccddeeff")
    if place != BY_SOCKET:
        return Account(caller, symbol, our_id)
    ccxt.urls["api"]["ws"]["ws-api"]["spot"] = server.socket_url
    return SocketAccount(caller, symbol, our_id, RequestLine(caller, AT_ONCE))


def market_of(ccxt: Any, symbol: str) -> Any:
    """Return a market as ccxt lists it."""
    is_swap = ":" in symbol
    counts_digits = ccxt.precisionMode != TICK_SIZE
    market = {
        "id": "BTCUSDT",
        "symbol": symbol,
        "base": symbol.split("/", 1)[0],
        "quote": "USDT",
        "baseId": "0",
        "quoteId": "USDT",
        "baseName": "BTC",
        "type": "swap" if is_swap else "spot",
        "spot": not is_swap,
        "swap": is_swap,
        "contract": is_swap,
        "contractSize": 1.0 if is_swap else None,
        "linear": True if is_swap else None,
        "settle": "USDT" if is_swap else None,
        "settleId": "USDT" if is_swap else None,
        "precision": {"price": 5, "amount": 8} if counts_digits else {"price": 0.01, "amount": 0.0001, "quote": 0.01},
        "info": {"orderTypes": ["LIMIT", "MARKET", "LIMIT_MAKER"], "quoteIncrement": "0.0000001"},
    }
    return ccxt.safe_market_structure(market)


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    """An exchange that says whatever a test wants."""
    async with ScriptedServer() as started:
        yield started


@pytest.fixture
async def account(server: ScriptedServer) -> AsyncIterator[Callable[[str], Account]]:
    """Open accounts at that server."""
    opened: list[Account] = []

    def open_at(exchange: str) -> Account:
        opened.append(account_at(exchange, server))
        return opened[-1]

    yield open_at
    for each in opened:
        await each.close()
