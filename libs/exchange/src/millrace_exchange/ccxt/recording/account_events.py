"""The events of an account's orders and trades, as the exchange means them."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from millrace_core.decimals import number
from millrace_core.market import Trade
from millrace_core.orders import Order
from millrace_exchange.ccxt.conversion import ANSWERED, order_of, trade_of
from millrace_exchange.misread_events import MisreadEvents, MixedEvents
from millrace_exchange.whole_orders import is_whole

Row = Mapping[str, Any]


class AccountEvents:
    """Reads what ccxt has made of one exchange's events, and mends what it misreads."""

    def __init__(self, ccxt: Any, misread: MisreadEvents) -> None:
        self._ccxt = ccxt
        self._misread = misread
        self._symbols: OrderedDict[Any, Any] = OrderedDict()
        """The market of each recent order, by its id, where not every event names it."""

    def order(self, row: Row) -> Order:
        """Return an order.

        Raises:
            ValueError: it has no id.
        """
        order = self._as_meant(row)
        names, record = self._misread.value_left, row.get("info")
        if order.status != "canceled" or not names:
            return order
        left = next((text for name in names if (text := self._text(record, name))), None)
        step = (self._ccxt.markets.get(order.symbol) or {"precision": {}})["precision"].get("amount")
        return msgspec.structs.replace(order, status="closed") if is_whole(order, left, step) else order

    def _as_meant(self, row: Row) -> Order:
        fields = self._fields(row.get("info"))
        if not fields:
            return order_of(row)
        texts = {name: self._text(row.get("info"), field) for name, field in fields.items()}
        numbers = {name: text for name, text in texts.items() if name in _NUMBERS}
        mended = {name: None if text is None else number(text) for name, text in numbers.items()}
        return order_of({**row, **texts, **mended, ANSWERED: {**row.get(ANSWERED, {}), **numbers}})

    def trade(self, row: Row) -> Trade:
        """Return one of the account's own trades."""
        misread = self._misread
        if misread.trade:
            row = self._ccxt.safe_trade({**row, **dict.fromkeys(misread.trade)}, self._ccxt.markets.get(row["symbol"]))
        if misread.fees_are_changes or misread.fee_currency:
            # ccxt has the same one in a list too.
            row = {**row, "fee": self._fee(row), "fees": []}
        return trade_of(row)

    def _fields(self, record: Any) -> Mapping[str, str | None]:
        """Return what of an order is read otherwise than ccxt does."""
        valued, fields = self._misread.valued_orders, self._misread.order
        if valued is None or self._text(record, valued.field) != valued.value:
            return fields
        return {**fields, **dict.fromkeys(_AMOUNTS), "cost": valued.executed}

    def correct(self, frame: Any) -> None:
        """Leave wallets that orders do not use out of a frame about balances."""
        wallet = self._misread.wallet
        if wallet is not None and isinstance(frame, dict) and frame.get("channel") == "balances":
            rows = [_of_wallet(row, wallet) for row in frame.get("data") or ()]
            frame["data"] = [row for row in rows if row is not None]
        if self._misread.listed_wallet is not None and isinstance(frame, list) and frame[1:2] in (["ws"], ["wu"]):
            listed = frame[2] if frame[1] == "ws" else [frame[2]]
            frame[1:] = ["ws", [row for row in listed if row[0] == self._misread.listed_wallet]]

    def parts(self, frame: Any) -> list[Any]:
        """Return a frame as ccxt can read it: orders and trades apart, each of its market; a trade is of its order too.

        Without that an order's fill would come with the next answer, and so would its end.
        """
        mixed = self._misread.mixed
        if mixed is None or not isinstance(frame, dict) or frame.get("channel") != mixed.channel:
            return [frame]
        rows = [self._with_symbol(row, mixed) for row in frame.get("data") or ()]
        trades = [row for row in rows if row.get(mixed.kind) == mixed.trade]
        orders = [{**row, mixed.kind: None} for row in rows if row not in trades or row.get(mixed.filled) is not None]
        return [{**frame, "data": part} for part in (trades, orders) if part]

    def _with_symbol(self, row: Row, mixed: MixedEvents) -> Row:
        order_id, symbol = row.get(mixed.order_id), row.get(mixed.symbol)
        if symbol is None:
            return {**row, mixed.symbol: self._symbols.get(order_id)}
        self._symbols[order_id] = symbol
        self._symbols.move_to_end(order_id)
        if len(self._symbols) > _KEPT:
            self._symbols.popitem(last=False)
        return row

    def _fee(self, row: Row) -> Row | None:
        fee, misread = row.get("fee"), self._misread
        if not fee or fee.get("cost") is None:
            return None
        if misread.fees_are_changes:
            fee = {**fee, "cost": _opposite(fee["cost"])}
        if misread.fee_currency is not None:
            fee = {**fee, "currency": self._ccxt.safe_currency_code(self._text(row["info"], misread.fee_currency))}
        return fee

    def _text(self, record: Any, field: str | None) -> str | None:
        return self._ccxt.safe_string(record, field) if isinstance(record, Mapping) and field is not None else None


def _of_wallet(row: Row, wallet: tuple[str, str]) -> Row | None:
    """Return what a record says of a wallet; None if it is about another."""
    if (wallets := row.get("wallets")) is not None:
        return {**row, "balance": next((each["balance"] for each in wallets if _wallet(each, "") == wallet), 0)}
    return row if _wallet(row, "wallet_") == wallet else None


def _wallet(record: Row, prefix: str) -> tuple[Any, Any]:
    return record.get(f"{prefix}type"), record.get(f"{prefix}id")


def _opposite(cost: float) -> float:
    """Return a number with the other sign and every digit."""
    text = str(cost)
    return number(text.removeprefix("-") if text.startswith("-") else f"-{text}") if cost else 0.0


_KEPT: Final = 10_000
_AMOUNTS: Final = ("amount", "filled", "remaining", "average")
_NUMBERS: Final = ("price", "triggerPrice", "amount", "filled", "remaining", "average", "cost")
