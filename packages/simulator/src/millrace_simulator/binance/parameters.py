"""Parameters of a request: read in the order sent, and turned into what the operations need.

A request's parameters come in the query, in a form body, or split over both; over the WebSocket API they are
a JSON object. `Parameters` looks the same in all cases, and each reader refuses as Binance does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec

from millrace_simulator.binance import errors
from millrace_simulator.binance.errors import BinanceError

DECIMAL = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
INTEGER = r"^[0-9]{1,20}$"
SYMBOL = r"^[\w\-._&&[^a-z]]{1,50}$"
"""Letters and digits of any script but a to z, as Binance's own language of expressions says it."""
CLIENT_ORDER_ID = r"^[a-zA-Z0-9-_]{1,36}$"
NAMES = r'^\[("[\w\-._&&[^a-z]]{1,50}"(,"[\w\-._&&[^a-z]]{1,50}"){0,})?\]$'
MOST_DECIMALS = 8
LARGEST_LONG = 2**63 - 1
MICROSECONDS_FROM = 10**15
"""A time from here on counts µs; as ms it would lie in the year 33658."""

_patterns = {legal: re.compile(legal) for legal in (DECIMAL, INTEGER, CLIENT_ORDER_ID)}
_patterns[SYMBOL] = re.compile(r"(?:[^\Wa-z]|[-.]){1,50}")


class Parameters:
    """Read access to one request's parameters by name; an empty value counts as an error, not as absent."""

    def __init__(self, values: Mapping[str, str], prefix: str = "") -> None:
        self.values = values
        self._prefix = prefix

    def __contains__(self, name: str) -> bool:
        return self.sent_name(name) in self.values

    def of(self, prefix: str) -> Parameters:
        """Return the parameters of one order of a list: `price` then reads `abovePrice` for the prefix `above`."""
        return Parameters(self.values, prefix)

    def sent_name(self, name: str) -> str:
        """Return the name under which a parameter is sent, and named in refusals."""
        return prefixed(self._prefix, name)

    def check_names(self, needed: Iterable[str], known: Iterable[str]) -> None:
        """Refuse a request that lacks a needed parameter, or holds an empty or an unknown one.

        An unknown one is refused before any value is looked at, so that a misspelled name is never ignored.

        Raises:
            BinanceError: a needed one is absent (-1102), one is unknown (-1104) or empty (-1105).
        """
        needed = tuple(needed)
        for name in needed:
            self.required(name)
        read = len(self.values.keys() & {*needed, *known})
        if read != len(self.values):
            raise errors.unread(read, len(self.values))
        for name in self.values:
            self.text(name)

    def text(self, name: str, legal: str | None = None) -> str | None:
        """Return the value as sent, or None where it was not; matching `legal` if that is given.

        Raises:
            BinanceError: it is empty (-1105) or holds characters out of the legal range (-1100).
        """
        value = self.values.get(self.sent_name(name))
        if value is None:
            return None
        if not value:
            raise errors.empty(self.sent_name(name))
        if legal is not None and not _patterns[legal].fullmatch(value):
            raise errors.illegal_characters(self.sent_name(name), legal)
        return value

    def required(self, name: str, legal: str | None = None) -> str:
        """Return the value as sent.

        Raises:
            BinanceError: as `text`, or it was not sent (-1102).
        """
        value = self.text(name, legal)
        if value is None:
            raise errors.mandatory(self.sent_name(name))
        return value

    def decimal(self, name: str) -> Decimal | None:
        """Return the value as a positive number.

        Raises:
            BinanceError: it is no number (-1100), has over eight decimals (-1111) or is zero (-1013).
        """
        value = self.text(name, DECIMAL)
        if value is None:
            return None
        if len(value.partition(".")[2].rstrip("0")) > MOST_DECIMALS:
            raise errors.too_precise(self.sent_name(name))
        number = Decimal(value)
        if not number:
            raise BinanceError(-1013, f"Invalid {self.sent_name(name)}.")
        return number

    def required_decimal(self, name: str) -> Decimal:
        """Return the value as a positive number; absent it is an error (-1102)."""
        number = self.decimal(name)
        if number is None:
            raise errors.mandatory(self.sent_name(name))
        return number

    def integer(self, name: str) -> int | None:
        """Return the value as a number without decimals, from 0 up to what Binance's LONG holds."""
        value = self.text(name, INTEGER)
        if value is None:
            return None
        if (number := int(value)) > LARGEST_LONG:
            raise BinanceError(-1108, f"Parameter '{self.sent_name(name)}' overflowed.")
        return number

    def moment_us(self, name: str) -> int | None:
        """Return the value as a time in µs, the first one that it means; it is sent in ms or in µs."""
        value = self.integer(name)
        return value if value is None or value >= MICROSECONDS_FROM else value * 1000

    def last_moment_us(self, name: str) -> int | None:
        """Return the value as a time in µs, the last one that it means."""
        value = self.integer(name)
        return value if value is None or value >= MICROSECONDS_FROM else value * 1000 + 999

    def limit(self, default: int, most: int) -> int:
        """Return the requested number of rows: `default` when not given, at most `most`."""
        number = self.integer("limit")
        if number is None:
            return default
        if number == 0:
            raise errors.invalid_value("limit")
        return min(number, most)

    def boolean(self, name: str, default: bool) -> bool:
        """Return the value as true or false, however capitalised."""
        value = self.text(name)
        if value is None:
            return default
        if value.lower() not in {"true", "false"}:
            raise errors.invalid_value(self.sent_name(name))
        return value.lower() == "true"

    def choice(self, name: str, allowed: Iterable[str], refusal: BinanceError | None = None) -> str | None:
        """Return the value as one of `allowed`.

        Raises:
            BinanceError: `refusal` when it is not allowed; -1130 without `refusal`.
        """
        value = self.text(name)
        if value is not None and value not in allowed:
            raise refusal or errors.invalid_value(self.sent_name(name))
        return value

    def names(self, name: str) -> list[str] | None:
        """Return the value as a list: a JSON array of texts, or one bare text.

        Raises:
            BinanceError: it is no such array (-1100) or names something twice (-1151).
        """
        value = self.text(name)
        if value is None:
            return None
        if not value.startswith("["):
            return [value]
        try:
            names = msgspec.json.decode(value, type=list[str])
        except (msgspec.MsgspecError, RecursionError):
            raise errors.illegal_characters(self.sent_name(name), NAMES) from None
        if len(set(names)) != len(names):
            raise BinanceError(-1151, "Symbol is present multiple times in the list.")
        return names


