"""KuCoin's error responses: a code, a sentence and an HTTP status.

Exception
└── KucoinError              code, message, status

Codes: www.kucoin.com/docs-new, "Error Code"; the sentences are those that clients compare.
"""

from __future__ import annotations

from http import HTTPStatus


class KucoinError(Exception):
    """An error response; an order that is refused is answered with HTTP status 200."""

    def __init__(self, code: str, message: str, status: int = HTTPStatus.OK) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.status = int(status)


def bad_parameter(message: str) -> KucoinError:
    """Return the error: a parameter is missing or wrong (400100)."""
    return KucoinError("400100", message, HTTPStatus.BAD_REQUEST)


def missing(name: str) -> KucoinError:
    """Return the error: a mandatory parameter was not sent (400100)."""
    return bad_parameter(f"{name} can not be empty")


def refused(message: str) -> KucoinError:
    """Return the error: the request was understood and cannot be carried out (400100)."""
    return KucoinError("400100", message)


def unknown_symbol() -> KucoinError:
    """Return the error: the symbol is not traded here (400100)."""
    return refused("Unsupported trading pair.")


def no_such_order() -> KucoinError:
    """Return the error: a query names an order that there is not (400100)."""
    return refused("order not exist.")


def cannot_cancel() -> KucoinError:
    """Return the error: the order to cancel does not exist, or is done (400100)."""
    return refused("order_not_exist_or_not_allow_to_cancel")


def missing_headers() -> KucoinError:
    """Return the error: a header of the signature is missing (400001)."""
    message = "Please check the header of your request for KC-API-KEY, KC-API-SIGN, KC-API-TIMESTAMP, KC-API-PASSPHRASE"
    return KucoinError("400001", message, HTTPStatus.UNAUTHORIZED)


def bad_timestamp() -> KucoinError:
    """Return the error: the request's time lies over five seconds away (400002)."""
    return KucoinError("400002", "KC-API-TIMESTAMP Invalid", HTTPStatus.UNAUTHORIZED)


def unknown_key() -> KucoinError:
    """Return the error: no account has this API key (400003)."""
    return KucoinError("400003", "KC-API-KEY not exists", HTTPStatus.UNAUTHORIZED)


def bad_passphrase() -> KucoinError:
    """Return the error: the passphrase is not that of the key (400004)."""
    return KucoinError("400004", "Invalid KC-API-PASSPHRASE", HTTPStatus.UNAUTHORIZED)


def bad_signature() -> KucoinError:
    """Return the error: the signature does not cover what was sent (400005)."""
    return KucoinError("400005", "Invalid KC-API-SIGN", HTTPStatus.UNAUTHORIZED)


def too_many_requests() -> KucoinError:
    """Return the error: a pool of request weight is used up (429000)."""
    message = "Too many requests in a short period of time, please retry later"
    return KucoinError("429000", message, HTTPStatus.TOO_MANY_REQUESTS)


def not_found() -> KucoinError:
    """Return the error: there is no such path (404000)."""
    return KucoinError("404000", "Url Not Found", HTTPStatus.NOT_FOUND)
