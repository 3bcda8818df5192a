"""Checksums over the best levels of an order book, where the profile says that ccxt compares none. Pure."""

import zlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Final, NamedTuple

from millrace_exchange.profile import BookRules, ChecksumForm

CcxtBook = Mapping[str, Any]
CcxtMarket = Mapping[str, Any]


class Claim(NamedTuple):
    """What the exchange says the checksum of a book is."""

    market: str
    """The exchange's name of the market, or ccxt's symbol where it is the same."""
    checksum: int


class ChecksumCheck(ABC):
    """One exchange's checksum."""

    follows: ClassVar[bool] = False
    """Whether a checksum comes in a frame of its own, after the changes that it proves: until then they are no proved
    state, and are kept back."""
    hello: ClassVar[Mapping[str, Any] | None] = None
    """What has to be sent first over a connection, so that checksums come at all."""

    @abstractmethod
    def claim(self, frame: Any, subscriptions: Mapping[str, Any]) -> Claim | None:
        """Return the checksum that a frame holds; None if it holds none."""

    @abstractmethod
    def checksum(self, book: CcxtBook, market: CcxtMarket) -> int:
        """Return the checksum of a book as it is."""


class PaddedDecimals(ChecksumCheck):
    """Kraken: of the best 10 asks, then bids, the digits of price and amount, without point and leading zeros.

    Source: docs.kraken.com, "Book checksum (WebSocket v2)". Numbers are printed in the market's full precision there;
    JSON's floats lose the zeros at the end, so the market's decimals put them back.
    """

    _LEVELS: Final = 10

    def claim(self, frame: Any, subscriptions: Mapping[str, Any]) -> Claim | None:
        """Return the checksum of a snapshot or an update."""
        if not isinstance(frame, Mapping) or frame.get("channel") != "book" or not frame.get("data"):
            return None
        book = frame["data"][0]
        return Claim(book["symbol"], int(book["checksum"])) if "checksum" in book else None

    def checksum(self, book: CcxtBook, market: CcxtMarket) -> int:
        """Return the CRC-32."""
        price, amount = (decimals(market["precision"][name]) for name in ("price", "amount"))
        levels = [*book["asks"][: self._LEVELS], *book["bids"][: self._LEVELS]]
        digits = "".join(_digits(level[0], price) + _digits(level[1], amount) for level in levels)
        return zlib.crc32(digits.encode())


class SignedPairs(ChecksumCheck):
    """Bitfinex: of the best 25, bid and ask in turn, price and amount as JavaScript prints them, asks negative.

    Source: docs.bitfinex.com, "WebSocket Checksum". ccxt asks for checksums only once its own call for the first book
    has returned, and after a wrong one it takes the next single change for a whole book (4.5.90).
    """

    follows = True
    hello = {"event": "conf", "flags": 131072}
    _LEVELS: Final = 25

    def claim(self, frame: Any, subscriptions: Mapping[str, Any]) -> Claim | None:
        """Return the checksum that a frame of its own holds."""
        if not isinstance(frame, list) or len(frame) < 3 or frame[1] != "cs":
            return None
        subscription = subscriptions.get(str(frame[0]))
        return Claim(subscription["symbol"], int(frame[2])) if isinstance(subscription, Mapping) else None

    def checksum(self, book: CcxtBook, market: CcxtMarket) -> int:
        """Return the CRC-32 as a signed number."""
        bids, asks = book["bids"], book["asks"]
        parts: list[str] = []
        for place in range(self._LEVELS):
            if place < len(bids):
                parts += (_printed(bids[place][0]), _printed(bids[place][1]))
            if place < len(asks):
                parts += (_printed(asks[place][0]), _printed(-asks[place][1]))
        unsigned = zlib.crc32(":".join(parts).encode())
        return unsigned - 2**32 if unsigned >= 2**31 else unsigned


_CHECKS: Final[dict[ChecksumForm, type[ChecksumCheck]]] = {
    "padded_decimals": PaddedDecimals,
    "signed_pairs": SignedPairs,
}


def checksum_check(book: BookRules) -> ChecksumCheck | None:
    """Return the check of an exchange; None where millrace compares no checksum."""
    return None if book.checksum_form is None else _CHECKS[book.checksum_form]()


def decimals(step: float) -> int:
    """Return how many decimals numbers have that are multiples of a power of ten, such as 3 for 0.001."""
    mantissa, _, exponent = f"{step:e}".partition("e")
    return max(0, len(mantissa.rstrip("0").rstrip(".").partition(".")[2]) - int(exponent))


def _digits(number: float, places: int) -> str:
    return f"{number:.{places}f}".replace(".", "").lstrip("0")


def _printed(number: float) -> str:
    """Return a number as JavaScript prints it: up to six zeros behind the point are written out, whole ones without."""
    mantissa, _, exponent = repr(number).partition("e")
    if not exponent:
        return mantissa.removesuffix(".0")
    places = len(mantissa.lstrip("-").replace(".", "")) - 1 - int(exponent)
    return f"{number:.{places}f}" if -7 < int(exponent) < 0 else f"{mantissa}e{int(exponent)}"
