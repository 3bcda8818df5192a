"""Clearing: applies the engine's events to accounts: holds, fills, commission, and the reports on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_DOWN, Decimal

from msgspec import Struct
from msgspec.structs import replace

from millrace_matching import (
    Accepted,
    Canceled,
    Completed,
    Expired,
    ExpiryReason,
    Side,
    Traded,
    Triggered,
)
from millrace_simulator.venue.accounts import Account
from millrace_simulator.venue.checks import hold_rate
from millrace_simulator.venue.instrument import Instrument
from millrace_simulator.venue.ledger import Ledger
from millrace_simulator.venue.orders import ExecutionReport, ExecutionType, Order, OrderStatus, OwnTrade
from millrace_simulator.venue.rules import CommissionAsset

OrderEvent = Accepted | Triggered | Canceled | Expired | Completed


class Fill(Struct, frozen=True, gc=False):
    """One side of a trade, in decimals."""

    trade_id: int
    price: Decimal
    quantity: Decimal
    is_maker: bool
    base: str
    quote: str
    commission_asset: str
    commission_step: Decimal
    """Commission is a multiple of it; what is below is not taken."""
    hold_rate: Decimal
    """What the order holds for its commission, as a share of its amount."""

    @property
    def notional(self) -> Decimal:
        """Return the amount of quote asset."""
        return self.price * self.quantity

    def commission(self, rate: Decimal) -> Decimal:
        """Return the commission at a rate."""
        amount = self.notional if self.commission_asset == self.quote else self.quantity
        return (amount * rate).quantize(self.commission_step, ROUND_DOWN)


class Clearing:
    """Applies the engine's events to orders and balances, and reports each change once."""

    def __init__(
        self,
        accounts: Mapping[int, Account],
        ledger: Ledger,
        report: Callable[[ExecutionReport], None],
        last_execution_id: int = 0,
    ) -> None:
        self.fees: dict[str, Decimal] = {}
        """Commission taken so far, by asset."""
        self._accounts = accounts
        self._ledger = ledger
        self._report = report
        self._holds: dict[tuple[str, int], tuple[str, Decimal]] = {}
        self._touched: dict[int, set[str]] = {}
        self._last_execution_id = last_execution_id
        # The client order id of the cancel under way, which its report carries.
        self.cancel_client_order_id = ""

    def enter(self, order: Order, asset: str, amount: Decimal) -> None:
        """Register an order and lock the amount that it may spend.

        Raises:
            InsufficientBalance: less is free; nothing changed.
        """
        self._accounts[order.account_id].lock(asset, amount)
        self._holds[order.symbol, order.order_id] = (asset, amount)
        self._touch(order, asset)
        self._ledger.add(order)

    def apply(self, event: OrderEvent, order: Order, now_us: int) -> None:
        """Apply an order event that is not a trade."""
        if isinstance(event, Accepted):
            self._report_execution(order, ExecutionType.NEW, now_us)
        elif isinstance(event, Triggered):
            working = replace(order, is_working=True, working_us=now_us, updated_us=now_us)
            self._ledger.update(working)
            self._report_execution(working, ExecutionType.NEW, now_us)
        elif isinstance(event, Canceled):
            self._end(order, OrderStatus.CANCELED, ExecutionType.CANCELED, now_us)
        elif isinstance(event, Expired) and event.reason is ExpiryReason.SELF_TRADE:
            self._end(order, OrderStatus.EXPIRED_IN_MATCH, ExecutionType.TRADE_PREVENTION, now_us)
        elif isinstance(event, Expired):
            self._end(order, OrderStatus.EXPIRED, ExecutionType.EXPIRED, now_us)

    def trade(self, traded: Traded, order: Order, instrument: Instrument, now_us: int) -> None:
        """Settle one side of a trade: `order` is its maker or its taker."""
        fill = _fill(traded, order, instrument, self._accounts[order.account_id])
        own = self._settle(fill, order, now_us)
        filled = order.filled + fill.quantity
        whole = filled == order.quantity
        updated = replace(
            order,
            filled=filled,
            filled_quote=order.filled_quote + own.quote,
            commission=order.commission + own.commission,
            status=OrderStatus.FILLED if whole else OrderStatus.PARTIALLY_FILLED,
            updated_us=now_us,
        )
        self._ledger.update(updated)
        self._ledger.add_trade(order.account_id, own)
        if whole:
            self._release(updated)
        self._report_execution(updated, ExecutionType.TRADE, now_us, own)

    def touched(self) -> dict[int, set[str]]:
        """Return the assets of each account whose balance changed since the last call."""
        touched, self._touched = self._touched, {}
        return touched

    def _settle(self, fill: Fill, order: Order, now_us: int) -> OwnTrade:
        """Move the traded amounts from locked to free, less the commission."""
        account = self._accounts[order.account_id]
        buys = order.side is Side.BUY
        paid, paid_asset = (fill.notional, fill.quote) if buys else (fill.quantity, fill.base)
        received, received_asset = (fill.quantity, fill.base) if buys else (fill.notional, fill.quote)
        rate = account.maker_rate if fill.is_maker else account.taker_rate
        commission = fill.commission(rate)
        account.credit(received_asset, received)
        if buys and fill.commission_asset == paid_asset:
            paid += commission
        else:
            account.debit(fill.commission_asset, commission)
        held_asset, held = self._holds[order.symbol, order.order_id]
        self._holds[order.symbol, order.order_id] = (held_asset, held - paid)
        account.spend_locked(paid_asset, paid)
        if buys and order.price:
            # Bought for less than was held for it: the difference is free again.
            self._free(order, order.price * fill.quantity * (1 + fill.hold_rate) - paid)
        self.fees[fill.commission_asset] = self.fees.get(fill.commission_asset, Decimal(0)) + commission
        self._touch(order, paid_asset, received_asset)
        return OwnTrade(
            trade_id=fill.trade_id,
            order_id=order.order_id,
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=order.side,
            price=fill.price,
            quantity=fill.quantity,
            quote=fill.notional,
            commission=commission,
            commission_asset=fill.commission_asset,
            rate=rate,
            is_maker=fill.is_maker,
            time_us=now_us,
        )

    def _end(self, order: Order, status: OrderStatus, execution_type: ExecutionType, now_us: int) -> None:
        ended = replace(order, status=status, updated_us=now_us)
        self._ledger.update(ended)
        self._release(ended)
        self._report_execution(ended, execution_type, now_us)

    def _free(self, order: Order, amount: Decimal) -> None:
        asset, held = self._holds[order.symbol, order.order_id]
        self._holds[order.symbol, order.order_id] = (asset, held - amount)
        self._accounts[order.account_id].unlock(asset, amount)

    def _release(self, order: Order) -> None:
        """Free the amount still held for a final order."""
        asset, held = self._holds.pop((order.symbol, order.order_id))
        if held:
            self._accounts[order.account_id].unlock(asset, held)
            self._touch(order, asset)

    def _touch(self, order: Order, *assets: str) -> None:
        self._touched.setdefault(order.account_id, set()).update(assets)

    def _report_execution(self, order: Order, kind: ExecutionType, now_us: int, trade: OwnTrade | None = None) -> None:
        self._last_execution_id += 1
        canceled = kind is ExecutionType.CANCELED
        self._report(
            ExecutionReport(
                account_id=order.account_id,
                execution_type=kind,
                order=order,
                time_us=now_us,
                execution_id=self._last_execution_id,
                client_order_id=self.cancel_client_order_id if canceled else order.client_order_id,
                original_client_order_id=order.client_order_id if canceled else "",
                trade=trade,
            )
        )


def _fill(traded: Traded, order: Order, instrument: Instrument, account: Account) -> Fill:
    rules = instrument.rules
    in_base = rules.commission_asset is CommissionAsset.RECEIVED and order.side is Side.BUY
    return Fill(
        traded.trade_id,
        instrument.scale.price(traded.price),
        instrument.scale.quantity(traded.quantity),
        order.order_id == traded.maker_id,
        rules.base,
        rules.quote,
        rules.base if in_base else rules.quote,
        rules.commission_step,
        hold_rate(account, instrument),
    )
