"""Classifies an exchange's answers and failures; no other module does.

Nothing counts as "not done" without definite evidence: a code of the exchange that its profile explains or that ccxt
maps to a class of its own, or proof that the request was never sent. Everything else counts as possibly done. An
exchange's own codes are `error_rules` of its profile and come first; then, as seen with ccxt 4.5.90:

    an answer that proves nothing (`checked_answer`)                    OutcomeUnknown
    ExchangeError itself (truncated body, corrupt gzip, overload)       OutcomeUnknown
    RequestTimeout, ExchangeNotAvailable, BadResponse, cancellation,
        OperationFailed                                                 OutcomeUnknown
    DuplicateOrderId, InvalidOrder with "duplicate"                     OutcomeUnknown: an earlier attempt is there
    InvalidNonce                                                        Retryable, once the clock is right
    DDoSProtection (429, 418), RateLimitExceeded                        Retryable after a pause (`request_gate`)
    AuthenticationError                                                 Fatal
    InsufficientFunds, BadSymbol, ArgumentsRequired, a mapped InvalidOrder, …  Rejected
"""

import json
import re
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Final

from aiohttp import ClientConnectorError, ClientError
from ccxt.base import errors as ccxt

from millrace_exchange.errors import (
    ExchangeError,
    Fatal,
    OrderNotFound,
    OutcomeUnknown,
    Rejected,
    Retryable,
)
from millrace_exchange.profile import ErrorRule, ExchangeProfile, Outcome

# What ccxt lets through beside its own errors: the network's, and what its parsers stumble over when an answer is
# not of the form that they expect. All of these may stand for an order that was placed.
FAILURES: Final = (
    ccxt.BaseError,
    ClientError,
    OSError,
    TimeoutError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
_PARSERS: Final = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
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
_CODE_KEYS: Final = ("code", "retCode", "sCode", "label", "err-code", "error", "errorCode", "error_code")
"""Names under which exchanges send the code of an error."""
_ERRORS: Final[dict[Outcome, type[ExchangeError]]] = {
    "retryable": Retryable,
    "rejected": Rejected,
    "unknown": OutcomeUnknown,
    "fatal": Fatal,
}


def classify(
    profile: ExchangeProfile,
    action: str,
    error: BaseException,
    *,
    sent: bool = True,
    changed: bool = True,
    is_page: bool = False,
    is_limited: bool = False,
    is_answered: bool = False,
) -> ExchangeError:
    """Return the classified error for an exception of ccxt; `sent` says whether anything had been sent by then.

    `changed`: something that may have changed an order, and not questions alone that come before that.

    A query (`fetch…`, `load…`, `watch…`) changes nothing, so it is never `OutcomeUnknown`. `is_page`: the answer was no
    JSON, so that it was not the exchange's trading system that refused. `is_limited`: its status is one for too many
    requests. `is_answered`: it is an answer, and neither that nor a failure of the exchange.
    """
    kind = type(error).__name__
    rule = _rule(profile, action, error)
    error_class = _ERRORS[rule.outcome] if rule else _by_class(error)
    if is_limited:
        error_class = Retryable
    elif is_page and sent and error_class in (Rejected, Fatal):
        error_class = OutcomeUnknown
    elif not sent and _is_of_request(error) and not _is_question(action):
        # ccxt refuses what the request holds, or stumbles over it, and would again.
        error_class = Rejected
    if error_class is OutcomeUnknown and (not (sent and changed) or _is_question(action) or _never_connected(error)):
        error_class = Retryable
    text = redacted(str(error)) or kind
    text = f"{rule.why}: {text}" if rule else text
    if error_class is Retryable:
        return Retryable(
            text,
            exchange=profile.exchange,
            action=action,
            kind=kind,
            is_disconnected=_is_disconnected(error),
            is_vain=is_answered or isinstance(error, ccxt.BadResponse),
        )
    if error_class is Rejected and isinstance(error, ccxt.OrderNotFound):
        error_class = OrderNotFound
    return error_class(text, exchange=profile.exchange, action=action, kind=kind)


def is_limit(error: BaseException) -> bool:
    """Tell whether the exchange refused a request because a limit was broken, as far as ccxt knows its code."""
    return isinstance(error, _LIMITED)


def codes_in(answer: Mapping[str, Any]) -> set[str]:
    """Return the exchange's own codes in an object of its answer."""
    return {str(answer[key]) for key in _CODE_KEYS if isinstance(answer.get(key), str | int)}


def redacted(text: str) -> str:
    """Return a text without the signatures and keys that ccxt prints in the URLs of failed requests."""
    return _SECRETS.sub(r"\1\2…", text)


def _rule(profile: ExchangeProfile, action: str, error: BaseException) -> ErrorRule | None:
    if _is_duplicate(error):
        # An exchange may refuse a second order of the same id under the code of any other refusal.
        return None
    for answer in _objects(str(error)) if profile.error_rules else ():
        codes = codes_in(answer)
        for rule in profile.error_rules:
            if rule.code in codes and (not rule.actions or action in rule.actions) and _holds(rule.where, answer):
                return rule
    return None


def _objects(text: str) -> Iterator[Mapping[str, Any]]:
    """Return the JSON objects in an error's text, outer ones first."""
    try:
        answer, _ = json.JSONDecoder().raw_decode(text[text.index("{") :])
    except (ValueError, RecursionError):
        return
    waiting = deque([answer])
    while waiting:
        node = waiting.popleft()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _holds(where: Mapping[str, str], answer: Mapping[str, Any]) -> bool:
    return all(_at(path, answer) == value for path, value in where.items())


def _at(path: str, answer: Any) -> Any:
    for name in path.split("."):
        answer = answer.get(name) if isinstance(answer, dict) else None
    return answer


def _by_class(error: BaseException) -> type[ExchangeError]:
    if _is_duplicate(error):
        return OutcomeUnknown
    if is_limit(error):
        return Retryable
    if isinstance(error, _REJECTED):
        return Rejected
    if isinstance(error, ccxt.AuthenticationError):
        return Fatal
    if isinstance(error, ccxt.InvalidNonce | ccxt.ExchangeClosedByUser):
        return Retryable
    return OutcomeUnknown


def _is_duplicate(error: BaseException) -> bool:
    return isinstance(error, ccxt.DuplicateOrderId) or (
        isinstance(error, ccxt.InvalidOrder) and _DUPLICATE.search(str(error)) is not None
    )


def _is_question(action: str) -> bool:
    return action.startswith(("fetch", "load", "watch"))


def _is_of_request(error: BaseException) -> bool:
    """Tell whether an error that came before anything was sent is about what the request holds."""
    return isinstance(error, _PARSERS) or type(error) is ccxt.ExchangeError


def _never_connected(error: BaseException) -> bool:
    return isinstance(error.__cause__, ClientConnectorError)


def _is_disconnected(error: BaseException) -> bool:
    # Limits, wrong clocks and timeouts are subclasses: over another connection they would be no better.
    return type(error) is ccxt.NetworkError
