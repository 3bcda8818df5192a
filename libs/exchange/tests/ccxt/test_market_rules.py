from decimal import Decimal
from typing import Any

from millrace_core.requests import CreatePayload, EditPayload
from millrace_exchange import Exchange
from millrace_exchange.ccxt.market_rules import misfits


def limit(**terms: Any) -> CreatePayload:
    """An order whose numbers fit, but for what is given."""
    fitting = {"amount_base": Decimal("1.01"), "price": Decimal("12.345")}
    return CreatePayload(**({"symbol": "KCS/USDT", "side": "buy", "type": "limit"} | fitting | terms))


async def test_numbers_that_fit_are_left_alone(exchange: Exchange) -> None:
    """Multiples of lot and tick fit, however they are written."""
    assert misfits(exchange, limit()) == []
    assert misfits(exchange, limit(amount_base=Decimal("1.0100"), price=Decimal("1E+1"))) == []


async def test_each_number_that_would_be_rounded_is_named(exchange: Exchange) -> None:
    """Amount, price and trigger are told with what they must be multiples of; so is what would become nothing."""
    order = limit(amount_base=Decimal("1.005"), price=Decimal("12.3456"), trigger_price=Decimal("0.0001"))
    amount, price, trigger = misfits(exchange, order)
    assert "the lot of KCS/USDT is 0.01" in amount
    assert "the tick of KCS/USDT is 0.001" in price
    assert trigger.startswith("triggerPrice 0.0001")
    assert len(misfits(exchange, EditPayload(symbol="KCS/USDT", order_id="1", amount_base=Decimal("0.001")))) == 1


async def test_what_is_not_sent_need_not_fit(exchange: Exchange) -> None:
    """A market order's expected price may be any; a symbol that is not listed is for the exchange to refuse."""
    assert misfits(exchange, limit(type="market", price=Decimal("12.34567"))) == []
    assert misfits(exchange, limit(symbol="NO/SUCH", amount_base=Decimal("0.000001"))) == []
