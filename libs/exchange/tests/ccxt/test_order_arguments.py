from decimal import Decimal

import msgspec
import pytest

from millrace_core.names import ExchangeId
from millrace_core.requests import CancelPayload, CreatePayload, EditPayload
from millrace_exchange import Rejected
from millrace_exchange.ccxt.order_arguments import DECIDED, create_arguments, edit_params, further_params
from millrace_exchange.profile import ExchangeProfile
from millrace_exchange.profiles import profile_of

BYBIT = ExchangeProfile(exchange=ExchangeId("bybit"), quote_amounts=frozenset({"buy", "sell"}), trigger_orders=True)
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
    """Terms become ccxt's unified parameters beside our own id and the sender's own parameters."""
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


@pytest.mark.parametrize("value", [{"a": 1}, [1], None, 2**63, float("inf")], ids=repr)
def test_a_parameter_that_cannot_be_signed_is_rejected(value: object) -> None:
    """Binance would answer that the signature is wrong, and that stops the account."""
    order = msgspec.structs.replace(MARKET, params={"strategyId": value})
    with pytest.raises(Rejected, match=r"\$\.payload\.params\.strategyId"):
        create_arguments(BINANCE, order, "our-id", market_buy_requires_price=False)


def test_a_small_parameter_is_sent_without_an_exponent() -> None:
    """What is signed and what is sent have the same digits."""
    order = msgspec.structs.replace(MARKET, params={"strategyId": 0.00005, "other": 1, "flag": True})
    params = create_arguments(BINANCE, order, "our-id", market_buy_requires_price=False).params
    assert (params["strategyId"], params["other"], params["flag"]) == ("0.00005", 1, True)
