"""Finds what ccxt made of events that come after newer ones: their places, and balances that they set back."""

from collections.abc import Iterator, Mapping
from typing import Any

from millrace_exchange.ccxt.conversion import nodes
from millrace_exchange.newest import Newest


class NewestBalances:
    """Keeps ccxt's balances as the newest event of each currency has them: one that came late would stay in them."""

    def __init__(self, ccxt: Any) -> None:
        self._ccxt = ccxt
        self._newest = Newest()
        self._held: dict[tuple[str, str], Any] = {}

    def is_late(self, balances: dict[str, Any]) -> bool:
        """Mend what an event has just set back; return whether that was all it said."""
        at, kind = own_time(balances), self._kind(balances)
        codes = {self._ccxt.safe_currency_code(text) for text in _said(balances.get("info")) if isinstance(text, str)}
        reported = [code for code in codes if isinstance(balances.get(code), dict)]
        late = {code for code in reported if self._newest.is_late((kind, code), at)}
        for code in reported:
            if code in late:
                balances[code] = self._held[kind, code]
            else:
                self._held[kind, code] = balances[code]
        return bool(reported) and len(late) == len(reported)

    def _kind(self, balances: dict[str, Any]) -> str:
        return next((kind for kind, known in self._ccxt.balance.items() if known is balances), "")


def place_of(fields: Mapping[str, Any], number_field: str | None) -> int | None:
    """Return the exchange's own number of a ticker or of best prices, or else its time; None if it has neither."""
    record = fields.get("info")
    number = record.get(number_field) if isinstance(record, Mapping) else None
    return number if type(number) is int else own_time(fields)


def own_time(state: Mapping[str, Any]) -> int | None:
    """Return the time, ms, of what ccxt made of an event, if the exchange said it: ccxt makes some up."""
    at = state.get("timestamp")
    is_said = type(at) is int and any(value in (at, str(at)) for value in _said(state.get("info")))
    return at if is_said else None


def _said(record: Any) -> Iterator[Any]:
    """Return every name, text and number in an exchange's own record."""
    for node in nodes(record):
        if isinstance(node, Mapping):
            yield from node
            yield from node.values()
        else:
            yield from node
