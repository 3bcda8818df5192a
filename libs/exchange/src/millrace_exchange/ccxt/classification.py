"""What an exchange's answer or failure means for what was asked: the one place where that is decided.

Nothing counts as "not done" without definite evidence: a code of the exchange that ccxt maps to a class of its
own, or that nothing had left us. Whatever is vaguer may have been done. Seen with ccxt 4.5.90 on Binance spot:

    an order without an id (HTML, an empty or broken body)              OutcomeUnknown
    ExchangeError itself (truncated body, corrupt gzip; also -1008)     OutcomeUnknown
    RequestTimeout, ExchangeNotAvailable, BadResponse, cancellation,
        OperationFailed (-1000, -1001, -1006, -1007)                    OutcomeUnknown
    InvalidOrder with "Duplicate order sent"                            OutcomeUnknown: an earlier attempt is there
    InvalidNonce (-1021)                                                Retryable, once the clock is right
    DDoSProtection (429, 418), RateLimitExceeded (-1003, -1015)         Retryable after `Retry-After`
    DDoSProtection with -2015 (only after the key had worked)           Fatal: the key was revoked
    AuthenticationError (-2014, -2015, -1022)                           Fatal
    InsufficientFunds, BadSymbol, ArgumentsRequired, a mapped InvalidOrder, …  Rejected
"""

import re
from typing import Any

from aiohttp import ClientConnectorError
from ccxt.base import errors as ccxt

from millrace_exchange.errors import ExchangeError, Fatal, OutcomeUnknown, Rejected, Retryable

LIMITED_RETRY_AFTER_MS = 10_000
"""How long to keep still where a limit was hit and the exchange does not say until when."""
UNREACHABLE_RETRY_AFTER_MS = 1_000

Outcome = BaseException | dict[str, Any]

_LIMITED = (ccxt.DDoSProtection, ccxt.RateLimitExceeded)
_REJECTED = (
    ccxt.ArgumentsRequired,
    ccxt.BadRequest,
    ccxt.InsufficientFunds,
    ccxt.InvalidAddress,
    ccxt.InvalidOrder,
    ccxt.NotSupported,
    ccxt.OperationRejected,
    ccxt.PermissionDenied,
)
_DUPLICATE = re.compile(r"duplicate", re.IGNORECASE)
_SECRETS = re.compile(r"(?i)\b(signature|apikey|api_key|listenkey|token|secret|passphrase)(\"?[=:]\s*\"?)[^&\s\",}]+")


def classify(exchange_id: str, action: str, outcome: Outcome) -> ExchangeError | None:
    """Return what an exception, or the order that ccxt returned, means; None when that order is a real one."""
    if isinstance(outcome, BaseException):
        return meaning_of(exchange_id, action, outcome)
    if outcome.get("id"):
        return None
    return OutcomeUnknown("the answer names no order", exchange=exchange_id, action=action, kind="BadResponse")


def meaning_of(
    exchange_id: str, action: str, error: BaseException, *, sent: bool = True, retry_after_ms: int | None = None
) -> ExchangeError:
    """Return what an exception out of ccxt means.

    `sent` says whether anything had left us; `retry_after_ms` is what the exchange said of when to come back.
    A question (`fetch…`, `load…`, `watch…`) leaves nothing behind, so it is never `OutcomeUnknown`.
    """
    kind = type(error).__name__
    text = redacted(str(error)) or kind
    meaning = _meaning(error)
    if meaning is OutcomeUnknown and (not sent or _is_question(action) or _never_connected(error)):
        meaning = Retryable
    if meaning is Retryable:
        wait_ms = _retry_after_ms(error, retry_after_ms)
        return Retryable(text, exchange=exchange_id, action=action, kind=kind, retry_after_ms=wait_ms)
    return meaning(text, exchange=exchange_id, action=action, kind=kind)


def redacted(text: str) -> str:
    """Return a text without the signatures and keys that ccxt prints in the URLs of failed requests."""
    return _SECRETS.sub(r"\1\2…", text)


def _meaning(error: BaseException) -> type[ExchangeError]:
    if isinstance(error, ccxt.DuplicateOrderId) or (
        isinstance(error, ccxt.InvalidOrder) and _DUPLICATE.search(str(error))
    ):
        return OutcomeUnknown
    if isinstance(error, _LIMITED):
        return Fatal if "-2015" in str(error) else Retryable
    if isinstance(error, _REJECTED):
        return Rejected
    if isinstance(error, ccxt.AuthenticationError):
        return Fatal
    if isinstance(error, ccxt.InvalidNonce | ccxt.ExchangeClosedByUser):
        return Retryable
    return OutcomeUnknown


def _is_question(action: str) -> bool:
    return action.startswith(("fetch", "load", "watch"))


def _never_connected(error: BaseException) -> bool:
    return isinstance(error.__cause__, ClientConnectorError)


def _retry_after_ms(error: BaseException, told_ms: int | None) -> int:
    if isinstance(error, _LIMITED):
        return told_ms if told_ms is not None else LIMITED_RETRY_AFTER_MS
    return 0 if isinstance(error, ccxt.InvalidNonce) else UNREACHABLE_RETRY_AFTER_MS
