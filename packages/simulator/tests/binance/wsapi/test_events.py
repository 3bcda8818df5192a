"""User data events as Binance writes them."""

from __future__ import annotations

import json
from decimal import Decimal

import msgspec

from millrace_matching import OrderType, Side, TimeInForce
from millrace_simulator.binance.times import TimeUnit
from millrace_simulator.binance.wsapi import events
from millrace_simulator.venue import (
    Balance,
    BalanceChange,
    ExecutionReport,
    ExecutionType,
    Order,
    OrderStatus,
    OwnTrade,
)

ORDER = Order(
    order_id=7,
    account_id=1,
    symbol="ETHBTC",
    client_order_id="mine",
    side=Side.BUY,
    type=OrderType.LIMIT,
    time_in_force=TimeInForce.GTC,
    quantity=Decimal(2),
    price=Decimal("0.05"),
    is_working=True,
    created_us=1_000_000,
    updated_us=1_000_000,
    working_us=1_000_000,
)
REPORT = ExecutionReport(
    account_id=1,
    execution_type=ExecutionType.NEW,
    order=ORDER,
    time_us=1_000_500,
    execution_id=99,
    client_order_id="mine",
)
TRADE = OwnTrade(
    trade_id=5,
    order_id=7,
    client_order_id="mine",
    symbol="ETHBTC",
    side=Side.BUY,
    price=Decimal("0.05"),
    quantity=Decimal(1),
    quote=Decimal("0.05"),
    commission=Decimal("0.001"),
    commission_asset="ETH",
    is_maker=True,
    time_us=2_000_000,
)


def _report(report: ExecutionReport, unit: TimeUnit = TimeUnit.MILLISECOND) -> dict[str, object]:
    document = json.loads(events.execution_report(report, unit))
    assert isinstance(document, dict)
    return document


def test_a_new_order_is_reported_with_every_documented_field() -> None:
    """Strict clients decode all fields, those that are always zero or ignored too."""
    assert _report(REPORT) == {
        "e": "executionReport",
        "E": 1000,
        "s": "ETHBTC",
        "c": "mine",
        "S": "BUY",
        "o": "LIMIT",
        "f": "GTC",
        "q": "2.00000000",
        "p": "0.05000000",
        "P": "0.00000000",
        "F": "0.00000000",
        "g": -1,
        "C": "",
        "x": "NEW",
        "X": "NEW",
        "r": "NONE",
        "i": 7,
        "l": "0.00000000",
        "z": "0.00000000",
        "L": "0.00000000",
        "n": "0",
        "N": None,
        "T": 1000,
        "t": -1,
        "I": 99,
        "w": True,
        "m": False,
        "M": False,
        "O": 1000,
        "Z": "0.00000000",
        "Y": "0.00000000",
        "Q": "0.00000000",
        "W": 1000,
        "V": "NONE",
    }


def test_a_fill_is_reported_with_its_trade_and_commission() -> None:
    """Reports hold the last fill and the totals, and a filled order is no longer on the book."""
    order = msgspec.structs.replace(
        ORDER, status=OrderStatus.FILLED, filled=Decimal(2), filled_quote=Decimal("0.1"), strategy_id=3
    )
    report = msgspec.structs.replace(REPORT, execution_type=ExecutionType.TRADE, order=order, trade=TRADE)
    shown = _report(report)
    reported = {name: shown[name] for name in ("x", "X", "l", "L", "Y", "z", "Z", "n", "N", "t", "m", "w", "j")}
    assert reported == {
        "x": "TRADE",
        "X": "FILLED",
        "l": "1.00000000",
        "L": "0.05000000",
        "Y": "0.05000000",
        "z": "2.00000000",
        "Z": "0.10000000",
        "n": "0.00100000",
        "N": "ETH",
        "t": 5,
        "m": True,
        "w": False,
        "j": 3,
    }


def test_an_order_that_waits_for_its_trigger_has_no_working_time() -> None:
    """`W` is there only once the order has been in the book, and the stop price is shown."""
    order = msgspec.structs.replace(ORDER, is_working=False, working_us=-1, stop_price=Decimal("0.06"))
    shown = _report(msgspec.structs.replace(REPORT, order=order))
    assert "W" not in shown
    assert (shown["P"], shown["w"]) == ("0.06000000", False)


def test_microseconds_are_reported_exactly() -> None:
    """A client that asked for microseconds loses none."""
    assert _report(REPORT, TimeUnit.MICROSECOND)["E"] == 1_000_500


def test_balances_are_reported_free_and_locked() -> None:
    """An account position lists the balances that changed, a balance update the difference."""
    change = BalanceChange(1, 3_000_000, (Balance("USDT", Decimal("1.5"), Decimal(2)),), "USDT", Decimal("-0.5"))
    assert json.loads(events.account_position(change, TimeUnit.MILLISECOND)) == {
        "e": "outboundAccountPosition",
        "E": 3000,
        "u": 3000,
        "B": [{"a": "USDT", "f": "1.50000000", "l": "2.00000000"}],
    }
    assert json.loads(events.balance_update(change, "USDT", Decimal("-0.5"), TimeUnit.MILLISECOND)) == {
        "e": "balanceUpdate",
        "E": 3000,
        "a": "USDT",
        "d": "-0.50000000",
        "T": 3000,
    }


def test_an_event_names_its_subscription() -> None:
    """Events are wrapped with the id of the subscription, those of the connection with none."""
    ended = events.stream_terminated(5_000, TimeUnit.MILLISECOND)
    assert json.loads(events.addressed(3, ended)) == {
        "subscriptionId": 3,
        "event": {"e": "eventStreamTerminated", "E": 5},
    }
    assert json.loads(events.unaddressed(ended)) == {"event": {"e": "eventStreamTerminated", "E": 5}}
