"""Every error that ccxt knows of an exchange, in the exchange's own form, and one that it does not know."""

import json
import os
from collections.abc import Callable
from typing import Any, Final

import pytest
from ccxt.base import errors as ccxt
from libs.exchange.tests.answers.conftest import Account
from libs.exchange.tests.answers.reply import Reply
from libs.exchange.tests.answers.server import ScriptedServer
from libs.exchange.tests.answers.test_faulty_answers import (
    EXCHANGES,
    cancel,
    create,
    fetch_order,
    outcome_of,
)

from millrace_exchange import ExchangeError, Fatal, OutcomeUnknown, Rejected, Retryable
from millrace_exchange.profile import ExchangeProfile

UNHEARD_OF: Final = "987654321"

FORMS: Final[dict[str, Callable[[str], Any]]] = {
    "binance": lambda code: _of_binance(code),
    "binanceusdm": lambda code: _of_binance(code),
    "bitfinex": lambda code: ["error", _number(code), "said"],
    "bitget": lambda code: {"code": code, "msg": "said", "data": None},
    "bybit": lambda code: {"retCode": _number(code), "retMsg": "said", "result": {}},
    "coinbase": lambda code: {"error": code, "error_description": "said"},
    "gate": lambda code: {"label": code, "message": "said"},
    "hitbtc": lambda code: {"error": {"code": _number(code), "message": "said"}},
    "htx": lambda code: {"status": "error", "err-code": code, "err-msg": "said", "data": None},
    "hyperliquid": lambda code: {"status": "err", "response": code},
    "kraken": lambda code: {"error": [code]},
    "kucoin": lambda code: {"code": code, "msg": "said"},
    "kucoinfutures": lambda code: {"code": code, "msg": "said"},
    "mexc": lambda code: {"code": _number(code), "msg": "said"},
    "okx": lambda code: {"code": "1", "data": [{"sCode": code, "sMsg": "said"}], "msg": ""},
}
STATUS: Final = {"bitfinex": 500, "okx": 200, "kraken": 200, "bybit": 200, "bitget": 200, "htx": 200}
"""The status of an error; 400 elsewhere."""
_REFUSED: Final = (
    ccxt.ArgumentsRequired,
    ccxt.BadRequest,
    ccxt.InsufficientFunds,
    ccxt.InvalidAddress,
    ccxt.InvalidOrder,
    ccxt.NotSupported,
    ccxt.OperationRejected,
    ccxt.PermissionDenied,
)


def _of_binance(code: str) -> dict[str, Any]:
    # Some of its errors are told apart by their text.
    number = _number(code)
    return {"code": number, "msg": "said"} if isinstance(number, int) else {"code": -2010, "msg": code}


def _number(code: str) -> int | str:
    return int(code) if code.lstrip("-").isdecimal() else code


def expected_class(kind: type[BaseException], code: str, profile: ExchangeProfile, action: str) -> type[ExchangeError]:
    """Return what a class of ccxt's means for a change that was sent, by the design's table."""
    for rule in profile.error_rules:
        if rule.code == code and not rule.where and (not rule.actions or action in rule.actions):
            return {"retryable": Retryable, "rejected": Rejected, "unknown": OutcomeUnknown, "fatal": Fatal}[
                rule.outcome
            ]
    if issubclass(kind, ccxt.DuplicateOrderId) or "duplicate" in code.lower():
        return OutcomeUnknown
    if issubclass(kind, ccxt.DDoSProtection | ccxt.RateLimitExceeded | ccxt.InvalidNonce):
        return Retryable
    if issubclass(kind, _REFUSED):
        return Rejected
    return Fatal if issubclass(kind, ccxt.AuthenticationError) else OutcomeUnknown


OWN_TABLES: Final = {
    "binance": ("spot", "https://api.binance.com/"),
    "binanceusdm": ("linear", "https://fapi.binance.com/"),
}
"""Exchanges whose codes ccxt tells apart by the address, with the address of the real one."""


def known_codes(account: Account) -> dict[str, type[BaseException]]:
    """Return codes that ccxt maps for an exchange's errors, and let it think that the exchange is the real one.

    All of them with MILLRACE_TEST_CODES=all; otherwise some, and those that the profile explains.
    """
    ccxt = account.ccxt
    codes: dict[str, type[BaseException]] = dict(ccxt.exceptions.get("exact", {}))
    if (table := OWN_TABLES.get(ccxt.id)) is not None:
        kind, address = table
        codes |= ccxt.exceptions[kind]["exact"]
        by_url = ccxt.get_exceptions_by_url
        ccxt.get_exceptions_by_url = lambda _, sort: by_url(address, sort)
    if os.environ.get("MILLRACE_TEST_CODES") == "all":
        return codes
    explained = {rule.code for rule in account.profile.error_rules}
    return {code: kind for number, (code, kind) in enumerate(codes.items()) if number % 8 == 0 or code in explained}


@pytest.mark.parametrize("exchange", EXCHANGES)
async def test_each_code_means_what_the_exchange_says(
    exchange: str, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """A code is a refusal only if it is known to be one; an unknown code may stand for an order that was placed."""
    ours, wrong = account(exchange), []
    for code, kind in {**known_codes(ours), UNHEARD_OF: ccxt.ExchangeError}.items():
        body = json.dumps(FORMS[ours.profile.exchange](code)).encode()
        server.reply = Reply(body, STATUS.get(ours.profile.exchange, 400))
        for request, action in ((create, "createOrder"), (cancel, "cancelOrder")):
            outcome = await outcome_of(ours, request)
            if not isinstance(outcome, expected_class(kind, code, ours.profile, action)):
                wrong.append(f"{action} {code}: {outcome!r}, not of {kind.__name__}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("exchange", EXCHANGES)
async def test_only_a_code_for_it_says_that_there_is_no_such_order(
    exchange: str, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """A question is answered with None after the exchange's own words for that alone."""
    ours, wrong = account(exchange), []
    for code, kind in known_codes(ours).items():
        server.reply = Reply(
            json.dumps(FORMS[ours.profile.exchange](code)).encode(), STATUS.get(ours.profile.exchange, 400)
        )
        outcome = await outcome_of(ours, fetch_order)
        if outcome is None and not issubclass(kind, ccxt.OrderNotFound):
            wrong.append(f"{code} of {kind.__name__}: None")
        if isinstance(outcome, OutcomeUnknown):
            wrong.append(f"{code} of {kind.__name__}: {outcome!r}")
    assert not wrong, "\n".join(wrong)
