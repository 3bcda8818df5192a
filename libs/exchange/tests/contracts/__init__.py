"""What every adapter must do on every exchange, written once.

To judge an adapter, or another exchange, write a test module with fixtures `venue` (a `Venue`) and `exchange` (the
adapter's `Exchange` on it, prepared), and classes that inherit:

    class TestMarketFeed(MarketFeedContract): ...
"""

from libs.exchange.tests.contracts.account_feed import AccountFeedContract
from libs.exchange.tests.contracts.execution_client import ExecutionClientContract
from libs.exchange.tests.contracts.market_feed import MarketFeedContract
from libs.exchange.tests.contracts.market_rules import MarketRulesContract
from libs.exchange.tests.contracts.venue import RecordingListener, Venue, streaming

__all__ = [
    "AccountFeedContract",
    "ExecutionClientContract",
    "MarketFeedContract",
    "MarketRulesContract",
    "RecordingListener",
    "Venue",
    "streaming",
]
