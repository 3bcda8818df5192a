"""What a reader is shown of a market's trades: each once, in order, or the hole told."""

import asyncio
from dataclasses import dataclass, field

import aiohttp
from tests.storms.truth import true_trades

from millrace_bus import Bus, Update
from millrace_core.market import Trade
from millrace_core.names import StreamName


@dataclass
class TradeFigures:
    """What was found of trades."""

    compared: int = 0
    wrong: list[str] = field(default_factory=list)
    """Trades that were shown twice, out of order, or otherwise than the exchange made them."""
    late: int = 0
    """How many were found after later ones had been shown."""


class TradesWitness:
    """Reads the trades of one market."""

    def __init__(self, bus: Bus, name: StreamName, figures: TradeFigures, *, numbered: bool) -> None:
        """`numbered`: whether a gap in the exchange's numbers shows what is missing, so that none may be late."""
        self.is_live = False
        self.changed = asyncio.Event()
        """Set at every change of `is_live`."""
        self.name = name
        self.missing: set[int] = set()
        """Those that have not been shown, though later ones have."""
        self._figures, self._numbered = figures, numbered
        self._shown: list[Trade] = []
        self._last: int | None = None
        self.follower = bus.follow(name, self._take)

    async def check(self, session: aiohttp.ClientSession, market: str) -> None:
        """Compare the trades shown since the last call with those that the exchange made."""
        shown, self._shown = self._shown, []
        if not shown:
            return
        made = {number: rest for number, *rest in await true_trades(session, market, min(map(_number, shown)))}
        for trade in shown:
            self._figures.compared += 1
            if made.get(_number(trade)) != [trade.price, trade.amount]:
                self._figures.wrong.append(f"{self.name}: trade {trade.id} is another at the exchange")

    def _take(self, update: Update) -> None:
        if update.kind == "delta":
            self._add(update.data.trades)
        elif update.kind == "snapshot":
            # Those that a snapshot includes do not come one by one.
            last = -1 if self._last is None else self._last
            self._add([trade for trade in update.state.trades if _number(trade) > last])
        is_live = update.trusted and update.status == "live"
        if is_live != self.is_live:
            self.is_live = is_live
            self.changed.set()

    def _add(self, trades: list[Trade]) -> None:
        for trade in trades:
            number, last = _number(trade), self._last
            if last is None or number > last:
                self.missing.update(range(number if last is None else last + 1, number))
                self._last = number
            elif number in self.missing and not self._numbered:
                self.missing.discard(number)
                self._figures.late += 1
            else:
                self._figures.wrong.append(f"{self.name}: trade {number} came after {last}")
        self._shown += trades


def _number(trade: Trade) -> int:
    return int(trade.id or 0)
