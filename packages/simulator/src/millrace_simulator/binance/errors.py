"""Binance's error responses: a code, a sentence and an HTTP status.

Exception
└── BinanceError             code, message, status, data
    └── TooManyRequestsError      retry_after_s    a limit was broken: 429, or 418 once it was ignored

The codes and sentences are those of Binance's errors.md; clients compare the sentences word for word.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any


class BinanceError(Exception):
    """An error response, the same over REST and the WebSocket API."""

    def __init__(
        self, code: int, message: str, status: int = HTTPStatus.BAD_REQUEST, data: dict[str, Any] | None = None
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.status = int(status)
        self.data = data
        """The results of a cancel-replace's two halves; None for every other error."""

    def payload(self) -> dict[str, Any]:
        """Return the JSON object that clients read: `code`, `msg`, and `data` if there is any."""
        shown: dict[str, Any] = {"code": self.code, "msg": self.message}
        if self.data is not None:
            shown["data"] = self.data
        return shown


class TooManyRequestsError(BinanceError):
    """A limit was broken; after `retry_after_s` the next request is admitted."""

    def __init__(self, code: int, message: str, retry_after_s: int, status: int = HTTPStatus.TOO_MANY_REQUESTS) -> None:
        super().__init__(code, message, status)
        self.retry_after_s = retry_after_s


def mandatory(name: str) -> BinanceError:
    """Return the error: a mandatory parameter is missing or cannot be read (-1102)."""
    return BinanceError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def one_of(first: str, second: str) -> BinanceError:
    """Return the error: neither of two parameters was sent, of which one is mandatory (-1102)."""
    return BinanceError(-1102, f"Param '{first}' or '{second}' must be sent, but both were empty/null!")


def unread(read: int, sent: int) -> BinanceError:
    """Return the error: a parameter was sent that the operation does not know (-1104)."""
    return BinanceError(-1104, f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'.")


def empty(name: str) -> BinanceError:
    """Return the error: a parameter was sent without a value (-1105)."""
    return BinanceError(-1105, f"Parameter '{name}' was empty.")


def not_required(name: str) -> BinanceError:
    """Return the error: a parameter does not belong to this type of order (-1106)."""
    return BinanceError(-1106, f"Parameter '{name}' sent when not required.")


def illegal_characters(name: str, legal: str) -> BinanceError:
    """Return the error: a parameter's value does not match the expression `legal` (-1100)."""
    return BinanceError(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def invalid_value(name: str) -> BinanceError:
    """Return the error: a parameter's value is well formed but not allowed (-1130)."""
    return BinanceError(-1130, f"Data sent for parameter '{name}' is not valid.")


def too_precise(name: str) -> BinanceError:
    """Return the error: a number has more decimals than Binance reads (-1111)."""
    return BinanceError(-1111, f"Parameter '{name}' has too much precision.")


def bad_combination() -> BinanceError:
    """Return the error: optional parameters were sent that exclude each other (-1128)."""
    return BinanceError(-1128, "Combination of optional parameters invalid.")


def invalid_symbol() -> BinanceError:
    """Return the error: the symbol is not traded here (-1121)."""
    return BinanceError(-1121, "Invalid symbol.")


def invalid_symbol_status() -> BinanceError:
    """Return the error: there is no such status of a symbol (-1122)."""
    return BinanceError(-1122, "Invalid symbolStatus.")


def other_symbol_status() -> BinanceError:
    """Return the error: the symbol has another status than the request asks for (-1220)."""
    return BinanceError(-1220, "The symbol's status does not match the requested symbolStatus.")


def invalid_time_unit() -> BinanceError:
    """Return the error: a request's times are asked for in no known unit (-1194)."""
    return BinanceError(-1194, "Invalid value for time unit; expected either MICROSECOND or MILLISECOND.")


def invalid_interval() -> BinanceError:
    """Return the error: the kline interval is invalid (-1120)."""
    return BinanceError(-1120, "Invalid interval.")


def bad_key_format() -> BinanceError:
    """Return the error: the API key is missing or malformed (-2014)."""
    return BinanceError(-2014, "API-key format invalid.", HTTPStatus.UNAUTHORIZED)


def rejected_key() -> BinanceError:
    """Return the error: the API key is unknown (-2015)."""
    return BinanceError(-2015, "Invalid API-key, IP, or permissions for action.", HTTPStatus.UNAUTHORIZED)


def invalid_signature() -> BinanceError:
    """Return the error: the signature does not cover what was sent (-1022)."""
    return BinanceError(-1022, "Signature for this request is not valid.")


def timestamp_too_old() -> BinanceError:
    """Return the error: the request's time lies further back than its window (-1021)."""
    return BinanceError(-1021, "Timestamp for this request is outside of the recvWindow.")


def timestamp_ahead() -> BinanceError:
    """Return the error: the request's time lies in the future (-1021)."""
    return BinanceError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")


def rejected(message: str) -> BinanceError:
    """Return the error: the matching engine refused a new order (-2010)."""
    return BinanceError(-2010, message)


def cancel_rejected(message: str = "Unknown order sent.") -> BinanceError:
    """Return the error: the matching engine refused a cancellation (-2011)."""
    return BinanceError(-2011, message)


def no_such_order() -> BinanceError:
    """Return the error: a query names an order that the account never had (-2013)."""
    return BinanceError(-2013, "Order does not exist.")


def filter_failure(name: str) -> BinanceError:
    """Return the error: an order breaks one of the symbol's filters (-1013)."""
    return BinanceError(-1013, f"Filter failure: {name}")
