"""Binance's records of orders mean to us what they mean to ccxt, which reads them in answers to questions."""

from collections.abc import AsyncIterator
from decimal import Decimal
from itertools import product
from typing import Any

import msgspec
import pytest
from libs.exchange.tests.answers.conftest import account_at
from libs.exchange.tests.answers.server import ScriptedServer

from millrace_core.requests import CreatePayload
from millrace_exchange.ccxt.checked_answer import Asked
from millrace_exchange.ccxt.conversion import order_of
from millrace_exchange.native.binance.order_records import read

RECORD = {
    "symbol": "BTCUSDT",
    "orderId": 7663053,
    "orderListId": -1,
    "clientOrderId": "ours",
    "transactTime": 1687642291434,
    "price": "25000.00000000",
    "origQty": "0.30000000",
    "executedQty": "0.00000000",
    "origQuoteOrderQty": "0.000000",
    "cummulativeQuoteQty": "0.00000000",
    "status": "NEW",
    "timeInForce": "GTC",
    "type": "LIMIT",
    "side": "BUY",
    "workingTime": 1687642291430,
    "fills": [],
    "selfTradePreventionMode": "NONE",
}
FILL = {"price": "24999.9", "qty": "0.1", "commission": "0.00007050", "commissionAsset": "BNB", "tradeId": 737466631}
FILLS: list[dict[str, Any]] = [
    {},
    {"executedQty": "0.10000000", "cummulativeQuoteQty": "2499.99000000", "fills": [FILL]},
    {
        "executedQty": "0.30000000",
        "cummulativeQuoteQty": "7499.97000001",
        "fills": [FILL, FILL | {"commission": "0.1", "commissionAsset": "USDT"}, FILL],
    },
]
STATUSES = (
    "NEW",
    "PARTIALLY_FILLED",
    "FILLED",
    "CANCELED",
    "REJECTED",
    "EXPIRED",
    "EXPIRED_IN_MATCH",
    "PENDING_NEW",
    "NEWER",
)
TYPES = ("LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT")
FORMS: list[dict[str, Any]] = [
    {},
    {"price": "0.00000000"},
    {"stopPrice": "24000.50000000", "side": "SELL"},
    {"time": 1687642291000, "updateTime": 1687642291500, "stopPrice": "0.00000000"},
    {"origQty": "0.00000000"},
]


@pytest.fixture
async def ccxt() -> AsyncIterator[Any]:
    """Binance as ccxt knows it, with one market."""
    async with ScriptedServer() as server:
        account = account_at("binance", server)
        yield account.ccxt
        await account.close()


async def test_every_record_is_read_as_ccxt_reads_it(ccxt: Any) -> None:
    """Of each type and status, with and without fills: what a create says and what a question says must agree."""
    market = ccxt.markets["BTC/USDT"]
    for status, kind, fills, form in product(STATUSES, TYPES, FILLS, FORMS):
        record = {**RECORD, "status": status, "type": kind, **fills, **form}
        ours = read(record, market, Asked("BTC/USDT"), ccxt.safe_currency_code)
        assert ours == order_of(ccxt.parse_order(record, market)), record


async def test_an_order_that_waits_for_its_trigger_was_made_when_it_was_accepted(ccxt: Any) -> None:
    """Its `workingTime` is -1."""
    record = {**RECORD, "workingTime": -1, "type": "STOP_LOSS_LIMIT", "stopPrice": "24000"}
    order = read(record, ccxt.markets["BTC/USDT"], Asked(), ccxt.safe_currency_code)
    assert order.timestamp == 1687642291434


@pytest.mark.parametrize(
    "wrong",
    [
        {"price": "NaN"},
        {"origQty": "Infinity"},
        {"executedQty": "1e999"},
        {"orderId": "7"},
        {"orderId": True},
        {"symbol": None},
        {"fills": {}},
        {"clientOrderId": 7},
    ],
)
async def test_a_record_of_another_form_proves_nothing(wrong: dict[str, Any], ccxt: Any) -> None:
    """Neither its numbers nor its ids are guessed."""
    with pytest.raises(msgspec.ValidationError):
        read(RECORD | wrong, ccxt.markets["BTC/USDT"], Asked(), ccxt.safe_currency_code)


async def test_a_quantity_keeps_every_digit(ccxt: Any) -> None:
    """No float comes between."""
    record = {**RECORD, "origQty": "12345678901234567.00000001"}
    order = read(record, ccxt.markets["BTC/USDT"], Asked(), ccxt.safe_currency_code)
    assert order.amount == Decimal("12345678901234567.00000001")


@pytest.mark.parametrize(
    "wrong", [{"price": "25000.01"}, {"origQty": "0.30000001"}, {"type": "MARKET"}, {"side": "SELL"}]
)
async def test_an_order_with_other_terms_is_another(wrong: dict[str, Any], ccxt: Any) -> None:
    """A limit maker is a limit order; of a market order the price is no term."""
    market, our_id = ccxt.markets["BTC/USDT"], RECORD["clientOrderId"]
    limit = CreatePayload(symbol="BTC/USDT", side="buy", type="limit", amount_base=Decimal("0.3"), price=Decimal(25000))
    asked = Asked.for_creation(limit, our_id)
    for right in ({}, {"type": "LIMIT_MAKER"}):
        assert read(RECORD | right, market, asked, ccxt.safe_currency_code).amount == Decimal("0.3")
    with pytest.raises(msgspec.ValidationError):
        read(RECORD | wrong, market, asked, ccxt.safe_currency_code)
    at_market = CreatePayload(symbol="BTC/USDT", side="buy", type="market", amount_base=Decimal("0.3"))
    sold = RECORD | {"type": "MARKET", "price": "0.00"}
    assert read(sold, market, Asked.for_creation(at_market, our_id), ccxt.safe_currency_code).type == "market"
