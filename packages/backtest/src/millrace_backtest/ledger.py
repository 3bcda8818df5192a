"""What strategies gained: positions, profit and equity, by the arithmetic of the API's `/pnl`. Pure."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from millrace_backtest.exchange.orders import OwnFill
from millrace_core.instrument import Instrument
from millrace_core.names import ExchangeId, Symbol, Tenant
from millrace_core.position import EXACT, Fill, Position, after, plain

_ZERO: Final = Decimal(0)

MidPrice = Callable[[ExchangeId, Symbol], Decimal | None]


class Holder(NamedTuple):
    """Whose a position is, and in which market."""

    tenant: Tenant
    source: str
    exchange: ExchangeId
    symbol: Symbol

    @property
    def currency(self) -> str:
        """The currency of cost and profit."""
        return Instrument.of(self.symbol).currency


def holder_of(fill: OwnFill) -> Holder:
    """Return whose position a fill changes: a source is one tenant's, and others may have one of the same name."""
    return Holder(fill.tenant, fill.source, fill.exchange, fill.symbol)


class Ledger:
    """Counts fills into positions, one for each strategy and market."""

    def __init__(self) -> None:
        self.positions: dict[Holder, Position] = {}
        self.fills: list[OwnFill] = []

    def count(self, fill: OwnFill) -> None:
        """Count a fill; fills come in order."""
        self.fills.append(fill)
        holder = holder_of(fill)
        counted = Fill(fill.at_ns // 1_000_000, fill.side == "buy", fill.price, fill.amount, None, (fill.fee,))
        self.positions[holder] = after(self.positions.get(holder, Position()), [counted], Instrument.of(fill.symbol))

    def unrealised(self, holder: Holder, mid: Decimal | None) -> Decimal | None:
        """Return what closing a position at a price would add to its profit; None without a price."""
        position = self.positions[holder]
        if not position.quantity:
            return _ZERO
        if mid is None or Instrument.of(holder.symbol).settle is not None:
            return None
        return plain(EXACT.subtract(EXACT.multiply(position.quantity, mid), position.cost))

    def equity(self, mid_of: MidPrice) -> Mapping[str, Decimal]:
        """Return realised and unrealised profit together, by currency; what has no price counts at its cost."""
        sums: dict[str, Decimal] = {}
        for holder, position in self.positions.items():
            open_profit = self.unrealised(holder, mid_of(holder.exchange, holder.symbol)) or _ZERO
            gained = EXACT.add(position.realised, open_profit)
            sums[holder.currency] = EXACT.add(sums.get(holder.currency, _ZERO), gained)
        return sums


class Drawdown(NamedTuple):
    """The deepest fall of an equity from a peak."""

    amount: Decimal = _ZERO
    peak_ns: int = 0
    trough_ns: int = 0


class DrawdownMeter:
    """Follows one equity."""

    def __init__(self) -> None:
        self.deepest = Drawdown()
        self._peak, self._peak_ns = _ZERO, 0

    def take(self, at_ns: int, equity: Decimal) -> None:
        """Take the next value."""
        if equity >= self._peak:
            self._peak, self._peak_ns = equity, at_ns
        fall = EXACT.subtract(self._peak, equity)
        if fall > self.deepest.amount:
            self.deepest = Drawdown(plain(fall), self._peak_ns, at_ns)


def sums_by(parts: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    """Return the sum of each name's amounts, by name."""
    sums: dict[str, Decimal] = {}
    for name, amount in parts:
        sums[name] = EXACT.add(sums.get(name, _ZERO), amount)
    return {name: plain(amount) for name, amount in sorted(sums.items())}
