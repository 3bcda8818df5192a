"""What proves nothing is believed of nobody: each faulty answer to each request of each exchange with a profile."""

import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, Final

import pytest
from libs.exchange.tests.answers.conftest import BY_SOCKET, Account
from libs.exchange.tests.answers.faults import PROVE_NOTHING
from libs.exchange.tests.answers.reply import Reply
from libs.exchange.tests.answers.server import ScriptedServer

from millrace_core.requests import CancelAllPayload, CancelPayload, CreatePayload, EditPayload
from millrace_exchange import ExchangeError, OutcomeUnknown, Rejected, Retryable
from millrace_exchange.profiles import profiles

EXCHANGES: Final = [*sorted({profile.exchange for profile in profiles().values()}), BY_SOCKET]
LIMITED: Final = {"429": Reply(b"slow down", 429, "text/plain"), "418": Reply(b"banned", 418, "text/plain")}
REFUSALS: Final = {("bybit", "a proxy's page under 403")}
"""Bybit says by a 403 that a limit was broken."""

Request = Callable[[Account], Awaitable[Any]]


async def create(account: Account) -> Any:
    payload = CreatePayload(symbol=account.symbol, side="buy", type="limit", amount_base=Decimal(1), price=Decimal(20))
    return await account.create_order(payload, account.our_id)


async def cancel(account: Account) -> Any:
    return await account.cancel_order(CancelPayload(symbol=account.symbol, order_id="70000001"))


async def edit(account: Account) -> Any:
    return await account.edit_order(
        EditPayload(symbol=account.symbol, order_id="70000001", price=Decimal(21)), "e" * 32
    )


async def cancel_all(account: Account) -> Any:
    return await account.cancel_all_orders(CancelAllPayload(symbol=account.symbol))


async def fetch_order(account: Account) -> Any:
    account.knows = False
    return await account.fetch_order(account.symbol, order_id="70000001")


async def fetch_order_by_our_id(account: Account) -> Any:
    account.knows = False
    return await account.fetch_order(account.symbol, client_order_id=account.our_id)


async def open_orders(account: Account) -> Any:
    return await account.fetch_open_orders(account.symbol)


async def closed_orders(account: Account) -> Any:
    return await account.fetch_closed_orders(account.symbol, int(time.time() * 1000) - 1_000)


async def my_trades(account: Account) -> Any:
    return await account.fetch_my_trades(account.symbol)


async def balance(account: Account) -> Any:
    return await account.fetch_balance()


CHANGES: Final[tuple[Request, ...]] = (create, cancel, edit, cancel_all)
QUESTIONS: Final[tuple[Request, ...]] = (
    fetch_order,
    fetch_order_by_our_id,
    open_orders,
    closed_orders,
    my_trades,
    balance,
)


async def outcome_of(account: Account, request: Request) -> Any:
    await account.fresh()
    account.knows = True
    try:
        return await request(account)
    except ExchangeError as error:
        return error


@pytest.mark.parametrize("exchange", EXCHANGES)
async def test_a_change_is_unknown_after_an_answer_that_proves_nothing(
    exchange: str, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """It is never done, never refused and never the end of the account; what was not sent may be tried again."""
    ours, wrong = account(exchange), []
    for name, reply in PROVE_NOTHING.items():
        server.reply = reply
        for request in CHANGES:
            server.requests.clear()
            outcome = await outcome_of(ours, request)
            if request is edit and isinstance(outcome, Rejected) and not server.requests:
                continue  # There are no edits.
            may_try_again = request is cancel_all or not server.requests or (exchange, name) in REFUSALS
            if not isinstance(outcome, (OutcomeUnknown, Retryable) if may_try_again else OutcomeUnknown):
                wrong.append(f"{request.__name__}, {name}: {outcome!r}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("exchange", EXCHANGES)
async def test_a_question_is_asked_again_after_an_answer_that_proves_nothing(
    exchange: str, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """It is never taken for absence, and never for an empty list."""
    ours, wrong = account(exchange), []
    for name, reply in PROVE_NOTHING.items():
        server.reply = reply
        for request in QUESTIONS:
            server.requests.clear()
            outcome = await outcome_of(ours, request)
            if server.requests and not isinstance(outcome, Retryable):
                wrong.append(f"{request.__name__}, {name}: {outcome!r}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("exchange", EXCHANGES)
async def test_a_limit_is_waited_out(exchange: str, server: ScriptedServer, account: Callable[[str], Account]) -> None:
    """A refusal because of limits was not done, whatever it was."""
    ours = account(exchange)
    for reply in LIMITED.values():
        server.reply = reply
        for request in (create, cancel, open_orders):
            assert isinstance(await outcome_of(ours, request), Retryable)
