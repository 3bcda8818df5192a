from decimal import Decimal

import msgspec

from millrace_core.requests import CreatePayload
from millrace_exchange.ccxt.order_arguments import create_arguments
from millrace_exchange.profile import ClientOrderIds

IDS = ClientOrderIds()
MARKET = CreatePayload(symbol="KCS/USDT", side="buy", type="market", amount_base=Decimal(1), price=Decimal(25))


def test_the_expected_price_of_a_market_order_is_not_sent() -> None:
    """Ccxt would turn the amount into a cost; only where an exchange needs it is it given."""
    assert create_arguments(IDS, MARKET, "id", market_buy_requires_price=False).price is None
    assert create_arguments(IDS, MARKET, "id", market_buy_requires_price=True).price == 25.0


def test_a_market_order_in_quote_currency_says_its_cost() -> None:
    """The cost travels as ccxt's unified parameter."""
    quote = msgspec.structs.replace(MARKET, amount_base=None, amount_quote=Decimal(100))
    assert create_arguments(IDS, quote, "id", market_buy_requires_price=False).params["cost"] == 100.0


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
    arguments = create_arguments(IDS, payload, "our-id", market_buy_requires_price=False)
    assert arguments[:5] == ("KCS/USDT", "limit", "sell", 1.5, 10.25)
    assert arguments.params == {
        "selfTradePrevention": "EXPIRE_MAKER",
        "clientOrderId": "our-id",
        "timeInForce": "IOC",
        "postOnly": True,
        "reduceOnly": True,
        "triggerPrice": 11.0,
    }
