"""What ccxt asks once and keeps, the markets and the kind of the account: what proves nothing is not kept."""

import json
import re
from collections.abc import Callable
from typing import Any, Final

import pytest
from libs.exchange.tests.answers.conftest import Account
from libs.exchange.tests.answers.faults import PROVE_NOTHING
from libs.exchange.tests.answers.reply import Reply
from libs.exchange.tests.answers.server import ScriptedServer
from libs.exchange.tests.answers.test_faulty_answers import EXCHANGES, balance, create, outcome_of

from millrace_exchange import ExchangeError, Retryable
from millrace_exchange.ccxt.market_listing import MarketListing
from millrace_exchange.profile import AccountKind
from millrace_exchange.profiles import profiles

KINDS: Final = sorted({profile.exchange for profile in profiles().values() if profile.account_kinds})


SAID: Final[dict[str, tuple[Any, dict[str, bool]]]] = {
    "kucoin": ({"code": "200000", "data": {"selfAccountMode": "CLASSIC"}}, {"hf": True, "uta": False}),
    "kucoinfutures": ({"code": "200000", "data": {"selfAccountMode": "UNIFIED"}}, {"uta": True}),
    "bybit": (
        {"retCode": 0, "result": {"unified": 0, "uta": 1, "unifiedMarginStatus": 5}},
        {"enableUnifiedMargin": False, "enableUnifiedAccount": True},
    ),
    "gate": ({"user_id": 7, "key": {"mode": 2}}, {"unifiedAccount": True}),
    "hyperliquid": ("unifiedAccount", {"enableUnifiedMargin": True}),
    "bitget": ({"code": "40084", "msg": "You are in Classic Account mode", "data": None}, {"uta": False}),
}
"""What each exchange answers, and what ccxt makes of it."""
HIGH_FREQUENCY: Final = Reply(b'{"code":"200000","data":true}')
"""What KuCoin answers to its second question."""


def _arguments(account: Account, kind: AccountKind) -> tuple[Any, ...]:
    """Return what ccxt hands its method."""
    if kind.method == "handle_uta_and_params":
        return {}, "fetchBalance"
    return ("fetchBalance",) if account.profile.exchange == "hyperliquid" else ()


async def learn(account: Account) -> None:
    """Ask as ccxt does before its first request, or with the markets."""
    for kind in account.profile.account_kinds:
        await account._caller.call("fetchBalance", getattr(account.ccxt, kind.method), *_arguments(account, kind))


async def learn_for_a_stream(account: Account) -> None:
    """Ask as ccxt's streams do."""
    for kind in account.profile.account_kinds:
        name = re.sub("_([a-z])", lambda found: found[1].upper(), kind.method)
        await account._caller.call("fetchBalance", getattr(account.ccxt, name), *_arguments(account, kind))


def forgetful(account: Account) -> Account:
    """Return an account whose kind is not known yet."""
    for kind in account.profile.account_kinds:
        account.ccxt.options.update(dict.fromkeys(kind.options))
    return account


def learned(account: Account) -> dict[str, Any]:
    """Return what is known of its kind."""
    options = [option for kind in account.profile.account_kinds for option in kind.options]
    return {option: account.ccxt.options[option] for option in options if account.ccxt.options[option] is not None}


@pytest.mark.parametrize("exchange", KINDS)
async def test_the_kind_of_an_account_is_asked_for_until_the_exchange_says_it(
    exchange: str, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """Until then nothing else is sent: it would go to the wrong place, for ever."""
    wrong = []
    for name, reply in PROVE_NOTHING.items():
        ours = forgetful(account(exchange))
        server.reply = reply
        # On Hyperliquid orders are the same for all kinds.
        for request in (learn, balance if exchange == "hyperliquid" else create):
            server.requests.clear()
            outcome = await outcome_of(ours, request)
            changes = [each for each in server.requests if not each.startswith((b"GET", b"POST /info"))]
            if not isinstance(outcome, Retryable) or changes or learned(ours) or not server.requests:
                wrong.append(f"{request.__name__}, {name}: {outcome!r}, {learned(ours)}, {server.requests}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("exchange", KINDS)
async def test_a_stream_learns_the_kind_of_its_account_for_certain_too(
    exchange: str, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """They call the same method by another name."""
    ours = forgetful(account(exchange))
    server.reply = PROVE_NOTHING["an empty object"]
    outcome = await outcome_of(ours, learn_for_a_stream)
    assert isinstance(outcome, Retryable)
    assert learned(ours) == {}
    assert server.requests


@pytest.mark.parametrize("exchange", KINDS)
async def test_the_kind_of_an_account_is_what_the_exchange_says(
    exchange: str, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """Be that by a refusal."""
    ours = forgetful(account(exchange))
    content, kind = SAID[exchange]
    server.reply = PROVE_NOTHING["a page"]
    await outcome_of(ours, learn)
    reply = Reply(json.dumps(content).encode())
    server.answer = lambda asked: HIGH_FREQUENCY if b"hf/accounts/opened" in asked else reply
    await outcome_of(ours, learn)
    assert learned(ours) == kind


@pytest.mark.parametrize("exchange", sorted({each.partition(" ")[0] for each in EXCHANGES}))
async def test_the_markets_are_asked_for_until_the_exchange_lists_some(
    exchange: str, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """An exchange without any is none; ccxt would keep them, and not ask again."""
    ours, wrong = account(exchange), []
    for name, reply in PROVE_NOTHING.items():
        ours.ccxt.markets = ours.ccxt.markets_loading = None
        server.reply = reply
        for _ in range(2):
            server.requests.clear()
            await ours.fresh()
            try:
                await MarketListing(ours._caller).know(None)
                wrong.append(f"{name}: {list(ours.ccxt.markets)}")
            except ExchangeError as error:
                if not isinstance(error, Retryable) or not server.requests:
                    wrong.append(f"{name}: {error!r}, {server.requests}")
    assert not wrong, "\n".join(wrong)
