"""Binance's native feed, as the simulator speaks its protocol."""

from libs.exchange.tests.contracts import (
    AccountFeedContract,
    ExecutionClientContract,
    MarketFeedContract,
    MarketRulesContract,
)


class TestMarketFeed(MarketFeedContract):
    """Public data."""


class TestAccountFeed(AccountFeedContract):
    """The account's own data."""


class TestExecutionClient(ExecutionClientContract):
    """Orders."""


class TestMarketRules(MarketRulesContract):
    """Lots and ticks."""
