"""A strategy's order on a modelled exchange, and its fills."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from millrace_core.ids import RequestId
from millrace_core.names import ExchangeId, Symbol, Tenant
from millrace_core.orders import Order, OrderFee, OrderRecord
from millrace_core.position import EXACT, Fee, plain

OrderSide = Literal["buy", "sell"]


@dataclass(slots=True, eq=False)
class ModelledOrder:
    """An order as the modelled exchange keeps it."""

    number: int
    """Unique over all exchanges of a backtest."""
    tenant: Tenant
    exchange: ExchangeId
    symbol: Symbol
    source: str
    """The strategy that placed it."""
    request_id: RequestId
    side: OrderSide
    type: str
    amount: Decimal
    price: Decimal | None
    time_in_force: str
    post_only: bool
    trigger_price: Decimal | None
    created_ns: int
    status: str = "open"
    filled: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    updated_ns: int = 0
    traded_ns: int | None = None
    fees: dict[str, Decimal] = field(default_factory=dict)
    reserved: tuple[str, Decimal] = ("", Decimal(0))
    """Currency and amount that are kept back for it."""
    expected: Decimal | None = None
    """What its strategy saw when it decided; see `OwnFill`."""

    @property
    def id(self) -> str:
        """Its id on the exchange."""
        return str(self.number)

    @property
    def is_buy(self) -> bool:
        """Tell whether it buys."""
        return self.side == "buy"

    @property
    def remaining(self) -> Decimal:
        """What is not filled."""
        return EXACT.subtract(self.amount, self.filled)

    def fill(self, price: Decimal, amount: Decimal, fee: Fee, now_ns: int) -> None:
        """Count a fill."""
        self.filled = EXACT.add(self.filled, amount)
        self.cost = EXACT.add(self.cost, EXACT.multiply(price, amount))
        self.fees[fee.currency] = EXACT.add(self.fees.get(fee.currency, Decimal(0)), fee.cost)
        self.updated_ns = self.traded_ns = now_ns

    def record(self, now_ns: int) -> OrderRecord:
        """Return it as the platform reports it now."""
        return OrderRecord(self.reported(), self.exchange, now_ns // 1_000_000, self.source, self.request_id)

    def reported(self) -> Order:
        """Return it in ccxt's unified structure."""
        return Order(
            id=self.id,
            symbol=self.symbol,
            client_order_id=self.request_id,
            timestamp=self.created_ns // 1_000_000,
            type=self.type,
            side=self.side,
            time_in_force=self.time_in_force,
            post_only=self.post_only,
            price=self.price,
            trigger_price=self.trigger_price,
            amount=self.amount,
            status=self.status,
            filled=plain(self.filled),
            remaining=plain(self.remaining),
            average=_average(self.cost, self.filled),
            cost=plain(self.cost),
            fees=[OrderFee(currency, plain(cost)) for currency, cost in self.fees.items()],
            last_trade_timestamp=None if self.traded_ns is None else self.traded_ns // 1_000_000,
            last_update_timestamp=self.updated_ns // 1_000_000,
        )


@dataclass(frozen=True, slots=True)
class OwnFill:
    """One fill of a strategy's order."""

    at_ns: int
    """When it happened, in virtual time."""
    tenant: Tenant
    exchange: ExchangeId
    symbol: Symbol
    source: str
    order_id: str
    side: OrderSide
    price: Decimal
    amount: Decimal
    fee: Fee
    is_maker: bool
    expected: Decimal | None
    """What its strategy saw when it decided: the best price of the side that it takes from, or its own limit."""


def _average(cost: Decimal, filled: Decimal) -> Decimal | None:
    if not filled:
        return None
    context = EXACT.copy()
    context.prec, context.traps = 28, dict.fromkeys(context.traps, False)
    return plain(context.divide(cost, filled))