def prefixed(prefix: str, name: str) -> str:
    """Return a parameter's name with a prefix: `abovePrice` for `price`."""
    return prefix + name[:1].upper() + name[1:] if prefix else name


def from_form(query: str, body: str) -> Parameters:
    """Parameters of a REST request; a name in both parts takes its value from the query.

    Raises:
        BinanceError: a name occurs twice in one part (-1101).
    """
    return Parameters({**_read_part(body), **_read_part(query)})


def from_json(params: Mapping[str, Any] | None) -> Parameters:
    """Parameters of a WebSocket API request; numbers, booleans and arrays count as the text they would be."""
    return Parameters({name: as_text(value) for name, value in (params or {}).items() if value is not None})


def as_text(value: Any) -> str:
    """Return a JSON value as it would stand in a query, and as the WebSocket API's signature covers it."""
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def signed_payload(query: str, body: str) -> tuple[str, str | None]:
    """Return the text that a REST signature covers, and the signature.

    Everything but `signature` in the order sent, still percent-encoded: the query, then the body, with nothing
    between them (rest-api.md, "Mixed query string and request body").
    """
    kept: list[str] = []
    signature: str | None = None
    for part in (query, body):
        pairs = []
        for pair in part.split("&") if part else []:
            if pair.startswith("signature="):
                signature = unquote(pair.removeprefix("signature="))
            else:
                pairs.append(pair)
        kept.append("&".join(pairs))
    return "".join(kept), signature


def _read_part(part: str) -> dict[str, str]:
    pairs = parse_qsl(part, keep_blank_values=True)
    values = dict(pairs)
    if len(values) != len(pairs):
        raise BinanceError(-1101, "Duplicate values for a parameter detected.")
    return values
