"""Gap detection for order book frames, where the profile says that ccxt has none. Pure.

There ccxt applies every frame, and after a gap the book is silently wrong.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from millrace_exchange.profile import BookFeed, FrameNumbers

Frame = Mapping[str, Any]
"""A frame from a socket, decoded from JSON."""


class FrameSpan(NamedTuple):
    """The numbers that one frame covers in a chain of frames."""

    chain: str
    """What is numbered: a book, a subscription, a connection."""
    market_id: str | None
    """The exchange's name of the market; None where the chain carries several."""
    first: int
    last: int
    """The numbers that the frame covers."""
    is_whole: bool = False
    """Whether the frame holds the whole book, so that nothing need have come before it."""


class Gap(NamedTuple):
    """Proof that something is missing."""

    market_id: str | None
    """The market whose book is wrong; None for all books of this connection."""
    expected: int
    found: int

    def __str__(self) -> str:
        return f"expected frame {self.expected} of the exchange, received {self.found}"


class SequenceCheck(ABC):
    """Follows the chains of one connection. After a gap a chain is checked again once it was forgotten."""

    drops_old = False
    """Whether ccxt itself leaves out frames that are older than its book; elsewhere they make it wrong."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._market_ids: dict[str, str | None] = {}
        self._broken: set[str] = set()

    @abstractmethod
    def spans(self, frame: Frame) -> Iterator[FrameSpan]:
        """Return the place of a frame for each book in it; nothing for frames of another kind."""

    def gaps(self, frame: Frame) -> list[Gap]:
        """Return what is missing before a frame."""
        return [gap for span in self.spans(frame) if (gap := self._gap(span)) is not None]

    def forget(self, market_id: str) -> None:
        """Start over at the next frame of a market, after a new subscription."""
        for chain, owner in list(self._market_ids.items()):
            if owner in (market_id, None):
                self._broken.discard(chain)
                del self._market_ids[chain]
                del self._last[chain]

    def _gap(self, span: FrameSpan) -> Gap | None:
        if span.chain in self._broken and not span.is_whole:
            return None
        self._broken.discard(span.chain)
        known = self._last.get(span.chain)
        if known is not None and not span.is_whole:
            if span.last <= known and self.drops_old:
                return None
            if span.first > known + 1 or span.last <= known:
                self._broken.add(span.chain)
                return Gap(span.market_id, known + 1, span.first)
        self._last[span.chain] = span.last
        self._market_ids[span.chain] = span.market_id
        return None


class KucoinSequence(SequenceCheck):
    """Level 2: a frame begins at most one behind the end of the one before.

    Source: KuCoin's documentation, "Orderbook - Increment": spot by `sequenceStart` and `sequenceEnd`, futures by
    `sequence`, the unified account by `O` and `C`.
    """

    drops_old = True

    def spans(self, frame: Frame) -> Iterator[FrameSpan]:
        """Return the place of an increment."""
        topic, market_id = _split(frame.get("topic"), ":")
        if topic in ("/market/level2", "/contractMarket/level2"):
            data = frame.get("data") or {}
            last = data.get("sequenceEnd", data.get("sequence"))
            if last is not None:
                first = data.get("sequenceStart", last)
                yield FrameSpan(topic + market_id, market_id, int(first), int(last))
        elif str(frame.get("T", "")).startswith("obu.") and "C" in (data := frame.get("d") or {}):
            is_whole = frame.get("t") == "snapshot"
            chain = f"{frame['T']} {frame.get('dp')} {data.get('s')}"
            yield FrameSpan(chain, data.get("s"), int(data.get("O", data["C"])), int(data["C"]), is_whole)


class BybitSequence(SequenceCheck):
    """Each frame of a subscription has the next `u`; one that restarts it is whole.

    Source: Bybit's documentation, "Orderbook".
    """

    def spans(self, frame: Frame) -> Iterator[FrameSpan]:
        """Return the place of a snapshot or delta."""
        topic, data = str(frame.get("topic", "")), frame.get("data")
        if topic.startswith("orderbook.") and isinstance(data, Mapping) and "u" in data:
            update_id = int(data["u"])
            yield FrameSpan(topic, data.get("s"), update_id, update_id, frame.get("type") == "snapshot")


class HitbtcSequence(SequenceCheck):
    """Each update of a full book has the next `s`.

    Source: HitBTC's documentation, "Subscribe to full order book".
    """

    def spans(self, frame: Frame) -> Iterator[FrameSpan]:
        """Return the places of all books in a frame."""
        if frame.get("ch") != "orderbook/full":
            return
        for kind in ("snapshot", "update"):
            for market_id, book in (frame.get(kind) or {}).items():
                number = int(book["s"])
                yield FrameSpan(market_id, market_id, number, number, kind == "snapshot")


class CoinbaseSequence(SequenceCheck):
    """All frames of a connection are numbered together, so a gap may concern any of its books.

    Source: Coinbase's documentation of Advanced Trade, "WebSocket overview", `sequence_num`.
    """

    def spans(self, frame: Frame) -> Iterator[FrameSpan]:
        """Return the place of any numbered frame."""
        if (number := frame.get("sequence_num")) is not None:
            yield FrameSpan("connection", None, int(number), int(number))


_CHECKS: Final[dict[FrameNumbers, type[SequenceCheck]]] = {
    "update_id": BybitSequence,
    "connection_sequence": CoinbaseSequence,
    "book_sequence": HitbtcSequence,
    "sequence_range": KucoinSequence,
}


def sequence_check(book: BookFeed) -> SequenceCheck | None:
    """Return the check of one new connection; None where millrace compares no numbers."""
    return None if book.frame_numbers is None else _CHECKS[book.frame_numbers]()


def _split(topic: object, separator: str) -> tuple[str, str]:
    head, _, tail = topic.partition(separator) if isinstance(topic, str) else ("", "", "")
    return head, tail
