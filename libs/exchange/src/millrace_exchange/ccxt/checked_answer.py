"""What an answer proves; no other module makes orders, trades or balances of an answer about an account. Pure.

ccxt makes an order, or an empty list, of almost any body: of a page of HTML, of `{}`, of another order's record. So an
answer counts only if it has the shape and the identity that were asked for: the symbol, the exchange's id or ours, and
an id that the exchange itself sent. Anything else is no evidence: the outcome of a change is then unknown, and a
question may be asked again.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple, NoReturn

from ccxt.base.errors import BadResponse

from millrace_core.clock import LATEST_MS
from millrace_core.market import Balances, ExchangePosition, Trade
from millrace_core.orders import Order
from millrace_core.requests import CreatePayload
from millrace_exchange.ccxt.classification import classify
from millrace_exchange.ccxt.conversion import balances_of, nodes, order_of, positions_of, trade_of
from millrace_exchange.ccxt.record_fees import with_all_fees
from millrace_exchange.ccxt.recording.sending import NOTHING, Sending
from millrace_exchange.errors import ExchangeError, OrderNotFound
from millrace_exchange.order_ids import Fields, is_order_id, is_same_id
from millrace_exchange.profile import ExchangeProfile

_MESSAGES: Final = frozenset({"error", "errors", "message", "msg"})
"""Fields that are empty where nothing is wrong: no rows stand in them."""
_OTHER_TYPE: Final = {"limit": frozenset({"market"}), "market": frozenset({"limit"})}
"""What ccxt calls neither, an exchange's own name of a stop for one, may be either."""
_ROUNDING: Final = 1e-9
"""The part of a number that it may lose as a float on its way; lots and ticks are coarser."""
_SIDES: Final = frozenset({"buy", "sell"})


class Asked(NamedTuple):
    """What the order in an answer must be; None where any will do."""

    symbol: str | None = None
    order_id: str | None = None
    client_order_id: str | None = None
    side: str | None = None
    by_our_id: bool = False
    """Whether the order was asked for by our id, so that the answer must carry it."""
    type: str | None = None
    amount: Decimal | None = None
    price: Decimal | None = None

    @classmethod
    def for_creation(cls, payload: CreatePayload, client_order_id: str) -> "Asked":
        """Return what the answer to a creation must be about; what a market order cost is no term of it."""
        is_plain = payload.trigger_price is None
        is_limit = payload.type == "limit" and is_plain
        return cls(
            payload.symbol,
            client_order_id=client_order_id,
            side=payload.side,
            type=payload.type if is_plain else None,
            amount=payload.amount_base if is_limit else None,
            price=payload.price if is_limit else None,
        )


