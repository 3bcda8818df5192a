"""Delivers positions and liquidations, which ccxt announces in several forms: a cache, a list, a single one.

A list of liquidations is announced once for each name that one could wait for: each is delivered once. A position is
delivered as often as it is announced, since each announcement is its whole state.
"""

from typing import Any

from ccxt.async_support.base.ws.cache import ArrayCache

from millrace_core.actions import LIQUIDATIONS, POSITIONS
from millrace_exchange.ccxt.conversion import liquidation_of, positions_of
from millrace_exchange.listeners import EventTimes, ExchangeListener

Row = dict[str, Any]


class ContractRecorder:
    """Keeps the listeners of one ccxt instance's positions and liquidations."""

    def __init__(self) -> None:
        self._positions: ExchangeListener | None = None
        self._liquidations: dict[str | None, ExchangeListener] = {}
        """By symbol."""
        self._newest: Row | None = None
        """The liquidation that was last delivered."""

    def add(self, action: str, symbol: str | None, listener: ExchangeListener) -> None:
        """Deliver to a listener from now on, if it is for one of these kinds."""
        if action == POSITIONS.name:
            self._positions = listener
        elif action == LIQUIDATIONS.name:
            self._liquidations[symbol] = listener

    def remove(self, action: str, symbol: str | None, listener: ExchangeListener) -> None:
        """Deliver nothing more to a listener."""
        if action == POSITIONS.name and self._positions is listener:
            self._positions = None
        elif action == LIQUIDATIONS.name and self._liquidations.get(symbol) is listener:
            del self._liquidations[symbol]

    def deliver(self, result: Any, received_ns: int) -> bool:
        """Deliver what ccxt announces; return False if it is of another kind, or nobody listens."""
        if self._positions is None and not self._liquidations:
            return False
        rows = _rows(result)
        if not (rows and isinstance(rows[-1], dict) and "contracts" in rows[-1]):
            return False
        if isinstance(result, ArrayCache):
            rows = _appended(result)
        if "baseValue" in (rows or _rows(result))[-1]:
            return self._liquidated(rows, received_ns)
        return self._held(rows, received_ns)

    def _held(self, rows: list[Row], received_ns: int) -> bool:
        if self._positions is not None and (positions := positions_of(rows)):
            self._positions.positions_changed(positions, EventTimes(positions[-1].timestamp, received_ns))
        return self._positions is not None

    def _liquidated(self, rows: list[Row], received_ns: int) -> bool:
        if rows and rows[-1] is not self._newest:
            self._newest = rows[-1]
            for symbol in dict.fromkeys(row["symbol"] for row in rows):
                if listener := self._liquidations.get(symbol):
                    own = [liquidation_of(row) for row in rows if row["symbol"] == symbol]
                    listener.liquidated(own, EventTimes(own[-1].timestamp, received_ns))
        return bool(self._liquidations)


def _rows(result: Any) -> list[Any]:
    if isinstance(result, ArrayCache):
        return list(result[-1:])
    return [result] if isinstance(result, dict) else result if isinstance(result, list) else []


def _appended(cache: Any) -> list[Row]:
    """Return what was appended since this was last asked, which stands until the next append."""
    if cache._clear_all_updates:
        return []
    count = cache.getLimit(None, None)
    return list(cache[-count:]) if count else []
