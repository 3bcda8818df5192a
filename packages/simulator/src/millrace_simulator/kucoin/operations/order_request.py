"""A new order, from parameters to the venue's request. Source: KuCoin's specification, `POST /api/v1/hf/orders`."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from millrace_matching import OrderType, SelfTradePrevention, Side, TimeInForce
from millrace_simulator.kucoin import errors
from millrace_simulator.kucoin.parameters import CLIENT_ID, Parameters
from millrace_simulator.venue import Instrument, OrderRequest

MOST_REMARK = 20
"""Characters of a remark or a tag."""
_PREVENTION = {
    "CN": SelfTradePrevention.EXPIRE_TAKER,
    "CO": SelfTradePrevention.EXPIRE_MAKER,
    "CB": SelfTradePrevention.EXPIRE_BOTH,
}
PREVENTION_NAMES = {mode: name for name, mode in _PREVENTION.items()}
_WAITING = {
    ("loss", Side.SELL): (OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT),
    ("entry", Side.BUY): (OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT),
    ("loss", Side.BUY): (OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT),
    ("entry", Side.SELL): (OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT),
}
"""(market, limit): `loss` waits for the price to fall, `entry` for it to rise."""


def read_order(parameters: Parameters, instrument: Instrument) -> OrderRequest:
    """Return the order that the parameters ask for; the venue checks the symbol's rules and balances.

    Raises:
        KucoinError: a field is missing or wrong, or asks for what is not served here.
    """
    _refuse_unserved(parameters)
    side = Side(parameters.choice("side", Side, "").upper())
    at_market = parameters.choice("type", ("limit", "market"), "limit") == "market"
    quantity, funds = _read_size(parameters, instrument, at_market=at_market)
    in_force, lifetime_s = _read_time_in_force(parameters)
    post_only = parameters.boolean("postOnly") and in_force is TimeInForce.GTC
    kind = OrderType.MARKET if at_market else OrderType.LIMIT_MAKER if post_only else OrderType.LIMIT
    return OrderRequest(
        symbol=instrument.symbol,
        side=side,
        type=kind,
        quantity=quantity,
        quote_quantity=funds,
        price=None if at_market else _read_price(parameters, "price"),
        time_in_force=None if at_market else in_force,
        client_order_id=_read_client_id(parameters),
        self_trade_prevention=_read_prevention(parameters),
        hidden=parameters.boolean("hidden"),
        lifetime_s=None if at_market else lifetime_s,
        remark=_read_short(parameters, "remark"),
        tags=_read_short(parameters, "tags"),
    )


def read_stop_order(parameters: Parameters, instrument: Instrument) -> OrderRequest:
    """Return the stop order that the parameters ask for; one whose price is reached already does not wait.

    Without `stop` the order waits for the price to move to `stopPrice` from where it is.
    """
    request = read_order(parameters, instrument)
    stop_price = _read_price(parameters, "stopPrice")
    last = instrument.scale.price(instrument.last_price)
    direction = parameters.choice("stop", ("loss", "entry"), "loss" if stop_price < last else "entry")
    if request.quantity is None:
        raise errors.refused("A stop order by funds is not supported.")
    if request.type is OrderType.LIMIT_MAKER:
        raise errors.refused("A post-only stop order is not supported.")
    if last <= stop_price if direction == "loss" else last >= stop_price:
        return request
    market, limit = _WAITING[direction, request.side]
    return replace(request, type=market if request.type is OrderType.MARKET else limit, stop_price=stop_price)


def _refuse_unserved(parameters: Parameters) -> None:
    if parameters.boolean("iceberg"):
        raise errors.refused("Iceberg orders are not supported.")
    if (parameters.text("tradeType") or "TRADE") != "TRADE":
        raise errors.refused("Margin trading is not supported.")
    if parameters.text("stp") == "DC":
        raise errors.refused("The self-trade prevention DC is not supported.")


def _read_price(parameters: Parameters, name: str) -> Decimal:
    price = parameters.decimal(name)
    if not price:
        raise errors.missing(name)
    return price


def _read_size(
    parameters: Parameters, instrument: Instrument, *, at_market: bool
) -> tuple[Decimal | None, Decimal | None]:
    size, funds = parameters.decimal("size"), parameters.decimal("funds")
    if not at_market or size is not None:
        if size is None:
            raise errors.missing("size")
        if funds is not None and at_market:
            raise errors.bad_parameter("size and funds can not be used together")
        if size < instrument.rules.lot_size:
            raise errors.refused("Order size below the minimum requirement.")
        return size, None
    if funds is None:
        raise errors.missing("size")
    if funds % (instrument.scale.tick * instrument.scale.lot):
        raise errors.refused("Funds increment invalid.")
    return None, funds


def _read_time_in_force(parameters: Parameters) -> tuple[TimeInForce, int | None]:
    """Return how long the order stands; GTT is GTC with a lifetime, s."""
    name = parameters.choice("timeInForce", ("GTC", "GTT", "IOC", "FOK"), "GTC")
    if name != "GTT":
        return TimeInForce(name), None
    seconds = parameters.integer("cancelAfter")
    if seconds is None or seconds <= 0:
        raise errors.missing("cancelAfter")
    return TimeInForce.GTC, seconds


def _read_client_id(parameters: Parameters) -> str | None:
    client_id = parameters.text("clientOid")
    if client_id is not None and not CLIENT_ID.fullmatch(client_id):
        raise errors.bad_parameter("clientOid only supports numbers, letters, underline(_), and separator(-)")
    return client_id


def _read_prevention(parameters: Parameters) -> SelfTradePrevention | None:
    if parameters.text("stp") is None:
        return None
    return _PREVENTION[parameters.choice("stp", _PREVENTION, "")]


def _read_short(parameters: Parameters, name: str) -> str | None:
    text = parameters.text(name)
    if text is not None and (len(text) > MOST_REMARK or not text.isascii()):
        raise errors.bad_parameter(f"{name} is longer than {MOST_REMARK} ASCII characters")
    return text
