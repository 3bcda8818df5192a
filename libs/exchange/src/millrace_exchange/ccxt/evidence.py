"""What an answer proves; no other module makes orders, trades or balances of an answer about an account. Pure.

ccxt makes an order, or an empty list, of almost any body: of a page of HTML, of `{}`, of another order's record. So an
answer counts only if it has the shape and the identity that were asked for: the symbol, the exchange's id or ours, and
an id that the exchange itself sent. Anything else is no evidence: the outcome of a change is then unknown, and a
question may be asked again.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple, NoReturn

from ccxt.base.errors import BadResponse

from millrace_core.market import Balances, ExchangePosition, Trade
from millrace_core.orders import Order
from millrace_exchange.ccxt.classification import classify
from millrace_exchange.ccxt.conversion import balances_of, order_of, positions_of, trade_of
from millrace_exchange.ccxt.recording.sending import NOTHING, Sending
from millrace_exchange.profile import ExchangeProfile

_MESSAGES: Final = frozenset({"error", "errors", "message", "msg"})
"""Fields that are empty where nothing is wrong: no rows stand in them."""
_NO_IDS: Final = frozenset({"", "None", "null", "undefined"})


class Asked(NamedTuple):
    """What the order in an answer must be; None where any will do."""

    symbol: str | None = None
    order_id: str | None = None
    client_order_id: str | None = None
    side: str | None = None
    by_our_id: bool = False
    """Whether the order was asked for by our id, so that the answer must carry it."""


class Evidence:
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
        if not isinstance(answer, Mapping) or not _is_id(answer.get("id")):
            self._prove_nothing("the answer names no order")
        self._check_identity(answer, asked)
        content = answer.get("info") if self._sending.content is NOTHING else self._sending.content
        if answer["id"] not in _texts(content):
            self._prove_nothing(f"the answer does not mention the order {answer['id']}")
        return order_of(answer)

    def _check_identity(self, answer: Mapping[str, Any], asked: Asked) -> None:
        for name, wanted in (("symbol", asked.symbol), ("id", asked.order_id), ("side", asked.side)):
            if wanted is not None and answer.get(name) not in (None, wanted):
                self._prove_nothing(f"the answer is about another order: its {name} is {answer[name]}, not {wanted}")
        ours, wanted = answer.get("clientOrderId"), asked.client_order_id
        if wanted is not None and ours != wanted and (ours is not None or asked.by_our_id):
            self._prove_nothing(f"the answer is about another order: its client order id is {ours}, not {wanted}")

    def orders(self, answer: Any, symbol: str | None) -> list[Order]:
        """Return the orders that ccxt read from a list.

        Raises:
            OutcomeUnknown, Retryable: the answer does not prove them.
        """
        rows = self._rows(answer, symbol)
        if not all(_is_id(row.get("id")) for row in rows):
            self._prove_nothing("the answer names no order")
        if self._sending.content is not NOTHING:
            sent = frozenset(_texts(self._sending.content))
            if unsent := [row["id"] for row in rows if row["id"] not in sent]:
                self._prove_nothing(f"the answer does not mention the orders {', '.join(unsent)}")
        return [order_of(row) for row in rows]

    def trades(self, answer: Any, symbol: str | None) -> list[Trade]:
        """Return the account's own trades that ccxt read from a list.

        Raises:
            Retryable: the answer does not prove them.
        """
        return self._converted(trade_of, self._rows(answer, symbol))

    def positions(self, answer: Any) -> list[ExchangePosition]:
        """Return the positions that ccxt read from a list.

        Raises:
            Retryable: the answer does not prove them.
        """
        if not isinstance(answer, list) or not (answer or self._holds_rows()):
            self._prove_nothing("the answer is no list")
        return positions_of(answer)

    def balances(self, answer: Any) -> Balances:
        """Return the balances that ccxt read.

        Raises:
            Retryable: the answer does not prove them.
        """
        balances = balances_of(answer) if isinstance(answer, Mapping) else {}
        if not balances and not self._holds_rows():
            self._prove_nothing("the answer holds no balances")
        return balances

    def _rows(self, answer: Any, symbol: str | None) -> list[Mapping[str, Any]]:
        lists, content = self._profile.lists, self._sending.content
        if not isinstance(answer, list) or not all(isinstance(row, Mapping) for row in answer):
            self._prove_nothing("the answer is no list")
        if content is not NOTHING and lists.are_bare not in (None, isinstance(content, list)):
            self._prove_nothing("the answer has another form than this question's")
        is_foreign = self._sending.holds_foreign_rows and not lists.are_of_all_symbols
        if symbol is not None and (is_foreign or any(row.get("symbol") != symbol for row in answer)):
            self._prove_nothing(f"the answer is about another symbol than {symbol}")
        if not answer and not self._holds_rows():
            self._prove_nothing("the answer holds no list")
        return answer

    def _holds_rows(self) -> bool:
        """Tell whether the answer is or holds a list, or something that may stand in its place."""
        content = self._sending.content
        return content is NOTHING or isinstance(content, list) or _holds_rows(content)

    def _converted(self, convert: Callable[[Mapping[str, Any]], Any], rows: list[Mapping[str, Any]]) -> list[Any]:
        try:
            return [convert(row) for row in rows]
        except (LookupError, TypeError, ValueError) as error:
            self._prove_nothing(f"a row cannot be read: {error!r}")

    def _prove_nothing(self, why: str) -> NoReturn:
        raise classify(self._profile, self._action, BadResponse(why))


def _is_id(value: Any) -> bool:
    return type(value) is str and value not in _NO_IDS


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


def _holds_rows(content: Any) -> bool:
    """Tell whether an object holds something in which rows could stand: a list, an object, or null in their place."""
    if not isinstance(content, Mapping):
        return False
    return any(_may_be_rows(value) for name, value in content.items() if name not in _MESSAGES)


def _may_be_rows(value: Any) -> bool:
    if isinstance(value, Mapping) and value:
        return _holds_rows(value)
    return value is None or isinstance(value, Mapping | list)
