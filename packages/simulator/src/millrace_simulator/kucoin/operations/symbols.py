"""What is listed: symbols, currencies, markets."""

from __future__ import annotations

from typing import Any

from millrace_simulator.kucoin import errors
from millrace_simulator.kucoin.exchange import Exchange, PublicOperation
from millrace_simulator.kucoin.numbers import number_text
from millrace_simulator.kucoin.parameters import Parameters
from millrace_simulator.venue import Instrument

MARKET = "USDS"
"""The market that every symbol belongs to; KuCoin groups its symbols by the quote currency's kind."""
CURRENCY_PRECISION = 8


def symbols(exchange: Exchange, parameters: Parameters) -> list[dict[str, Any]]:
    """Return every symbol's rules."""
    wanted = parameters.text("market") or MARKET
    return [_show(instrument) for instrument in exchange.venue.instruments.values() if wanted == MARKET]


def symbol(exchange: Exchange, parameters: Parameters) -> dict[str, Any]:
    """Return one symbol's rules."""
    return _show(exchange.instrument(parameters))


def markets(exchange: Exchange, parameters: Parameters) -> list[str]:
    """Return the names of the markets."""
    return [MARKET]


def currencies(exchange: Exchange, parameters: Parameters) -> list[dict[str, Any]]:
    """Return every currency."""
    return [_show_currency(name) for name in _names(exchange)]


def currency(exchange: Exchange, parameters: Parameters) -> dict[str, Any]:
    """Return one currency."""
    name = parameters.required("currency")
    if name not in _names(exchange):
        raise errors.refused("Currency not exists.")
    return _show_currency(name)


def fiat_prices(exchange: Exchange, parameters: Parameters) -> dict[str, str]:
    """Return what a currency is worth in USD, for those that are quoted in USDT."""
    last = {
        each.rules.base: number_text(each.scale.price(each.last_price))
        for each in exchange.venue.instruments.values()
        if each.rules.quote == "USDT"
    }
    return {"USDT": "1", **last}


def _names(exchange: Exchange) -> list[str]:
    listed = (each.rules for each in exchange.venue.instruments.values())
    return sorted({name for rules in listed for name in (rules.base, rules.quote)})


def _show(instrument: Instrument) -> dict[str, Any]:
    rules, scale = instrument.rules, instrument.scale
    return {
        "symbol": rules.symbol,
        "name": rules.symbol,
        "baseCurrency": rules.base,
        "quoteCurrency": rules.quote,
        "feeCurrency": rules.quote,
        "market": MARKET,
        "baseMinSize": number_text(rules.lot_size),
        "quoteMinSize": number_text(rules.min_notional),
        "baseMaxSize": number_text(rules.max_quantity),
        "quoteMaxSize": number_text(rules.max_notional),
        "baseIncrement": number_text(rules.lot_size),
        "quoteIncrement": number_text(scale.tick * scale.lot),
        "priceIncrement": number_text(rules.tick_size),
        "priceLimitRate": number_text(rules.percent_price_up - 1),
        "minFunds": number_text(rules.min_notional),
        "isMarginEnabled": False,
        "enableTrading": instrument.trading,
        "feeCategory": 1,
        "makerFeeCoefficient": "1.00",
        "takerFeeCoefficient": "1.00",
        "st": False,
        "callauctionIsEnabled": False,
        **dict.fromkeys(_NO_AUCTION),
    }


_NO_AUCTION = (
    "callauctionPriceFloor",
    "callauctionPriceCeiling",
    "callauctionFirstStageStartTime",
    "callauctionSecondStageStartTime",
    "callauctionThirdStageStartTime",
    "tradingStartTime",
)
"""There are no call auctions here."""


def _show_currency(name: str) -> dict[str, Any]:
    return {
        "currency": name,
        "name": name,
        "fullName": name,
        "precision": CURRENCY_PRECISION,
        "confirms": None,
        "contractAddress": None,
        "isMarginEnabled": False,
        "isDebitEnabled": False,
        "chains": [_CHAIN],
    }


_CHAIN = {
    "chainName": "Simulated network",
    "withdrawalMinSize": "0",
    "depositMinSize": None,
    "withdrawFeeRate": "0",
    "withdrawalMinFee": "0",
    "isWithdrawEnabled": False,
    "isDepositEnabled": False,
    "confirms": 1,
    "preConfirms": 1,
    "contractAddress": "",
    "withdrawPrecision": CURRENCY_PRECISION,
    "maxWithdraw": None,
    "maxDeposit": None,
    "needTag": False,
    "chainId": "sim",
}
"""The one network, on which nothing moves."""

SYMBOLS = PublicOperation(symbols, weight=4)
SYMBOL = PublicOperation(symbol, weight=4)
MARKETS = PublicOperation(markets, weight=3)
CURRENCIES = PublicOperation(currencies, weight=3)
CURRENCY = PublicOperation(currency, weight=3)
FIAT_PRICES = PublicOperation(fiat_prices, weight=3)
