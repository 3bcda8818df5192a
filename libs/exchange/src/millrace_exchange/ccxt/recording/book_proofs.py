"""Detection of missing order book frames by their numbers, where the profile says that ccxt has none. Pure.

There ccxt applies every frame, and after a gap the book is silently wrong. The forms that exchanges have are in
`frame_numbers`, checksums in `book_checksums`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

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
    time: int | None = None
    """The exchange's time of the change, in whichever unit; None where the frame has none."""


class BrokenChain(NamedTuple):
    """Proof that something is missing."""

    market_id: str | None
    """The market whose book is wrong; None for all books of this connection."""
    expected: int | None
    """The number that should have come; None for a whole book."""
    found: int

    def __str__(self) -> str:
        wanted = "a whole book" if self.expected is None else f"frame {self.expected}"
        return f"expected {wanted} of the exchange, received frame {self.found}"


class SequenceCheck(ABC):
    """Follows the chains of one connection. After a gap a chain is checked again once it was forgotten."""

    begins_whole = False
    """Whether the exchange sends a whole book first. Without it ccxt would take the first change for one."""
    drops_old = False
    """Whether ccxt itself leaves out frames that are older than its book; elsewhere they make it wrong."""
    finds_gaps = True
    """Whether lost frames are looked for here; ccxt does it itself elsewhere."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._times: dict[str, int | None] = {}
        self._market_ids: dict[str, str | None] = {}
        self._broken: set[str] = set()

    def correct(self, frame: Frame) -> None:
        """Change what ccxt would misread in a frame; nothing on most exchanges."""
        return

    @abstractmethod
    def spans(self, frame: Frame) -> Iterator[FrameSpan]:
        """Return the place of a frame for each book in it; nothing for frames of another kind."""

    def broken_chains(self, frame: Frame) -> list[BrokenChain]:
        """Return what is missing before a frame."""
        return [chain for span in self.spans(frame) if (chain := self._broken_chain(span)) is not None]

    def forget(self, market_id: str) -> None:
        """Start over at the next frame of a market, after a new subscription."""
        for chain, owner in list(self._market_ids.items()):
            if owner == market_id:
                self._broken.discard(chain)
                del self._market_ids[chain]
                del self._last[chain]
                self._times.pop(chain, None)

    def _broken_chain(self, span: FrameSpan) -> BrokenChain | None:
        if span.chain in self._broken and not span.is_whole:
            return None
        self._broken.discard(span.chain)
        known = self._last.get(span.chain)
        if known is None and self.begins_whole and not span.is_whole:
            self._broken.add(span.chain)
            self._market_ids[span.chain], self._last[span.chain] = span.market_id, span.last
            return BrokenChain(span.market_id, None, span.first)
        if known is not None and not span.is_whole:
            if span.last <= known and self.drops_old and not self._is_newer(span):
                return None
            if (self.finds_gaps and span.first > known + 1) or span.last <= known:
                self._broken.add(span.chain)
                return BrokenChain(span.market_id, known + 1, span.first)
        self._last[span.chain], self._times[span.chain] = span.last, span.time
        self._market_ids[span.chain] = span.market_id
        return None

    def _is_newer(self, span: FrameSpan) -> bool:
        """Tell whether a frame of an old number is newer all the same: then the exchange numbers the book anew."""
        known = self._times.get(span.chain)
        return known is not None and span.time is not None and span.time > known
