"""Which markets there are: those that are streamed for the chosen tenants, and for all."""

import asyncio
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from millrace_console.api import ApiError
from millrace_console.visit import Visit
from millrace_core.errors import InvalidName
from millrace_core.json_problems import UNREADABLE
from millrace_core.market_terms import MarketTerms
from millrace_core.names import PUBLIC, Action, ExchangeId, StreamName, Symbol, Tenant, is_snapshot


class Market(NamedTuple):
    """A symbol of an exchange as it is streamed for one tenant."""

    tenant: Tenant
    exchange: ExchangeId
    symbol: Symbol

    def __str__(self) -> str:
        return ".".join(self)

    @property
    def label(self) -> str:
        """The market in words."""
        return f"{self.symbol} · {self.exchange} · {self.tenant}"

    def stream(self, action: str) -> StreamName:
        """Return the name of one of its streams."""
        return StreamName(self.tenant, self.exchange, Action(action), self.symbol)

    @classmethod
    def parse(cls, text: str) -> "Market | None":
        """Return the market that a text names, such as `PUBLIC.binance.ETH/BTC`; None if it names none."""
        parts = text.split(".", 2)
        if len(parts) < 3:
            return None
        market = cls(Tenant(parts[0]), ExchangeId(parts[1]), Symbol(parts[2]))
        try:
            StreamName.parse(str(market.stream("watchOrderBook")))
        except InvalidName:
            return None
        return market


def markets_of(streams: Iterable[str]) -> list[Market]:
    """Return the markets whose books or trades are streamed, by tenant, exchange and symbol; tenants' own first."""
    found = set()
    for text in streams:
        if is_snapshot(text):
            continue
        try:
            name = StreamName.parse(text)
        except InvalidName:
            continue  # requests to trade
        if name.symbol is not None and name.action in ("watchOrderBook", "watchTrades"):
            found.add(Market(name.tenant, name.exchange, name.symbol))
    return sorted(found, key=lambda each: (each.tenant == PUBLIC, each))


async def listed(visit: Visit) -> list[Market]:
    """Return the markets of the chosen tenants and the shared ones.

    Raises:
        ApiError: the API did not answer.
    """
    answers = await asyncio.gather(
        *(visit.api.get(each, "/streams") for each in visit.trading_accounts),
        visit.api.get(visit.account(PUBLIC), "/streams", tenant=PUBLIC),
    )
    return markets_of(each["stream"] for answer in answers for each in answer["items"])


async def terms_of(visit: Visit, market: Market) -> MarketTerms | None:
    """Return what a market's exchange takes, as its tenant was told or else a shared feed; None if nobody knows."""
    tenants = dict.fromkeys((market.tenant, PUBLIC))
    try:
        for tenant in tenants:
            query = {"tenant": tenant, "exchange": market.exchange, "symbol": market.symbol}
            answer = await visit.api.get(visit.account(tenant), "/markets", **query)
            if answer["items"]:
                return msgspec.convert(answer["items"][-1]["terms"], MarketTerms)
    except (ApiError, *UNREADABLE):
        pass  # The form works without: then the exchange judges alone.
    return None
