"""What leaves for an order, for each exchange: what was asked for, or nothing."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal

import pytest

from millrace_core.orders import Order
from millrace_core.requests import CreatePayload, EditPayload
from millrace_exchange import Rejected
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.execution import CcxtExecutionClient
from millrace_exchange.ccxt.order_queries import FetchedOrder
from millrace_exchange.request_gate import RequestGate


class Client(CcxtExecutionClient):
    """The adapter over a recorded ccxt, which knows one order: 4 of 10 are filled."""

    def __init__(self, recorded: Any) -> None:
        super().__init__(
            CcxtCaller(
                recorded.ccxt,
                recorded.profile,
                RequestGate(recorded.profile),
                has_keys=True,
                poll_interval_s=1.0,
                another=pytest.fail,
            )
        )
        self.order = Order(
            id="1",
            symbol=recorded.symbol,
            side="buy",
            type="limit",
            amount=Decimal(10),
            filled=Decimal(4),
            price=Decimal(20),
            status="open",
        )

    async def fetch_record(self, *_: Any, **__: Any) -> FetchedOrder:
        """Return the order."""
        return FetchedOrder(self.order)


BASE_ONLY = [(name, side) for name in ("binanceusdm", "hitbtc", "poloniex") for side in ("buy", "sell")]
BASE_ONLY += [(name, "sell") for name in ("okx", "gate", "coinbase", "bitget", "htx")]


@pytest.mark.parametrize(("name", "side"), BASE_ONLY)
async def test_an_amount_in_quote_currency_is_never_sent_as_base(
    recorded: Callable[..., Any], name: str, side: Literal["buy", "sell"]
) -> None:
    """100 USDT do not become 100 BTC where ccxt knows no amount in quote currency: the order is rejected."""
    exchange = recorded(name)
    payload = CreatePayload(symbol=exchange.symbol, side=side, type="market", amount_quote=Decimal(100))
    with pytest.raises(Rejected, match="amountQuote"):
        await Client(exchange).create_order(payload, exchange.client_order_id)
    assert exchange.sent == []


@pytest.mark.parametrize("name", ["kraken", "mexc", "kucoin", "okx", "gate", "bitget", "binanceusdm", "poloniex"])
async def test_a_stop_that_ccxt_does_not_translate_or_find_is_rejected(recorded: Callable[..., Any], name: str) -> None:
    """Kraken would place it at once, KuCoin keeps it where nobody looks for it."""
    exchange = recorded(name)
    payload = CreatePayload(
        symbol=exchange.symbol,
        side="sell",
        type="limit",
        amount_base=Decimal(1),
        price=Decimal(90),
        trigger_price=Decimal("91.5"),
    )
    with pytest.raises(Rejected, match="triggerPrice"):
        await Client(exchange).create_order(payload, exchange.client_order_id)
    assert exchange.sent == []


@pytest.mark.parametrize("name", ["mexc", "kucoinfutures", "poloniex", "hitbtc", "bitget", "coinbase"])
async def test_an_edit_whose_amount_is_not_understood_is_rejected(recorded: Callable[..., Any], name: str) -> None:
    """Where an edit does not exist, or nobody knows whether its amount counts what is filled, nothing is sent."""
    exchange = recorded(name)
    edit = EditPayload(symbol=exchange.symbol, order_id="1", price=Decimal(21))
    with pytest.raises(Rejected, match=r"edit|triggerPrice"):
        await Client(exchange).edit_order(edit, exchange.client_order_id)
    assert exchange.sent == []


@pytest.mark.parametrize("name", ["binanceusdm", "kucoin", "okx", "kraken", "gate", "coinbase", "hitbtc"])
async def test_an_edit_of_a_trigger_that_ccxt_does_not_translate_is_rejected(
    recorded: Callable[..., Any], name: str
) -> None:
    """The exchange would ignore it, and the answer would say done."""
    exchange = recorded(name)
    edit = EditPayload(symbol=exchange.symbol, order_id="1", amount_base=Decimal(10), trigger_price=Decimal(21))
    with pytest.raises(Rejected, match=r"edit|triggerPrice"):
        await Client(exchange).edit_order(edit, exchange.client_order_id)
    assert exchange.sent == []
