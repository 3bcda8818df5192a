"""Delivers order books to their listeners: nothing that is not proved, nothing beyond what is known."""

import asyncio
from typing import Any
from weakref import WeakSet

from millrace_core.clock import now_ns
from millrace_core.market import Level
from millrace_exchange.ccxt.recording.book_checksums import Claim, checksum_check
from millrace_exchange.ccxt.recording.book_edges import BookEdges, SnapshotDepth
from millrace_exchange.ccxt.recording.book_proofs import BrokenChain, SequenceCheck
from millrace_exchange.ccxt.recording.books import RecordedBook
from millrace_exchange.listeners import BookListener, EventTimes
from millrace_exchange.profile import BookRules


class FollowedBook:
    """One book that has a listener."""

    def __init__(self, listener: BookListener, depth: SnapshotDepth | None) -> None:
        self.listener = listener
        self.depth = depth
        """How far its snapshots reach; None if they are whole."""
        self.edges: BookEdges | None = None
        self.snapshot: Any = None
        """A snapshot that extends what is known, as soon as the stream has passed it."""
        self.client: Any = None
        """The connection over which it came."""
        self.is_due = asyncio.Event()
        """Set while another snapshot is due."""

    def whole(self, book: RecordedBook) -> tuple[list[Level], list[Level]]:
        """Return all levels that are known."""
        bids, asks = book.levels()
        if self.depth is None:
            return bids, asks
        self.edges, self.snapshot = BookEdges(book, self.depth), None
        return self.edges.bids.known(bids), self.edges.asks.known(asks)

    def changes(self, book: RecordedBook) -> tuple[list[Level], list[Level]]:
        """Return the known levels that changed since the last call, or became known."""
        bids, asks = book["bids"].take_changes(), book["asks"].take_changes()
        if self.edges is None:
            return bids, asks
        bids, asks = self.edges.bids.known(bids), self.edges.asks.known(asks)
        more_bids, more_asks = self._extended(book)
        return bids + more_bids, asks + more_asks

    def is_passed(self, book: RecordedBook) -> bool:
        """Tell whether nothing is known any more of a side."""
        return self.edges is not None and self.edges.is_passed(book)

    def look_ahead(self, book: RecordedBook) -> None:
        """Note whether another snapshot is due."""
        if self.edges is None or not self.edges.is_near(book):
            self.is_due.clear()
        elif self.snapshot is None:
            self.is_due.set()

    def _extended(self, book: RecordedBook) -> tuple[list[Level], list[Level]]:
        if self.edges is None or self.snapshot is None or book["nonce"] < self.snapshot["nonce"]:
            return [], []
        snapshot, self.snapshot = self.snapshot, None
        levels = self.edges.extend(book, snapshot)
        for name in ("bids", "asks"):
            book[name].take_changes()
        return levels