class CheckedAnswer:
    """One answer of an exchange, to one question or change."""

    def __init__(self, profile: ExchangeProfile, action: str, sending: Sending) -> None:
        self._profile = profile
        self._action = action
        self._sending = sending

    def order(self, answer: Any, asked: Asked) -> Order:
        """Return the order that ccxt read from the answer.

        Raises:
            OutcomeUnknown, Retryable: the answer does not prove it.
        """
        if not isinstance(answer, Mapping) or not is_order_id(answer.get("id")):
            self._prove_nothing("the answer names no order")
        answer = self._under_its_own_id(answer)
        self._check_identity(answer, asked)
        self._check_fields(answer.get("info"), self._profile.required.order)
        if answer["id"] not in _texts(self._sending.contents or answer.get("info")):
            self._prove_nothing(f"the answer does not mention the order {answer['id']}")
        return self._order_of(answer)

    def size(self, answer: Sequence[Any]) -> int:
        """Return how many rows the exchange sent, with those that ccxt left out of the list: whether it was full."""
        return max(len(answer), len(self._sending.rows))

    @property
    def is_empty_list(self) -> bool:
        """Tell whether the exchange said that there is no such order by a list without one."""
        return self._profile.lists.hold_one_order and self._sending.content == []

    def _under_its_own_id(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return an order with its client order id in place of the cancel's own, where the answer has both."""
        field, record = self._profile.client_order_ids.in_cancels, order.get("info")
        ours = record.get(field) if field is not None and isinstance(record, Mapping) else None
        return {**order, "clientOrderId": ours} if ours else order

    def _check_identity(self, answer: Mapping[str, Any], asked: Asked) -> None:
        if asked.order_id is not None and not is_same_id(answer["id"], asked.order_id):
            self._prove_nothing(f"the answer is about another order: its id is {answer['id']}, not {asked.order_id}")
        for name, wanted in (("symbol", asked.symbol), ("side", asked.side)):
            if wanted is not None and answer.get(name) not in (None, wanted):
                self._prove_nothing(f"the answer is about another order: its {name} is {answer[name]}, not {wanted}")
        if asked.type is not None and answer.get("type") in _OTHER_TYPE.get(asked.type, ()):
            self._prove_nothing(f"the answer is about another order: its type is {answer['type']}, not {asked.type}")
        for name, number in (("amount", asked.amount), ("price", asked.price)):
            if number is not None and answer.get(name) is not None and not _is_about(answer[name], number):
                self._prove_nothing(f"the answer is about another order: its {name} is {answer[name]}, not {number:f}")
        ours, wanted = answer.get("clientOrderId"), asked.client_order_id
        if wanted is not None and ours != wanted and (ours is not None or asked.by_our_id):
            self._prove_nothing(f"the answer is about another order: its client order id is {ours}, not {wanted}")

    def orders(self, answer: Any, symbol: str | None) -> list[Order]:
        """Return the orders that ccxt read from a list.

        Raises:
            OutcomeUnknown, Retryable: the answer does not prove them.
        """
        asked, rows = self._list(answer, symbol, self._profile.required.order)
        if not all(is_order_id(row.get("id")) and _says_something(row) for row in rows):
            self._prove_nothing("the answer names no order")
        if self._sending.contents:
            sent = frozenset(_texts(self._sending.contents))
            if unsent := [row["id"] for row in asked if row["id"] not in sent]:
                self._prove_nothing(f"the answer does not mention the orders {', '.join(unsent)}")
        return [self._order_of(self._under_its_own_id(row)) for row in asked]

    def orders_sent(self, answer: Any, symbol: str | None) -> list[Order]:
        """Return the orders of a symbol, or of all, in a list, also those that ccxt left out of it for their time.

        Raises:
            Retryable: the answer does not prove them.
        """
        asked = self.orders(answer, symbol)
        rows = [row for row in self._sending.rows if symbol in (None, row.get("symbol"))]
        return [self._order_of(self._under_its_own_id(row)) for row in rows] or asked

    def _order_of(self, answer: Mapping[str, Any]) -> Order:
        order = order_of(with_all_fees(answer, self._profile.order_fees))
        if order.side is not None and order.side not in _SIDES:
            self._prove_nothing(f"the order's side is {order.side}")
        # What an edit may still trade is worked out of these.
        for name, number in (("amount", order.amount), ("filled", order.filled), ("price", order.price)):
            if number is not None and not number >= 0:
                self._prove_nothing(f"the order's {name} is {number:f}")
        return order

    def trades(self, answer: Any, symbol: str | None) -> list[Trade]:
        """Return the account's own trades that ccxt read from a list.

        Raises:
            Retryable: the answer does not prove them.
        """
        asked, rows = self._list(answer, symbol, self._profile.required.trade)
        if not all(map(_is_own_trade, rows)):
            self._prove_nothing("the answer holds no trade, or one of which it does not say what was traded, or when")
        return [trade_of(with_all_fees(row, self._profile.trade_fees)) for row in asked]

    def positions(self, answer: Any) -> list[ExchangePosition]:
        """Return the positions that ccxt read from a list.

        Raises:
            Retryable: the answer does not prove them.
        """
        if not isinstance(answer, list) or not (answer or self._holds_rows(frozenset())):
            self._prove_nothing("the answer is no list")
        if any(not _is_position(row) for row in answer):
            self._prove_nothing("the answer does not say how large a position is, or of which side")
        return positions_of(answer)

    def balances(self, answer: Any) -> Balances:
        """Return the balances that ccxt read.

        Raises:
            Retryable: the answer does not prove them.
        """
        if not isinstance(answer, Mapping):
            self._prove_nothing("the answer holds no balances")
        balances = balances_of(answer, self._profile.net_totals.get("fetchBalance"))
        totals = answer.get("total") or {}
        if not balances and not self._holds_rows(self._profile.lists.balances_in):
            self._prove_nothing("the answer holds no balances")
        if unsaid := [str(code) for code, total in totals.items() if code is None or total is None]:
            self._prove_nothing(f"the answer does not say how much is held of {', '.join(unsaid)}")
        self._check_fields(answer.get("info"), self._profile.required.balance)
        return balances

    def check_absence(self, error: OrderNotFound) -> None:
        """Return if an answer for which ccxt found no order says that there is none.

        Raises:
            Retryable: it does not say so.
        """
        is_said = self._sending.content is NOTHING or self._sending.is_refusal
        if not is_said and not self._holds_rows(self._profile.lists.rows_in):
            self._prove_nothing(str(error))

    def _list(
        self, answer: Any, symbol: str | None, required: Fields
    ) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
        """Return the rows that were asked for, and all rows of the answer."""
        lists, content = self._profile.lists, self._sending.content
        if not isinstance(answer, list) or not all(isinstance(row, Mapping) for row in answer):
            self._prove_nothing("the answer is no list")
        if content is not NOTHING and lists.are_bare not in (None, isinstance(content, list)):
            self._prove_nothing("the answer has another form than this question's")
        rows = self._sending.rows or answer
        known = answer if lists.are_of_all_symbols else rows
        if symbol is not None and any(row.get("symbol") != symbol for row in known):
            self._prove_nothing(f"the answer is about another symbol than {symbol}")
        if not rows and not self._holds_rows(lists.rows_in):
            self._prove_nothing("the answer holds no list")
        for row in rows:
            self._check_fields(row.get("info"), required)
        return answer, rows

    def _check_fields(self, record: Any, required: Fields) -> None:
        """Return if a record holds what the exchange always sends: ccxt makes up what is missing."""
        for sign, names in required.items():
            for node in nodes(record):
                if missing := sorted(
                    str(each) for each in names if _has(node, sign) and not _has(node, each, filled=True)
                ):
                    self._prove_nothing(f"the answer lacks {', '.join(missing)}")

    def _holds_rows(self, names: frozenset[str]) -> bool:
        """Tell whether the answer is an empty list, or holds something of that kind under one of the names."""
        content = self._sending.content
        if content is NOTHING or content == []:
            return True
        return not (self._profile.lists.are_bare and not names) and _holds_rows(content, names)

    def _prove_nothing(self, why: str) -> NoReturn:
        raise proves_nothing(self._profile, self._action, why)


def proves_nothing(profile: ExchangeProfile, action: str, why: str) -> ExchangeError:
    """Return the error for an answer that proves nothing: a change is then unknown, a question may be asked again."""
    return classify(profile, action, BadResponse(why))


def _is_own_trade(row: Mapping[str, Any]) -> bool:
    # How far back an answer reaches is told by the times of its trades.
    has_time = isinstance(at := row.get("timestamp"), int) and 0 < at <= LATEST_MS
    return has_time and row.get("price") is not None and row.get("amount") is not None and row.get("side") in _SIDES


def _is_about(answered: Any, number: Decimal) -> bool:
    return abs(float(answered) - float(number)) <= float(number) * _ROUNDING


def _has(node: Any, name: str | int, *, filled: bool = False) -> bool:
    """Tell whether an object has a field, or a list a place; or a value in it."""
    if isinstance(node, Mapping):
        return name in node and (not filled or node[name] not in (None, ""))
    is_place = isinstance(name, int) and name < len(node)
    return is_place and (not filled or node[name] not in (None, ""))


def _is_position(row: Any) -> bool:
    size = row.get("contracts")
    return size is not None and (not size or row.get("side") in ("long", "short"))


def _says_something(order: Mapping[str, Any]) -> bool:
    return order.get("status") is not None or order.get("amount") is not None


def _texts(tree: Any) -> Iterator[str]:
    """Return every name, text and whole number in an answer."""
    waiting: list[Any] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Mapping):
            yield from node
            waiting.extend(node.values())
        elif isinstance(node, list | tuple):
            waiting.extend(node)
        elif isinstance(node, str):
            yield node
        elif type(node) is int:
            yield str(node)


def _holds_rows(content: Any, names: frozenset[str]) -> bool:
    """Tell whether an object holds a list, an empty object, or null in their place, under one of the names; or any."""
    if not isinstance(content, Mapping):
        return False
    return any(
        (_may_be_rows(value) and (name in names or (not names and name not in _MESSAGES))) or _holds_rows(value, names)
        for name, value in content.items()
    )


def _may_be_rows(value: Any) -> bool:
    return value is None or value == {} or isinstance(value, list)
