"""Fees in several currencies are all read, also where ccxt takes one of those that the exchange's record has."""

import json
from decimal import Decimal
from typing import Any, Final

import pytest
from libs.exchange.tests.answers.records import RECORDS
from libs.exchange.tests.profiles.conftest import RecordedCcxt

from millrace_core.market import Fee
from millrace_core.orders import OrderFee
from millrace_exchange.ccxt.conversion import order_of, trade_of
from millrace_exchange.ccxt.record_fees import with_all_fees

_COINS: Final = {
    "newFees": {"c": 0, "d": 0, "deduction": False, "r": -0.3, "t": -0.3, "totalDeductionFee": 0},
    "BGB": {"deduction": True, "feeCoinCode": "BGB", "totalDeductionFee": -0.1, "totalFee": -0.1},
    "USDT": {"deduction": False, "feeCoinCode": "USDT", "totalDeductionFee": 0, "totalFee": "-0.123456789012345678"},
}
_SAID: Final[dict[str, dict[str, Any]]] = {
    "bybit": {"cumFeeDetail": {"MNT": "0.1", "USDT": "0.123456789012345678"}},
    "bitget": {"feeDetail": json.dumps(_COINS)},
    "okx": {"fee": "-0.1", "feeCcy": "BTC", "rebate": "0.02", "rebateCcy": "USDT"},
}
_CHARGED: Final = {
    "bybit": [("MNT", "0.1"), ("USDT", "0.123456789012345678")],
    "bitget": [("BGB", "0.1"), ("USDT", "0.123456789012345678")],
    "okx": [("BTC", "0.1"), ("USDT", "-0.02")],
}
_UNSAID: Final[dict[str, dict[str, Any]]] = {
    "bybit": {"cumFeeDetail": ""},
    "bitget": {"feeDetail": "{}"},
    "okx": {"fee": "", "feeCcy": "", "rebate": "", "rebateCcy": ""},
}


@pytest.mark.parametrize("exchange", sorted(_SAID))
def test_an_order_has_its_fee_in_each_currency(exchange: str) -> None:
    """A token ran out in the middle of it, or a maker's rebate came beside the fee; the digits are the exchange's."""
    account = RecordedCcxt(exchange)

    def fees(said: dict[str, Any]) -> list[OrderFee]:
        record = {**RECORDS[exchange].order, **said}
        return order_of(with_all_fees(account.ccxt.parse_order(record), account.profile.order_fees)).fees

    assert fees(_SAID[exchange]) == [OrderFee(currency, Decimal(cost)) for currency, cost in _CHARGED[exchange]]
    assert fees(_UNSAID[exchange]) == []


def test_what_a_fee_is_worth_is_no_fee() -> None:
    """Kraken streams that in USD, and answers with what was charged: one fee would be counted in two currencies."""
    account = RecordedCcxt("kraken")
    event = {"order_id": "O", "symbol": "BTC/USDT", "side": "sell", "cum_qty": 4, "fee_usd_equiv": 0.1}
    order = account.ccxt.parse_ws_order(event)
    profile = account.profile
    assert order_of(order).fees == [OrderFee("USD", Decimal("0.1"))]
    assert order_of(with_all_fees(order, profile.order_fees, profile.fee_worth)).fees == []


def test_a_streamed_trade_has_its_fee_in_each_currency() -> None:
    """On Kraken, whose events list them."""
    account = RecordedCcxt("kraken")
    event = {
        "exec_id": "T", "order_id": "O", "symbol": "BTC/USDT", "side": "sell", "order_type": "limit", "last_qty": 4,
        "last_price": 20.5, "cost": 82, "liquidity_ind": "m", "timestamp": "2023-09-22T10:33:05.709950Z",
        "fees": [{"asset": "USDT", "qty": 0.1}, {"asset": "BTC", "qty": 0.002}],
    }  # fmt: skip
    trade = trade_of(with_all_fees(account.ccxt.parse_ws_trade(event), account.profile.trade_fees))
    assert trade.charged == (Fee("USDT", 0.1), Fee("BTC", 0.002))


@pytest.mark.parametrize(
    "record", [{"fee_currency": "USDT", "trade_fee": "0.2"}, {"fee_asset": "USDT", "trade_fee": -0.2}]
)
def test_a_fee_of_a_contract_was_charged_whichever_sign_it_has(record: dict[str, Any]) -> None:
    """HTX: a taker's is above zero in linear contracts, and below in others."""
    account = RecordedCcxt("htx")
    terms = {"order_id": "7", "trade_id": "42", "side": "sell", "trade_price": "100", "trade_volume": "2"}
    place = {"contract_code": "BTCUSDT", "created_time": "1780967931197", "role": "TAKER"}
    trade = trade_of(with_all_fees(account.ccxt.parse_trade({**record, **terms, **place}), account.profile.trade_fees))
    assert trade.fee is not None
    assert (trade.fee.currency, trade.fee.cost) == ("USDT", 0.2)