class BookRecorder:
    """Keeps the listeners of one ccxt instance's books."""

    def __init__(self, ccxt: Any, rules: BookRules) -> None:
        self._ccxt = ccxt
        self._rules = rules
        self._followed: dict[str, FollowedBook] = {}
        self._incomplete: dict[str, Any] = {}
        """Incomplete books by symbol, each with its connection."""
        self._claims: dict[str, int] = {}
        """Checksums of the frame at hand by symbol."""
        self._held: dict[str, EventTimes] = {}
        """Books whose newest changes await their checksum."""
        self.checks: WeakSet[SequenceCheck] = WeakSet()
        """Those of all connections that are open."""
        self.checksum = checksum_check(rules)

    def add(self, symbol: str, listener: BookListener, limit: int | None) -> FollowedBook:
        """Deliver a book, which is about to be subscribed, to a listener: the next frame of it is the first."""
        if (market := self._ccxt.markets.get(symbol)) is not None:
            for check in self.checks:
                check.forget(market["id"])
        self._held.pop(symbol, None)
        followed = self._followed[symbol] = FollowedBook(listener, self._depth(limit))
        return followed

    def _depth(self, limit: int | None) -> SnapshotDepth | None:
        if self._rules.whole_with_keys and limit is None and self._ccxt.check_required_credentials(False):
            return None
        return SnapshotDepth.of(self._rules, limit)

    def remove(self, symbol: str, followed: FollowedBook) -> None:
        """Deliver nothing more to a listener."""
        if self._followed.get(symbol) is followed:
            del self._followed[symbol]

    def end_frame(self) -> None:
        """Forget the checksums that the frame at hand held."""
        self._claims.clear()

    def is_incomplete(self, symbol: str) -> bool:
        """Tell whether something of a book is missing."""
        return symbol in self._incomplete

    def take_incomplete(self, symbol: str) -> Any:
        """Return, once, the connection of an incomplete book; None if the book is complete."""
        return self._incomplete.pop(symbol, None)

    def broken(self, chain: BrokenChain, client: Any) -> None:
        """Report to the listeners of a book that something of it is missing."""
        if chain.market_id is None:
            concerned = [symbol for symbol, followed in self._followed.items() if followed.client in (client, None)]
        else:
            concerned = self._symbols(chain.market_id)
        for symbol in concerned:
            self._break(symbol, str(chain), client)

    def claim(self, claim: Claim, client: Any) -> None:
        """Take the checksum that the frame at hand holds: of the book after it, or of what was held back."""
        for symbol in self._symbols(claim.market):
            if self.checksum is not None and self.checksum.follows:
                self._prove_held(symbol, claim.checksum, client)
            else:
                self._claims[symbol] = claim.checksum

    def _prove_held(self, symbol: str, checksum: int, client: Any) -> None:
        book, event = self._ccxt.orderbooks.get(symbol), self._held.pop(symbol, None)
        if book is None or event is None or symbol in self._incomplete:
            return
        # A removal that was lost leaves a level behind those that the checksum covers.
        book.limit()
        if self._is_right(symbol, book, checksum):
            self._deliver(symbol, book, event)
        else:
            self._break(symbol, _WRONG, client)

    def apply(self, book: RecordedBook, received_ns: int, client: Any) -> bool:
        """Deliver what ccxt has just applied to a book, unless it is wrong or not proved yet.

        Return False if ccxt keeps another book of the symbol: then this is an answer of its own, such as a snapshot.
        """
        if self._ccxt.orderbooks.get(book["symbol"], book) is not book:
            return False
        self._take(book, received_ns, client)
        return True

    def _take(self, book: RecordedBook, received_ns: int, client: Any) -> None:
        symbol = book["symbol"] or self._symbol_of(book)
        if (followed := self._followed.get(symbol)) is not None and client is not None:
            followed.client = client
        event = EventTimes(book["timestamp"], received_ns or now_ns())
        claim = self._claims.pop(symbol, None)
        if claim is not None and symbol not in self._incomplete and not self._is_right(symbol, book, claim):
            self._break(symbol, _WRONG, client)
        if symbol in self._incomplete:
            return
        if self.checksum is not None and self.checksum.follows and not book.replaced:
            self._held[symbol] = event
        else:
            self._deliver(symbol, book, event)

    def repeat(self, symbol: str) -> None:
        """Deliver a book again as a whole, if its subscription has outlived its last listener."""
        book = self._ccxt.orderbooks.get(symbol)
        # While a new snapshot is awaited, the number is another one than that of the last delivery.
        if isinstance(book, RecordedBook) and book.is_delivered and book["nonce"] == book.delivered_nonce:
            book.replaced = True
            self.apply(book, 0, None)

    def extend(self, symbol: str, snapshot: Any) -> bool:
        """Take a snapshot that extends what is known of a book; return False if it is too old for that."""
        followed = self._followed.get(symbol)
        if followed is None or followed.edges is None or not followed.edges.can_use(snapshot):
            return False
        followed.snapshot = snapshot
        return True

    def _deliver(self, symbol: str, book: RecordedBook, event: EventTimes) -> None:
        followed, is_whole = self._followed.get(symbol), book.replaced
        former, book.delivered_nonce, book.is_delivered = book.delivered_nonce, book["nonce"], True
        if followed is None:
            book.levels()
            return
        bids, asks = followed.whole(book) if is_whole else followed.changes(book)
        if followed.is_passed(book):
            self._break(symbol, "the price has left the part of the book that is known", followed.client)
        elif is_whole:
            followed.listener.book_reset(bids, asks, book["nonce"], event)
        elif bids or asks or book["nonce"] != former:
            followed.listener.book_changed(bids, asks, book["nonce"], event)
        followed.look_ahead(book)

    def _break(self, symbol: str, reason: str, client: Any) -> None:
        if symbol in self._incomplete:
            return
        self._incomplete[symbol] = client
        if followed := self._followed.get(symbol):
            followed.listener.book_broken(reason)

    def _is_right(self, symbol: str, book: RecordedBook, checksum: int) -> bool:
        check = self.checksum
        return check is None or check.checksum(book, self._ccxt.markets[symbol]) == checksum

    def _symbols(self, market: str) -> list[str]:
        if market in self._ccxt.markets:
            return [market]
        # A spot market and a future may share a name: then both are subscribed again.
        return [known["symbol"] for known in self._ccxt.markets_by_id.get(market, ())]

    def _symbol_of(self, book: RecordedBook) -> str:
        return next((symbol for symbol, known in self._ccxt.orderbooks.items() if known is book), "")


_WRONG = "the exchange's checksum is of another book"
