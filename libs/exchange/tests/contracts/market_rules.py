"""What every `MarketRules` does."""

from decimal import Decimal
from typing import Any

import msgspec
from libs.exchange.tests.contracts.venue import Venue

from millrace_core.market_terms import MarketTerms
from millrace_core.requests import CreatePayload, EditPayload
from millrace_exchange import Exchange


def limit(venue: Venue, **terms: Any) -> CreatePayload:
    """Return an order whose numbers fit, but for the terms named."""
    fitting = CreatePayload(
        symbol=venue.own_symbol, side="buy", type="limit", amount_base=101 * venue.lot, price=12_345 * venue.tick
    )
    return msgspec.structs.replace(fitting, **terms)


class MarketRulesContract:
    """Numbers that an exchange would not take as they are have names before they leave."""

    async def test_symbols_are_the_markets(self, exchange: Exchange, venue: Venue) -> None:
        """Both markets of the venue are known once the exchange is prepared."""
        assert exchange.rules.symbols >= {venue.symbol, venue.own_symbol}

    async def test_a_market_says_its_terms(self, exchange: Exchange, venue: Venue) -> None:
        """Its currencies, its steps, and its least sizes; what is not stated is absent, and so is who is not listed."""
        base, quote = venue.own_symbol.split("/")
        assert exchange.rules.terms(venue.own_symbol) == MarketTerms(
            base,
            quote,
            tick_size=venue.tick,
            amount_step=venue.lot,
            cost_step=venue.cost_step,
            min_amount=venue.lot,
            min_cost=venue.min_cost,
        )
        assert exchange.rules.terms("NO/SUCH") is None

    async def test_numbers_that_fit_are_left_alone(self, exchange: Exchange, venue: Venue) -> None:
        """Multiples of lot and tick fit, however they are written."""
        assert exchange.rules.precision_errors(limit(venue)) == []
        padded = Decimal(f"{101 * venue.lot:f}" + "00")
        assert exchange.rules.precision_errors(limit(venue, amount_base=padded, price=Decimal("1E+1"))) == []

    async def test_each_number_that_would_be_rounded_is_named(self, exchange: Exchange, venue: Venue) -> None:
        """Amount, price and trigger are reported with what they must be multiples of; so is what would become zero."""
        lot, tick = venue.lot, venue.tick
        order = limit(venue, amount_base=lot * 3 / 2, price=tick * 5 / 2, trigger_price=tick / 10)
        amount, price, trigger = exchange.rules.precision_errors(order)
        assert f"the lot of {venue.own_symbol} is {lot}" in amount
        assert f"the tick of {venue.own_symbol} is {tick}" in price
        assert trigger.startswith("triggerPrice ")
        edit = EditPayload(symbol=venue.own_symbol, order_id="1", amount_base=lot / 10)
        assert len(exchange.rules.precision_errors(edit)) == 1

    async def test_what_is_not_sent_need_not_fit(self, exchange: Exchange, venue: Venue) -> None:
        """A market order's expected price may be any; a symbol that is not listed is for the exchange to refuse."""
        assert exchange.rules.precision_errors(limit(venue, type="market", price=venue.tick / 3)) == []
        assert exchange.rules.precision_errors(limit(venue, symbol="NO/SUCH", amount_base=Decimal("1E-9"))) == []
