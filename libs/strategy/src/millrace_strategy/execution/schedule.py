"""Large orders in parts over time: TWAP and VWAP."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import accumulate
from math import isfinite
from typing import Final, Literal

from millrace_core.messages import decimal_of
from millrace_strategy.events import Event, OrderEvent
from millrace_strategy.execution.part import StrategyPart
from millrace_strategy.execution.working_order import WorkingOrder, above_zero
from millrace_strategy.strategy import Strategy
from millrace_strategy.timers import finite_ms
from millrace_strategy.trader import Number, exact_number

_BPS: Final = Decimal(10_000)


class Vwap(StrategyPart):
    """Trades `amount` over `duration_ms` in parts that follow a profile of volume, such as the hours of past days.

    At the beginning of each part an order takes liquidity (IOC) for what is due by then and not filled, within
    `slippage_bps` of the best price and never beyond `limit`. What is not filled, because the book was too thin, not
    trusted, or an outcome was unknown, is due with the next part; so is what is too small to be sent. `remaining` says
    what was left at the end.

    Raises:
        ValueError: a number is not finite, `amount` or `limit` not above 0, or `profile` holds no volumes.
    """

    def __init__(
        self,
        strategy: Strategy,
        *,
        exchange: str,
        symbol: str,
        side: Literal["buy", "sell"],
        amount: Number,
        duration_ms: int,
        profile: Sequence[float],
        slippage_bps: Number = 10,
        limit: Number | None = None,
    ) -> None:
        if not profile or not all(map(isfinite, profile)) or min(profile) < 0 or sum(profile) <= 0:
            raise ValueError("profile must hold volumes, at least one of them above 0")
        self._book = strategy.books[exchange, symbol]
        self._side = side
        self._amount = above_zero("amount", amount)
        self._limit = None if limit is None else above_zero("limit", limit)
        self._slippage = (exact_number("slippage_bps", slippage_bps) or Decimal(0)) / _BPS
        finite_ms(duration_ms)
        if not abs(self._slippage) < 1:
            raise ValueError(f"slippage_bps is {slippage_bps}; no price lies so far from the best one")
        self._volumes = [*accumulate(decimal_of(volume) or Decimal(0) for volume in profile)]
        self._part = 0
        self._order = WorkingOrder(strategy, exchange=exchange, symbol=symbol, side=side, time_in_force="IOC")
        self._is_cancelled = False
        super().__init__(strategy, OrderEvent)
        every_ms = max(round(duration_ms / len(profile)), 1)
        self._timer = strategy.every(every_ms, self._next_part, name="next part")
        self._next_part()

    @property
    def filled(self) -> Decimal:
        """Return how much is filled."""
        return self._order.filled

    @property
    def remaining(self) -> Decimal:
        """Return how much is not filled yet."""
        return self._amount - self._order.filled

    @property
    def is_done(self) -> bool:
        """Tell whether everything was filled, or all parts are over and it has no order any more."""
        return self._order.is_idle and (self._is_cancelled or self.remaining <= 0 or self._part > len(self._volumes))

    def cancel(self) -> None:
        """Trade no more."""
        self._is_cancelled = True
        self._timer.cancel()
        self._order.clear()

    def handle(self, event: Event) -> None:
        """Stop the clock when everything is filled."""
        if self.remaining <= 0:
            self._timer.cancel()

    def _next_part(self) -> None:
        self._part += 1
        if self._part > len(self._volumes):
            self._timer.cancel()
            return
        price = self._price()
        if price is None or not self._order.is_idle:
            return
        is_last = self._part == len(self._volumes)
        due = self._amount if is_last else self._amount * self._volumes[self._part - 1] / self._volumes[-1]
        if not self._order.sends(price, self._amount - due):
            due = self._amount  # What would be left for the parts after this one is too small to be sent.
        if self._order.sends(price, due - self.filled):
            self._order.set(price, due - self.filled)
        elif is_last:
            self._order.leave(price, self.remaining)

    def _price(self) -> Decimal | None:
        book, is_buy = self._book, self._side == "buy"
        best = book.best_ask if is_buy else book.best_bid
        if not book.trusted or best is None:
            return None
        price = Decimal(str(best[0])) * (1 + (self._slippage if is_buy else -self._slippage))
        price = self._order.market.round_price(price, up=not is_buy)
        if self._limit is not None:
            price = min(price, self._limit) if is_buy else max(price, self._limit)
        return price


class Twap(Vwap):
    """Trades `amount` over `duration_ms` in `parts` equal parts; see `Vwap`."""

    def __init__(
        self,
        strategy: Strategy,
        *,
        exchange: str,
        symbol: str,
        side: Literal["buy", "sell"],
        amount: Number,
        duration_ms: int,
        parts: int,
        slippage_bps: Number = 10,
        limit: Number | None = None,
    ) -> None:
        super().__init__(
            strategy,
            exchange=exchange,
            symbol=symbol,
            side=side,
            amount=amount,
            duration_ms=duration_ms,
            profile=[1.0] * parts,
            slippage_bps=slippage_bps,
            limit=limit,
        )
