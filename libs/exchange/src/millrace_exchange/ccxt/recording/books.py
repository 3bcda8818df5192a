"""ccxt's order books, which keep the changes made since they were last taken."""

from typing import Any, NamedTuple

from ccxt.async_support.base.ws import order_book_side as ccxt_sides
from ccxt.async_support.base.ws.order_book import OrderBook

from millrace_core.market import Level
from millrace_exchange.ccxt.conversion import levels_of


class _Recording:
    """A side of levels with one absolute amount each."""

    def __init__(self, deltas: Any = (), depth: int | None = None) -> None:
        self.changes: list[Level] = []
        super().__init__(deltas, depth)  # type: ignore[call-arg]

    def storeArray(self, delta: list[Any]) -> None:  # noqa: N802 (ccxt's name)
        self.changes.append((delta[0], delta[1]))
        super().storeArray(delta)  # type: ignore[misc]

    def limit(self) -> None:
        # Feeds of a fixed depth never remove what falls out of it: ccxt does, by this call.
        self.changes.extend((level[0], 0.0) for level in self[self._depth :])  # type: ignore[attr-defined, index]
        super().limit()  # type: ignore[misc]

    def take_changes(self) -> list[Level]:
        """Return what changed since the last call, in order."""
        changes, self.changes = self.changes, []
        return changes


class _RecordingCounted(_Recording):
    """A side whose levels carry their number of orders: zero removes the level."""

    def storeArray(self, delta: list[Any]) -> None:  # noqa: N802
        self.changes.append((delta[0], delta[1] if delta[2] else 0.0))
        super(_Recording, self).storeArray(delta)  # type: ignore[misc]


class _RecordingIndexed(_Recording):
    """A side that holds single orders: a level's amount is the sum of those at its price."""

    def storeArray(self, delta: list[Any]) -> None:  # noqa: N802
        # An order may move: both the price that it leaves and the one that it goes to change.
        former = self._hashmap.get(delta[2])  # type: ignore[attr-defined]
        self.changes.extend((abs(price), 0.0) for price in (former, delta[0]) if price is not None)
        super(_Recording, self).storeArray(delta)  # type: ignore[misc]

    def take_changes(self) -> list[Level]:
        amounts = dict(levels_of(self))  # type: ignore[arg-type]
        return [(price, amounts.get(price, 0.0)) for price in dict(super().take_changes())]


class _Bids(_Recording, ccxt_sides.Bids):  # type: ignore[misc]
    pass


class _Asks(_Recording, ccxt_sides.Asks):  # type: ignore[misc]
    pass


class _CountedBids(_RecordingCounted, ccxt_sides.CountedBids):  # type: ignore[misc]
    pass


class _CountedAsks(_RecordingCounted, ccxt_sides.CountedAsks):  # type: ignore[misc]
    pass


class _IndexedBids(_RecordingIndexed, ccxt_sides.IndexedBids):  # type: ignore[misc]
    pass


class _IndexedAsks(_RecordingIndexed, ccxt_sides.IndexedAsks):  # type: ignore[misc]
    pass


class SideExtent(NamedTuple):
    """How far one side of a snapshot reached."""

    levels: int
    worst: float | None
    """The price farthest from the other side."""


class RecordedBook(OrderBook):  # type: ignore[misc]
    """An order book of ccxt's whose changes can be taken, message by message."""

    sides: tuple[type[Any], type[Any]] = (_Bids, _Asks)

    def __init__(self, snapshot: dict[str, Any] | None = None, depth: int | None = None) -> None:
        self.replaced = True
        """Whether the whole book is new since the changes were last taken."""
        self.delivered_nonce: int | None = None
        self.is_delivered = False
        """Whether it was ever delivered: before that it is being put together."""
        self.extents: tuple[SideExtent, SideExtent] = (SideExtent(0, None), SideExtent(0, None))
        """Of bids and asks, as the last snapshot had them."""
        levels = snapshot or {}
        bids, asks = (
            side(levels.get(name, ()), depth) for side, name in zip(self.sides, ("bids", "asks"), strict=True)
        )
        super().__init__({**levels, "bids": bids, "asks": asks}, depth)

    def reset(self, snapshot: dict[str, Any] | None = None) -> None:
        """Hold a snapshot and nothing else."""
        super().reset(snapshot or {})
        self.replaced = True
        bids, asks = (SideExtent(len(side), side[-1][0] if side else None) for side in (self["bids"], self["asks"]))
        self.extents = (bids, asks)

    def levels(self) -> tuple[list[Level], list[Level]]:
        """Return the whole book and forget the single changes that led to it."""
        self.replaced = False
        self["bids"].take_changes()
        self["asks"].take_changes()
        return levels_of(self["bids"]), levels_of(self["asks"])


class RecordedCountedBook(RecordedBook):
    """Levels that say how many orders they hold."""

    sides = (_CountedBids, _CountedAsks)


class RecordedIndexedBook(RecordedBook):
    """Single orders instead of levels."""

    sides = (_IndexedBids, _IndexedAsks)
