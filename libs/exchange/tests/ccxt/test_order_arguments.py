from decimal import Decimal

import msgspec
import pytest

from millrace_core.names import ExchangeId
from millrace_core.requests import CancelPayload, CreatePayload, EditPayload
from millrace_exchange import Rejected
from millrace_exchange.ccxt.order_arguments import DECIDED, create_arguments, edit_params, further_params
from millrace_exchange.profile import ExchangeProfile
from millrace_exchange.profiles import profile_of

BYBIT = ExchangeProfile(exchange=ExchangeId("bybit"))
BINANCE = profile_of(ExchangeId("binance"))

MARKET = CreatePayload(symbol="KCS/USDT", side="buy", type="market", amount_base=Decimal(1), price=Decimal(25))


def test_the_expected_price_of_a_market_order_is_not_sent() -> None:
    """Ccxt would turn the amount into a cost; only where an exchange needs it is it given."""
    assert create_arguments(BYBIT, MARKET, "id", market_buy_requires_price=False).price is None
    assert create_arguments(BYBIT, MARKET, "id", market_buy_requires_price=True).price == 25


def test_a_market_order_in_quote_currency_says_its_cost() -> None:
    """The cost travels as ccxt's unified parameter."""
    quote = msgspec.structs.replace(MARKET, amount_base=None, amount_quote=Decimal(100))
    assert create_arguments(BYBIT, quote, "id", market_buy_requires_price=False).params["cost"] == "100"


def test_everything_that_was_asked_for_reaches_ccxt() -> None:
    """Terms become ccxt's unified parameters, in addition to our id and the sender's parameters."""
    payload = CreatePayload(
        symbol="KCS/USDT",
        side="sell",
        type="limit",
        amount_base=Decimal("1.5"),
        price=Decimal("10.25"),
        time_in_force="IOC",
        post_only=True,
        reduce_only=True,
        trigger_price=Decimal(11),
        params={"selfTradePrevention": "EXPIRE_MAKER"},
    )
    arguments = create_arguments(BYBIT, payload, "our-id", market_buy_requires_price=False)
    assert arguments[:5] == ("KCS/USDT", "limit", "sell", Decimal("1.5"), Decimal("10.25"))
    assert arguments.params == {
        "selfTradePrevention": "EXPIRE_MAKER",
        "clientOrderId": "our-id",
        "timeInForce": "IOC",
        "postOnly": True,
        "reduceOnly": True,
        "triggerPrice": "11",
    }


def test_binance_is_sent_its_own_names_alone() -> None:
    """Over its WebSocket API ccxt would send unified parameters too, and Binance refuses what it does not know."""
    order = msgspec.structs.replace(MARKET, type="limit", post_only=True, trigger_price=Decimal("0.00000011"))
    arguments = create_arguments(BINANCE, order, "our-id", market_buy_requires_price=False)
    assert arguments.type == "LIMIT_MAKER"
    assert arguments.params == {"newClientOrderId": "our-id", "stopPrice": "0.00000011"}


@pytest.mark.parametrize("name", ["quantity", "symbol", "side", "newClientOrderId", "recvWindow", *sorted(DECIDED)])
def test_parameters_cannot_replace_what_was_decided(name: str) -> None:
    """Laid over the order by ccxt, they would place another than risk approved, or under another id."""
    with pytest.raises(Rejected, match=rf"params\.{name} is not allowed"):
        create_arguments(
            BINANCE, msgspec.structs.replace(MARKET, params={name: "1"}), "id", market_buy_requires_price=False
        )
    with pytest.raises(Rejected):
        edit_params(BINANCE, EditPayload(symbol="KCS/USDT", order_id="1", price=Decimal(2), params={name: "1"}), "id")
    with pytest.raises(Rejected):
        further_params(BINANCE, "cancelOrder", CancelPayload(symbol="KCS/USDT", order_id="1", params={name: "1"}))
