"""Statistics of a symbol: klines, the 24-hour ticker, the average price."""

from millrace_simulator.statistics.intervals import Interval
from millrace_simulator.statistics.klines import Kline
from millrace_simulator.statistics.prehistory import LAST_TRADE_ID
from millrace_simulator.statistics.statistics import AveragePrice, DayTicker, Statistics

__all__ = ["LAST_TRADE_ID", "AveragePrice", "DayTicker", "Interval", "Kline", "Statistics"]
