from decimal import Decimal
from math import inf, nan
from typing import Any

import msgspec
import pytest

from millrace_core.names import ExchangeId
from millrace_core.requests import CancelPayload, CreatePayload, EditPayload
from millrace_exchange import Rejected
from millrace_exchange.ccxt.order_arguments import create_arguments, edit_params, further_params
from millrace_exchange.profile import ExchangeProfile
from millrace_exchange.profiles import profile_of

PLAIN = ExchangeProfile(
    exchange=ExchangeId("plain"),
    quote_amounts=frozenset({"buy", "sell"}),
    trigger_orders=True,
    free_parameters=frozenset({"selfTradePrevention"}),
)
"""An exchange that knows every kind of order, under ccxt's own names."""
UNKNOWN = ExchangeProfile(exchange=ExchangeId("unknown"))
BINANCE = profile_of(ExchangeId("binance"))

_CHANGING = """
quantity symbol side newClientOrderId recvWindow newSize newPx order_configuration cancelReplaceMode tgtCcy marketUnit
oflags trailingPercent stopLoss closePosition portfolioMargin account test newOrderRespType
"""
CHANGING = _CHANGING.split()
"""Parameters of several exchanges that change an order's size, price, kind, account, endpoint or answer."""

MARKET = CreatePayload(symbol="KCS/USDT", side="buy", type="market", amount_base=Decimal(1), price=Decimal(25))


def test_the_expected_price_of_a_market_order_is_not_sent() -> None:
    """Ccxt would turn the amount into a cost."""
    assert create_arguments(PLAIN, MARKET, "id", is_spot=True).price is None


def test_a_market_order_in_quote_currency_says_its_cost() -> None:
    """The cost travels as ccxt's unified parameter."""
    quote = msgspec.structs.replace(MARKET, amount_base=None, amount_quote=Decimal(100))
    assert create_arguments(PLAIN, quote, "id", is_spot=True).params["cost"] == "100"


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
    arguments = create_arguments(PLAIN, payload, "our-id", is_spot=True)
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
    order = msgspec.structs.replace(MARKET, type="limit", params={"selfTradePrevention": "EXPIRE_TAKER"})
    maker = create_arguments(BINANCE, msgspec.structs.replace(order, post_only=True), "our-id", is_spot=True)
    stop = create_arguments(
        BINANCE,
        msgspec.structs.replace(order, trigger_price=Decimal("0.00000011")),
        "our-id",
        is_spot=True,
    )
    assert maker.type == "LIMIT_MAKER"
    assert maker.params == {"newClientOrderId": "our-id", "selfTradePreventionMode": "EXPIRE_TAKER"}
    assert stop.params == maker.params | {"stopPrice": "0.00000011"}


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"amount_base": None, "amount_quote": Decimal(100)}, "amountQuote"),
        ({"amount_base": None, "amount_quote": Decimal(100), "side": "sell"}, "amountQuote"),
        ({"type": "limit", "trigger_price": Decimal(11)}, "triggerPrice"),
    ],
)
def test_what_a_profile_does_not_know_how_to_place_is_rejected(terms: dict[str, Any], field: str) -> None:
    """100 USDT must never be sent as 100 of base, nor a stop as an order that executes at once."""
    with pytest.raises(Rejected, match=f"payload.{field}"):
        create_arguments(UNKNOWN, msgspec.structs.replace(MARKET, **terms), "id", is_spot=True)


def test_a_trigger_price_is_not_changed_where_triggers_are_not_known() -> None:
    """Sent under a name that the exchange does not have, it would change nothing, and the answer would say done."""
    edit = EditPayload(symbol="KCS/USDT", order_id="1", trigger_price=Decimal(2))
    with pytest.raises(Rejected, match=r"payload\.triggerPrice"):
        edit_params(UNKNOWN, edit, "id")
    assert edit_params(PLAIN, edit, "id")["triggerPrice"] == "2"


def test_one_parameter_under_two_names_is_rejected() -> None:
    """Which of the two counts would be a guess."""
    params = {"selfTradePrevention": "EXPIRE_MAKER", "selfTradePreventionMode": "EXPIRE_TAKER"}
    with pytest.raises(Rejected, match=r"params\.selfTradePreventionMode says the same as selfTradePrevention"):
        create_arguments(BINANCE, msgspec.structs.replace(MARKET, params=params), "id", is_spot=True)


@pytest.mark.parametrize("name", CHANGING)
def test_parameters_that_may_change_the_order_are_rejected(name: str) -> None:
    """Laid over the order by ccxt, they would place another than risk approved, elsewhere, or under another id."""
    with pytest.raises(Rejected, match=rf"params\.{name} is not allowed; allowed: selfTradePrevention"):
        create_arguments(BINANCE, msgspec.structs.replace(MARKET, params={name: "1"}), "id", is_spot=True)
    with pytest.raises(Rejected):
        edit_params(BINANCE, EditPayload(symbol="KCS/USDT", order_id="1", price=Decimal(2), params={name: "1"}), "id")
    with pytest.raises(Rejected):
        further_params(BINANCE, "cancelOrder", CancelPayload(symbol="KCS/USDT", order_id="1", params={name: "1"}))


@pytest.mark.parametrize("value", [None, {}, {"a": 1}, [], [1], inf, nan, 2**70])
def test_a_parameter_is_a_plain_value(value: object) -> None:
    """Anything else breaks the signature of the request, which stopped the account (-1022)."""
    payload = CancelPayload(symbol="KCS/USDT", order_id="1", params={"strategyId": value})
    with pytest.raises(Rejected, match=r"params\.strategyId must be a text, a finite number"):
        further_params(BINANCE, "cancelOrder", payload)


def test_a_number_among_the_parameters_has_no_exponent() -> None:
    """Printed as 5e-05 it would break the signature too."""
    payload = CancelPayload(symbol="KCS/USDT", order_id="1", params={"strategyId": 0.00005, "strategyType": True})
    assert further_params(BINANCE, "cancelOrder", payload) == {"strategyId": "0.00005", "strategyType": True}
