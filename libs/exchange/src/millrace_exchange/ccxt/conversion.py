"""ccxt's dictionaries as the platform's own structures; the exchange's raw payload (`info`) stays behind.

Numbers have the digits that the exchange sent: those of orders as decimals, all others as floats that remember them.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from millrace_core.clock import LATEST_MS
from millrace_core.decimals import number
from millrace_core.market import Balance, Balances, ExchangePosition, Fee, Liquidation, Trade
from millrace_core.messages import decimal_of
from millrace_core.orders import FINAL_STATUSES, Order, OrderFee
from millrace_core.position import EXACT

CcxtDict = Mapping[str, Any]
ANSWERED: Final = "digits"
"""Key in ccxt's order that holds the exchange's own texts of its numbers; see `recording.digits`."""


def trade_of(trade: CcxtDict) -> Trade:
    """Return a trade, public or our own."""
    charged = _fees_of_trade(trade)
    return Trade(
        id=trade["id"],
        timestamp=trade["timestamp"],
        symbol=trade["symbol"],
        side=trade["side"],
        price=trade["price"],
        amount=trade["amount"],
        cost=trade.get("cost"),
        datetime=trade.get("datetime"),
        order=trade.get("order"),
        type=trade.get("type"),
        taker_or_maker=trade.get("takerOrMaker"),
        fee=charged[0] if len(charged) == 1 else None,
        fees=charged if len(charged) > 1 else (),
    )


def _fees_of_trade(trade: CcxtDict) -> tuple[Fee, ...]:
    """Return what a trade cost in each currency; nothing if that is not said, as of a public one."""
    by_currency: dict[str | None, Fee] = {}
    for fee in _charged(_listed_fees(trade)):
        currency, cost = fee.get("currency"), fee["cost"]
        known = by_currency.get(currency)
        by_currency[currency] = Fee(currency, cost, fee.get("rate")) if known is None else _sum(known, cost)
    return tuple(by_currency.values())


def _sum(fee: Fee, more: float) -> Fee:
    total = EXACT.add(decimal_of(fee.cost) or Decimal(0), decimal_of(more) or Decimal(0))
    return Fee(fee.currency, number(str(total)))


def _listed_fees(record: CcxtDict) -> list[CcxtDict]:
    """Return the fees of a trade or an order. ccxt has one in `fee`, and where there may be more all in `fees`."""
    return record.get("fees") or ([record["fee"]] if record.get("fee") else [])


def _charged(fees: Iterable[CcxtDict]) -> list[CcxtDict]:
    """Return the fees whose cost is said. Of several those of 0 are left out, as Gate sends for its own token."""
    known = [fee for fee in fees if fee.get("cost") is not None]
    return [fee for fee in known if float(fee["cost"])] or known[:1]


def cost_of(price: str, amount: str) -> float:
    """Return price times amount, with every digit."""
    return number(str(EXACT.multiply(Decimal(price), Decimal(amount))))


def order_of(order: CcxtDict) -> Order:
    """Return an order.

    Raises:
        ValueError: it has no id.
    """
    if order["id"] is None:
        raise ValueError("an order without an id")
    return Order(
        id=str(order["id"]),
        symbol=order.get("symbol"),
        client_order_id=order.get("clientOrderId"),
        timestamp=_time(order.get("timestamp")),
        datetime=order.get("datetime"),
        type=order.get("type"),
        side=order.get("side"),
        time_in_force=order.get("timeInForce"),
        post_only=order.get("postOnly"),
        reduce_only=order.get("reduceOnly"),
        price=_exact(order, "price"),
        # KuCoin sends 0 with an order that is no stop.
        trigger_price=_exact(order, "triggerPrice") or None,
        amount=_exact(order, "amount"),
        status=order.get("status") if order.get("status") in _STATUSES else None,
        filled=_exact(order, "filled"),
        remaining=_remaining(order),
        average=_exact(order, "average"),
        cost=_exact(order, "cost"),
        fees=_fees(order),
        last_trade_timestamp=_time(order.get("lastTradeTimestamp")),
        last_update_timestamp=_time(order.get("lastUpdateTimestamp")),
    )


# ccxt passes on what it does not know: that would outrank `open` whenever two reports are joined.
_STATUSES: Final = frozenset({"open", *FINAL_STATUSES})


def _time(value: Any) -> int | None:
    """Return a time, ms, that can be one; None for any other number that was sent in its place."""
    return value if type(value) is int and 0 <= value <= LATEST_MS else None


def _exact(order: CcxtDict, name: str) -> Decimal | None:
    """Return a number of an order with the digits that the exchange sent, zeros behind the last one left out."""
    value = order.get(name)
    if value is None:
        return None
    text = order.get(ANSWERED, {}).get(name)
    # ccxt corrects some numbers after it read them: then its own stands.
    rounded = float(value)
    return plain(Decimal(text) if text is not None and float(text) == rounded else Decimal(repr(rounded)))


def _remaining(order: CcxtDict) -> Decimal | None:
    # What ccxt works out where the exchange does not say has a float's digits.
    amount, filled = _exact(order, "amount"), _exact(order, "filled")
    if "remaining" in order.get(ANSWERED, {}) or amount is None or filled is None:
        return _exact(order, "remaining")
    return None if order.get("remaining") is None else plain(amount - filled)


def plain(number: Decimal) -> Decimal:
    """Return a number without an exponent and without zeros behind its last digit: 5, not 5.00000000 or 0E-8."""
    text = format(number, "f")
    return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)


def _fees(order: CcxtDict) -> list[OrderFee]:
    return [
        OrderFee(currency=fee.get("currency"), cost=decimal_of(fee["cost"]), rate=decimal_of(fee.get("rate")))
        for fee in _charged(_listed_fees(order))
    ]


def balances_of(balance: CcxtDict, net_field: str | None = None) -> Balances:
    """Return the balances by currency code; those of which nothing is said in all are omitted.

    Where the exchange's records have the field `net_field`, debts are taken off the totals already.
    """
    is_net = net_field is not None and any(isinstance(each, Mapping) and net_field in each for each in nodes(balance))
    return {
        code: Balance(held.get("free"), held.get("used"), held["total"], 0.0 if is_net else _debt(held))
        for code, held in balance.items()
        if code is not None and code not in _NO_CURRENCIES and isinstance(held, dict) and held.get("total") is not None
    }


def _debt(held: CcxtDict) -> float | None:
    # What is owed; an exchange may show it as a number below zero.
    return None if held.get("debt") is None else abs(held["debt"])


def nodes(tree: Any) -> Iterator[Any]:
    """Return every object and list in an answer."""
    waiting: list[Any] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Mapping | list):
            yield node
            waiting.extend(node.values() if isinstance(node, Mapping) else node)


_NO_CURRENCIES = frozenset({"info", "free", "used", "total", "debt", "timestamp", "datetime"})


def positions_of(positions: Iterable[CcxtDict]) -> list[ExchangePosition]:
    """Return positions; those of whose size nothing is said are omitted."""
    return [_position_of(position) for position in positions if position.get("contracts") is not None]


def _position_of(position: CcxtDict) -> ExchangePosition:
    return ExchangePosition(
        symbol=position["symbol"],
        side=position.get("side") if position.get("side") in _SIDES else None,
        margin_mode=position.get("marginMode"),
        contracts=abs(position["contracts"]),
        contract_size=position.get("contractSize"),
        hedged=position.get("hedged"),
        id=position.get("id"),
        timestamp=position.get("timestamp"),
        datetime=position.get("datetime"),
        entry_price=position.get("entryPrice"),
        mark_price=position.get("markPrice"),
        liquidation_price=position.get("liquidationPrice"),
        notional=position.get("notional"),
        leverage=position.get("leverage"),
        collateral=position.get("collateral"),
        initial_margin=position.get("initialMargin"),
        maintenance_margin=position.get("maintenanceMargin"),
        unrealized_pnl=position.get("unrealizedPnl"),
        realized_pnl=position.get("realizedPnl"),
    )


_SIDES = ("long", "short")


def liquidation_of(liquidation: CcxtDict) -> Liquidation:
    """Return a liquidation."""
    return Liquidation(
        symbol=liquidation["symbol"],
        timestamp=liquidation.get("timestamp"),
        side=liquidation.get("side"),
        price=liquidation.get("price"),
        contracts=liquidation.get("contracts"),
        contract_size=liquidation.get("contractSize"),
        base_value=liquidation.get("baseValue"),
        quote_value=liquidation.get("quoteValue"),
        datetime=liquidation.get("datetime"),
    )


def ticker_of(ticker: CcxtDict) -> dict[str, Any]:
    """Return the fields of a ticker that have a value."""
    return {name: value for name, value in ticker.items() if name != "info" and value is not None}


def levels_of(side: Iterable[Any]) -> list[tuple[float, float]]:
    """Return a book side's levels as pairs; orders at the same price, where ccxt keeps them apart, are summed."""
    amounts: dict[float, float] = {}
    for price, amount, *_ in side:
        amounts[price] = amounts.get(price, 0.0) + amount
    return list(amounts.items())


def sides_of(book: CcxtDict) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Return the bids and asks of a book."""
    return levels_of(book["bids"]), levels_of(book["asks"])
