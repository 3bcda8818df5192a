"""The streams, one class for each kind: exchange messages in, deltas of the published state out."""

from typing import Final

from millrace_bus import Bus
from millrace_exchange import Exchange
from millrace_gatherer.streams.balance import BalanceStream
from millrace_gatherer.streams.candles import CandlesStream
from millrace_gatherer.streams.fields import (
    BidsAsksStream,
    FundingRateStream,
    MarkPriceStream,
    OpenInterestStream,
    TickerStream,
)
from millrace_gatherer.streams.following import run_stream
from millrace_gatherer.streams.liquidations import LiquidationsStream
from millrace_gatherer.streams.order_book import OrderBookStream
from millrace_gatherer.streams.orders import OrdersStream
from millrace_gatherer.streams.positions import PositionsStream
from millrace_gatherer.streams.stream import Stream
from millrace_gatherer.streams.trades import MyTradesStream, PublicTradesStream
from millrace_gatherer.units import StreamUnitConfig
from millrace_service import UnitHealthReporter

__all__ = ["STREAMS", "Stream", "run_stream", "stream_of"]

STREAMS: Final[tuple[type[Stream], ...]] = (
    OrderBookStream,
    PublicTradesStream,
    MyTradesStream,
    OrdersStream,
    BalanceStream,
    PositionsStream,
    LiquidationsStream,
    TickerStream,
    BidsAsksStream,
    MarkPriceStream,
    FundingRateStream,
    OpenInterestStream,
    CandlesStream,
)
"""One class for each action of `millrace_core.actions`."""
_BY_ACTION: Final[dict[str, type[Stream]]] = {kind.action.name: kind for kind in STREAMS}


def stream_of(unit: StreamUnitConfig, exchange: Exchange, bus: Bus, health: UnitHealthReporter) -> Stream:
    """Return the stream that a unit asks for, not yet running."""
    return _BY_ACTION[unit.name.action](unit, exchange, bus, health)
