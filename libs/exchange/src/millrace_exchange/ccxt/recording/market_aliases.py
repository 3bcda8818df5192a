"""Markets that share a book: the exchange may send what was asked for of one under the other's name."""

from collections.abc import Collection, Mapping
from typing import Any


class MarketAliases:
    """Names what one exchange's sockets bring of markets as it was asked for."""

    def __init__(self, ccxt: Any, channels: Collection[str]) -> None:
        """`channels` are those in which other names come."""
        self._ccxt = ccxt
        self._channels = channels

    def parts(self, frame: Any, client: Any) -> list[Any]:
        """Return a frame for each of the markets that were asked for over its connection and that it is about."""
        if not (self._channels and isinstance(frame, dict) and frame.get("channel") in self._channels):
            return [frame]
        market_id = next(filter(None, map(_market_id, frame.get("events") or ())), None)
        alias = self._alias_of(market_id)
        if alias is None or not self._is_asked_for(alias, client):
            return [frame]
        renamed = _renamed(frame, market_id, alias)
        if not self._is_asked_for(market_id, client):
            return [renamed]
        # Its number was counted with the first.
        return [frame, {name: value for name, value in renamed.items() if name != "sequence_num"}]

    def _alias_of(self, market_id: Any) -> str | None:
        listed = (self._ccxt.markets_by_id or {}).get(market_id)
        return listed[0].get("alias") if listed else None

    def _is_asked_for(self, market_id: Any, client: Any) -> bool:
        ending = f"::{self._ccxt.safe_symbol(market_id)}"
        return any(name.endswith(ending) for name in client.subscriptions)


def _market_id(event: Mapping[str, Any]) -> Any:
    rows = [event, *(row for rows in event.values() if isinstance(rows, list) for row in rows)]
    return next((row["product_id"] for row in rows if "product_id" in row), None)


def _renamed(node: Any, name: Any, other: str) -> Any:
    """Return a frame with another name of its market."""
    if isinstance(node, dict):
        return {
            key: other if key == "product_id" and value == name else _renamed(value, name, other)
            for key, value in node.items()
        }
    return [_renamed(each, name, other) for each in node] if isinstance(node, list) else node
