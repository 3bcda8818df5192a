"""A strategy's fills, found in its account's own trades or in what its orders report. Pure.

Own trades have the exact price and fee of each fill. They count for a market whose `watchMyTrades` the strategy
follows; elsewhere a fill is what an order's `filled` and `cost` grew by. Each fill counts once, in whatever order and
however often it is reported, also after a restart.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

import msgspec
from msgspec.structs import replace

from millrace_core.market import Trade
from millrace_core.messages import decimal_of
from millrace_core.position import Fee, Fill
from millrace_strategy.orders import StrategyOrder

KEPT_TRADES: Final = 1_000
"""As many as a stream's snapshot holds: older ones are never reported again."""
KEPT_ORDERS: Final = 1_000
"""Filled orders that may be reported again, as when a strategy starts."""
_ZERO: Final = Decimal(0)


class StrategyFill(msgspec.Struct, frozen=True, kw_only=True):
    """One fill of one of the strategy's own orders."""

    exchange: str
    symbol: str
    order_id: str
    side: str
    """`buy` or `sell`."""
    price: Decimal
    amount: Decimal
    """In base currency, or in contracts."""
    cost: Decimal | None = None
    """Its value where that is not price times amount, as of a contract."""
    fees: tuple[Fee, ...] = ()
    """What it cost, in one currency or several; empty if that is not known."""
    timestamp: int | None = None
    """When it happened, ms."""
    trade_id: str | None = None
    """The exchange's id of the trade; None if only the order's report shows the fill."""

    @property
    def signed_amount(self) -> Decimal:
        """The amount, below zero for a sale."""
        return self.amount if self.side == "buy" else -self.amount

    @property
    def fill(self) -> Fill:
        """The fill as the arithmetic of positions takes it."""
        return Fill(self.timestamp or 0, self.side == "buy", self.price, self.amount, self.cost, self.fees)


class Reported(msgspec.Struct, frozen=True, array_like=True):
    """What of an order was counted so far."""

    filled: Decimal = _ZERO
    cost: Decimal | None = None
    fees: dict[str, Decimal] | Decimal = {}
    """By currency. A number was saved by an earlier version: it is of the one currency that the order had."""
    ignores_trades: bool = False
    """Whether its own trades count no more: the order's reports were counted in their place."""

    def fee(self, currency: str) -> Decimal:
        """Return what was counted of the fees in a currency."""
        return self.fees.get(currency, _ZERO) if isinstance(self.fees, dict) else self.fees

    def plus(self, fill: StrategyFill) -> "Reported":
        """Return what is counted with one more fill."""
        with_fees = self.charged(fill.fees)
        return replace(with_fees, filled=self.filled + fill.amount, cost=(self.cost or _ZERO) + fill.fill.value)

    def charged(self, fees: Iterable[Fee]) -> "Reported":
        """Return what is counted with more fees."""
        known = self.fees if isinstance(self.fees, dict) else {}
        return replace(self, fees=known | {fee.currency: self.fee(fee.currency) + fee.cost for fee in fees})


def fill_of_trade(exchange: str, symbol: str, trade: Trade, *, is_contract: bool) -> StrategyFill:
    """Return the fill that an own trade is; numbers stand for the digits that the exchange printed."""
    return StrategyFill(
        exchange=exchange,
        symbol=symbol,
        order_id=trade.order or "",
        side=trade.side or "",
        price=_exact(trade.price),
        amount=_exact(trade.amount),
        cost=_exact(trade.cost) if is_contract and trade.cost is not None else None,
        fees=_by_currency((fee.currency, _exact(fee.cost)) for fee in trade.charged if fee.cost is not None),
        timestamp=trade.timestamp,
        trade_id=trade.id,
    )


def fill_of_order(order: StrategyOrder, counted: Reported) -> tuple[StrategyFill, Reported] | None:
    """Return what an order has filled beyond what was counted, and what is counted then; None if that is nothing.

    Without `cost` and `average` the fill has the order's own price; without that it waits for a report that has one.
    """
    amount = (order.filled or _ZERO) - counted.filled
    if amount <= 0 or order.side not in ("buy", "sell"):
        return None
    cost = _cost_beyond(order, counted)
    price = (order.average or order.price) if cost is None else cost / amount
    if price is None:
        return None
    fill = StrategyFill(
        exchange=order.exchange,
        symbol=order.symbol,
        order_id=order.id,
        side=order.side,
        price=price,
        amount=amount,
        cost=cost,
        fees=fees_beyond(order, counted),
        timestamp=order.last_trade_timestamp or order.last_update_timestamp or order.timestamp,
    )
    return fill, counted.plus(fill)


def _cost_beyond(order: StrategyOrder, counted: Reported) -> Decimal | None:
    """Return what the fills beyond those that were counted cost; None if no report says so."""
    total = order.average * (order.filled or _ZERO) if order.average is not None and not order.cost else order.cost
    if not total or (counted.filled and counted.cost is None):
        return None
    cost = total - (counted.cost or _ZERO)
    # A report of the cost may come later than that of the amount.
    return cost if cost > 0 else None


def fees_beyond(order: StrategyOrder, counted: Reported) -> tuple[Fee, ...]:
    """Return what an order's fees grew by in each currency; none if they are not known."""
    totals = _by_currency((fee.currency, fee.cost) for fee in order.fees if fee.cost is not None)
    beyond = [(total, total.cost - counted.fee(total.currency)) for total in totals]
    # A negative fee is a rebate, unless own trades already reported more fees than the order does.
    return tuple(total._replace(cost=cost) for total, cost in beyond if cost > 0 or (cost < 0 and total.cost < 0))


def _by_currency(fees: Iterable[tuple[str | None, Decimal]]) -> tuple[Fee, ...]:
    sums: dict[str, Decimal] = {}
    for currency, cost in fees:
        sums[currency or ""] = sums.get(currency or "", _ZERO) + cost
    return tuple(Fee(cost, currency) for currency, cost in sums.items())


def _exact(number: float) -> Decimal:
    return decimal_of(number) or _ZERO
