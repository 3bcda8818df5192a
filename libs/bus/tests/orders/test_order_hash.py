"""Where an order stands, by what stands there already."""

from millrace_bus.orders.order_hash import keys_of, place
from millrace_core.names import Tenant
from millrace_core.orders import Order, OrderRecord

KEYS = keys_of(Tenant("T"), "binance", "BTC/USDT", "7")
MINE = OrderRecord(Order("7", "BTC/USDT"), "binance", updated=1)
OF_ANOTHER_SYMBOL = OrderRecord(Order("7", "ETH/USDT"), "binance", updated=1)
OF_ANOTHER_EXCHANGE = OrderRecord(Order("7", "BTC/USDT"), "kucoin", updated=1)
NAMELESS = OrderRecord(Order("7"), "binance", updated=1)


def test_where_an_order_stands() -> None:
    """An order has the plain key unless another has it; it keeps the full key once that was used."""
    cases = [
        (None, None, (KEYS.plain, None)),
        (MINE, None, (KEYS.plain, MINE)),
        (NAMELESS, None, (KEYS.plain, NAMELESS)),
        (OF_ANOTHER_SYMBOL, None, (KEYS.full, None)),
        (OF_ANOTHER_EXCHANGE, None, (KEYS.full, None)),
        (OF_ANOTHER_SYMBOL, MINE, (KEYS.full, MINE)),
        (None, MINE, (KEYS.full, MINE)),
    ]
    for plain, full, found in cases:
        assert place(KEYS, plain, full, "binance", "BTC/USDT") == found
