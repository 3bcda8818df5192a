"""Grid: buys at each line of a price range, sells one line higher. See docs/strategy-library.md."""

from decimal import Decimal
from itertools import pairwise
from typing import Any, Literal

from pydantic import Field, model_validator

from millrace_strategy import BookEvent, Event, StartEvent, StopEvent, Strategy, StrategyConfiguration
from millrace_strategy.execution import WorkingOrder

Side = Literal["buy", "sell"]


class Grid(Strategy):
    """Divides a price range into cells; each buys at its lower price, then sells at its upper price, and again.

    The grid outlives restarts: its open orders stay on the exchange, and what they filled meanwhile counts. What a cell
    cannot buy or sell because it is too little goes along with its next order. Where the exchange takes its fee from
    what was bought, so much less is sold.
    """

    class Configuration(StrategyConfiguration):
        """Settings of the strategy."""

        exchange_id: str
        """Where it trades."""
        symbol: str
        """What it trades."""
        lower: Decimal = Field(gt=0, le=10**12)
        """Lowest price of the grid."""
        upper: Decimal = Field(gt=0, le=10**12)
        """Highest price of the grid."""
        cells: int = Field(ge=1, le=100)
        """Into how many cells the range is divided."""
        amount: Decimal = Field(gt=0, le=10**12)
        """How much each cell buys and sells, in base currency."""
        tick_size: Decimal | None = Field(default=None, gt=0, le=10**6)
        """Smallest step of a price, if it is another than the exchange states."""

        @model_validator(mode="after")
        def _has_room(self) -> "Grid.Configuration":
            if (self.upper - self.lower) / self.cells < (self.tick_size or Decimal("1e-18")):
                raise ValueError("upper: must be above lower by at least one tickSize for each cell")
            return self

    configuration: Configuration

    def on_start(self, event: StartEvent) -> None:
        """Build the grid, or go on with that of the last run; open orders that belong to no cell are cancelled."""
        settings = self.configuration
        self.markets.override(settings.exchange_id, settings.symbol, tick_size=settings.tick_size)
        about = settings.model_dump_json()
        saved = self.state.get("cells") if self.state.get("grid") == about else None
        height = (settings.upper - settings.lower) / settings.cells
        lines = [settings.lower + height * number for number in range(settings.cells + 1)]
        self._cells = [_Cell(self, low, high) for low, high in pairwise(lines)]
        for cell, kept in zip(self._cells, saved or (), strict=False):
            cell.resume(kept)
        self.state["grid"] = about
        ours = {cell.order.order.key for cell in self._cells if cell.order.order is not None}
        for order in self.orders.open:
            if order.key not in ours:
                self.trader.cancel_order(order)
        self._trade()

    def on_order_book(self, event: BookEvent) -> None:
        """Place what had to wait until it would rest."""
        self._trade()

    def on_order(self, event: Event) -> None:
        """Turn the cells that were filled."""
        self._trade()

    on_response = on_order
    """Also after an answer: a cell's request is to be found again after a restart."""

    def on_stop(self, event: StopEvent) -> None:
        """Leave the orders where they are: the next run goes on with them."""
        self._keep()

    def _trade(self) -> None:
        book = self.books[self.configuration.exchange_id, self.configuration.symbol]
        for cell in self._cells:
            cell.count()
            if book.trusted and cell.rests(book.best_bid, book.best_ask):
                cell.place()
        self._keep()

    def _keep(self) -> None:
        self.state["cells"] = [cell.saved() for cell in self._cells]
        self.plot("cells holding", sum(cell.side == "sell" for cell in self._cells))


class _Cell:
    """One cell of the grid: what it does next, and how much of that is left."""

    def __init__(self, grid: Grid, low: Decimal, high: Decimal) -> None:
        settings = grid.configuration
        self._amount, self._prices = settings.amount, {"buy": low, "sell": high}
        self._orders: dict[Side, WorkingOrder] = {
            side: WorkingOrder(
                grid, exchange=settings.exchange_id, symbol=settings.symbol, side=side, post_only=True
            )
            for side in ("buy", "sell")
        }  # fmt: skip
        self.side: Side = "buy"
        self._size = self._left = settings.amount
        """What the present side was to trade, and what is left of that."""
        self._kept = Decimal(0)
        """What the cell holds besides, because it was too little to be sold; fees in base currency make it less."""
        self._counted = self._fees = Decimal(0)
        """What was counted of the present side's fills, and of the fees of both sides."""

    @property
    def order(self) -> WorkingOrder:
        """What works its present side."""
        return self._orders[self.side]

    def saved(self) -> list[Any]:
        """Return what `resume` needs."""
        return [self.side, str(self._left), self.order.saved(), str(self._kept)]

    def resume(self, saved: list[Any]) -> None:
        """Go on where the last run ended."""
        self.side, self._left, self._kept = saved[0], Decimal(saved[1]), Decimal(saved[3])
        if saved[2] is not None:
            self.order.resume(saved[2])
        self.count()

    def count(self) -> None:
        """Count what was filled; a cell whose side is filled, as far as that can be sent, turns to the other."""
        filled = self.order.filled
        self._left -= filled - self._counted
        self._counted = filled
        self._count_fees()
        is_rest = self.order.is_idle and self._left < self._size
        if self._left <= 0 or (is_rest and not self._sends(self.side, self._left)):
            self._turn()

    def _count_fees(self) -> None:
        """Hold less by what the exchange has charged in base currency, also if it says so after the fill."""
        fees = sum((order.base_fees for order in self._orders.values()), Decimal(0))
        self._kept -= fees - self._fees
        self._fees = fees
        if self.side == "sell":
            self._left, self._size, self._kept = self._left + self._kept, self._size + self._kept, Decimal(0)

    def _turn(self) -> None:
        """Trade on the other side, or, if that would be too little, buy more: it is sold together."""
        held = self._kept + (self._amount - self._left if self.side == "buy" else self._left)
        if self.side == "buy" and self._sends("sell", held):
            self.side, self._size, self._kept = "sell", held, Decimal(0)
        elif self.side == "sell" and self._sends("buy", self._amount - held):
            self.side, self._size, self._kept = "buy", self._amount - held, Decimal(0)
        else:
            self.side, self._size, self._kept = "buy", self._amount, held
        self._left, self._counted = self._size, self.order.filled

    def _sends(self, side: Side, amount: Decimal) -> bool:
        return self._orders[side].sends(self._prices[side], amount)

    def rests(self, bid: tuple[float, float] | None, ask: tuple[float, float] | None) -> bool:
        """Tell whether an order would rest at its price."""
        price = float(self._prices[self.side])
        return (ask is None or price < ask[0]) if self.side == "buy" else (bid is None or price > bid[0])

    def place(self) -> None:
        """Have an order for what is left, unless there is one for no more than that."""
        if self.order.is_idle or self.order.remaining > self._left:
            self.order.set(self._prices[self.side], self._left)
