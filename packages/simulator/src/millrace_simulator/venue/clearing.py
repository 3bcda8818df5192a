"""Clearing: applies the engine's events to accounts: holds, fills, commission, and the reports on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from msgspec.structs import replace

from millrace_matching import (
    Accepted,
    Canceled,
    Completed,
    Expired,
    ExpiryReason,
    Side,
    TimeInForce,
    Traded,
    Triggered,
)
from millrace_simulator.venue.accounts import Account
from millrace_simulator.venue.fills import Fill, fill_of
from millrace_simulator.venue.instrument import Instrument
from millrace_simulator.venue.ledger import Ledger
from millrace_simulator.venue.order_changes import Amendment, PreventedMatch
from millrace_simulator.venue.orders import ExecutionReport, ExecutionType, Order, OrderExpiry, OrderStatus, OwnTrade

OrderEvent = Accepted | Triggered | Canceled | Expired | Completed


class Hold:
    """What is locked for an order, or for both orders of a pair, of which only one can spend it."""

    __slots__ = ("amount", "asset", "orders")

    def __init__(self, asset: str, amount: Decimal) -> None:
        self.asset = asset
        self.amount = amount
        self.orders = 0
        """How many open orders it is for."""


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
        self._holds: dict[tuple[str, int], Hold] = {}
        # The matches in which orders lost their last quantity; their end is reported with it.
        self._ending: dict[tuple[str, int], PreventedMatch] = {}
        self._touched: dict[int, set[str]] = {}
        self._last_execution_id = last_execution_id
        # The client order id of the cancel under way, which its report carries.
        self.cancel_client_order_id = ""

    def enter(self, order: Order, asset: str, amount: Decimal) -> None:
        """Register an order and lock the amount that it may spend.

        Raises:
            InsufficientBalance: less is free; nothing changed.
        """
        self.hold((order,), asset, amount)
        self._ledger.add(order)

    def hold(self, orders: Sequence[Order], asset: str, amount: Decimal) -> None:
        """Lock an amount for an order, or for the orders of which only one can spend it.

        Raises:
            InsufficientBalance: less is free; nothing changed.
        """
        self._accounts[orders[0].account_id].lock(asset, amount)
        hold = Hold(asset, amount)
        for order in orders:
            hold.orders += 1
            self._holds[order.symbol, order.order_id] = hold
        self._touch(orders[0], asset)

    def apply(self, event: OrderEvent, order: Order, now_us: int) -> None:
        """Apply an order event that is not a trade."""
        if isinstance(event, Accepted):
            self.report_new(order, now_us)
        elif isinstance(event, Triggered):
            working = replace(order, is_working=True, working_us=now_us, updated_us=now_us)
            self._ledger.update(working)
            self._report_execution(working, ExecutionType.NEW, now_us)
        elif isinstance(event, Canceled):
            self._end(order, OrderStatus.CANCELED, ExecutionType.CANCELED, now_us)
        elif isinstance(event, Expired) and event.reason is ExpiryReason.SELF_TRADE:
            self._end(order, OrderStatus.EXPIRED_IN_MATCH, ExecutionType.TRADE_PREVENTION, now_us)
        elif isinstance(event, Expired):
            self.expire(order, _expiry(order, event.reason), now_us)

    def expire(self, order: Order, expiry: OrderExpiry, now_us: int) -> None:
        """End an order that was not filled whole."""
        self._end(replace(order, expiry=expiry), OrderStatus.EXPIRED, ExecutionType.EXPIRED, now_us)

    def prevent(self, match: PreventedMatch, order: Order, *, ends: bool) -> None:
        """Take from an order what it lost in a match that was prevented; one that ends is reported when it expires."""
        lost = match.lost_by(order.order_id)
        # What a buyer without a price holds is the cost of other orders' prices as well: it is freed at its end.
        if not ends and (order.price or order.side is Side.SELL):
            self._free_share(order, lost)
        shrunk = replace(
            order, prevented=order.prevented + lost, prevented_match_id=match.match_id, updated_us=match.time_us
        )
        self._ledger.update(shrunk)
        if ends:
            self._ending[order.symbol, order.order_id] = match
        else:
            self._report_execution(shrunk, ExecutionType.TRADE_PREVENTION, match.time_us, prevented=match)

    def amend(self, order: Order, quantity: Decimal, client_order_id: str, now_us: int, *, frees: bool) -> None:
        """Lower an open order's quantity and report it; with `frees` what it no longer needs becomes free."""
        if frees:
            self._free_share(order, order.quantity - quantity)
        amendment = Amendment(
            symbol=order.symbol,
            order_id=order.order_id,
            execution_id=self._last_execution_id + 1,
            former_client_order_id=order.client_order_id,
            client_order_id=client_order_id,
            former_quantity=order.quantity,
            quantity=quantity,
            time_us=now_us,
        )
        amended = replace(
            order,
            quantity=quantity,
            client_order_id=client_order_id,
            amendments=order.amendments + 1,
            updated_us=now_us,
        )
        self._ledger.amend(amended, amendment)
        self._report_execution(amended, ExecutionType.REPLACED, now_us, amendment=amendment)

    def report_new(self, order: Order, now_us: int) -> None:
        """Report an order that was accepted."""
        self._report_execution(order, ExecutionType.NEW, now_us)

    def trade(self, traded: Traded, order: Order, instrument: Instrument, now_us: int) -> None:
        """Settle one side of a trade: `order` is its maker or its taker."""
        fill = fill_of(traded, order, instrument, self._accounts[order.account_id])
        own = self._settle(fill, order, now_us)
        filled = order.filled + fill.quantity
        whole = filled + order.prevented == order.quantity
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
        self._holds[order.symbol, order.order_id].amount -= paid
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
            list_id=order.list_id,
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
        prevented = self._ending.pop((order.symbol, order.order_id), None)
        self._report_execution(ended, execution_type, now_us, prevented=prevented)

    def _free(self, order: Order, amount: Decimal) -> None:
        hold = self._holds[order.symbol, order.order_id]
        hold.amount -= amount
        self._accounts[order.account_id].unlock(hold.asset, amount)

    def _free_share(self, order: Order, quantity: Decimal) -> None:
        """Free what is held for a part of an order's remaining quantity; nothing is for one that is pending."""
        hold = self._holds.get((order.symbol, order.order_id))
        if hold is not None:
            self._free(order, hold.amount * quantity / order.available)
            self._touch(order, hold.asset)

    def _release(self, order: Order) -> None:
        """Free the amount still held for a final order, unless its partner is open."""
        hold = self._holds.pop((order.symbol, order.order_id), None)
        if hold is None:
            return
        hold.orders -= 1
        if hold.amount and not hold.orders:
            self._accounts[order.account_id].unlock(hold.asset, hold.amount)
            self._touch(order, hold.asset)

    def _touch(self, order: Order, *assets: str) -> None:
        self._touched.setdefault(order.account_id, set()).update(assets)

    def _report_execution(
        self,
        order: Order,
        kind: ExecutionType,
        now_us: int,
        trade: OwnTrade | None = None,
        prevented: PreventedMatch | None = None,
        amendment: Amendment | None = None,
    ) -> None:
        self._last_execution_id += 1
        canceled = kind is ExecutionType.CANCELED
        original = order.client_order_id if canceled else ""
        self._report(
            ExecutionReport(
                account_id=order.account_id,
                execution_type=kind,
                order=order,
                time_us=now_us,
                execution_id=self._last_execution_id,
                client_order_id=self.cancel_client_order_id if canceled else order.client_order_id,
                original_client_order_id=original if amendment is None else amendment.former_client_order_id,
                trade=trade,
                prevented=prevented,
                amendment=amendment,
            )
        )


def _expiry(order: Order, reason: ExpiryReason) -> OrderExpiry:
    """Return why an order expired that the engine ended."""
    if reason is ExpiryReason.PARTNER:
        return OrderExpiry.OCO_TRIGGER
    if order.time_in_force is TimeInForce.IOC:
        return OrderExpiry.UNFILLED_IOC_QUANTITY_EXPIRED
    if order.time_in_force is TimeInForce.FOK:
        return OrderExpiry.UNFILLED_FOK_ORDER_EXPIRED
    return OrderExpiry.INSUFFICIENT_LIQUIDITY
